"""Do a model and people confuse the same images? i1, i1n, i2, i2n (Rajalingham et al. 2018).

For image i of object t and every other object d, q(i, d) is how often d was chosen where t and d
were offered. d'(i, d) = z(1 - q(i, d)) - z(FA(t, d)), z the inverse normal and FA(t, d) the mean of
q(., t) over the images of d; clipped to [-5, 5]. i2 keeps that matrix, i1 takes its mean over
distractors; with n, each (t, d) loses its mean over images of t first. Consistency is the Pearson r
with the human matrix, of which halves of the trials give the noise. False alarms by object, and
two fixed halvings, are Brain-Score's; the paper has one a image and many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.utils import check_random_state

from src.data.choices import ChoiceTrials
from src.data.errors import DataError
from src.evaluation.bootstrap import weighted_correlation
from src.evaluation.metrics import correlation, divide
from src.evaluation.normalization import ceiled

Consistency = Literal["i1", "i1n", "i2", "i2n"]
CONSISTENCIES: tuple[Consistency, ...] = get_args(Consistency)
LARGEST = 5.0  # d' is clipped to it
REPEATS = 2  # halvings, by one legacy generator of seed 0


def model_rates(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """q = p_d / (p_d + p_t), nan for the object itself: (i, o), (i,) -> (i, o)."""
    own = probabilities[np.arange(len(truth)), truth][:, None]
    q = divide(probabilities, probabilities + own)
    q[np.arange(len(truth)), truth] = np.nan
    return q


def human_rates(trials: ChoiceTrials, rows: np.ndarray | None = None) -> np.ndarray:
    """Share of trials offering d in which d was chosen, nan where none did: -> (i, o)."""
    rows = np.arange(len(trials.image)) if rows is None else rows
    image, distractor = trials.image[rows], trials.distractor[rows]
    size = len(trials.images), len(trials.objects)
    cell = image * size[1] + distractor
    counts = [np.bincount(cell, w, size[0] * size[1]) for w in (trials.wrong[rows], None)]
    return divide(*(c.reshape(size) for c in counts))


def discriminability(q: np.ndarray, truth: np.ndarray, metric: Consistency) -> np.ndarray:
    """What a metric correlates: (i, o), (i,) -> (i, o) of i2, (i, 1) of i1; nan where undefined."""
    alarms = np.stack([_mean(q[truth == d]) for d in range(q.shape[1])], axis=1)  # [t, d]
    with np.errstate(invalid="ignore"):  # inf - inf: undefined
        d = np.clip(ndtri(1 - q) - ndtri(alarms[truth]), -LARGEST, LARGEST)
    if metric.endswith("n"):
        means = np.stack([_mean(d[truth == t]) for t in range(q.shape[1])])
        d = d - means[truth]
    return _mean(d.T)[:, None] if metric.startswith("i1") else d


def _mean(x: np.ndarray) -> np.ndarray:
    """Mean over the rows that are defined, nan without any: (n, u) -> (u,)."""
    known = ~np.isnan(x)
    return divide(np.where(known, x, 0).sum(axis=0), known.sum(axis=0))


@dataclass(frozen=True, eq=False)
class ConsistencyScore:
    """Consistency with half of the trials, twice, and that of the halves."""

    raw: np.ndarray  # (2,) r of the model with half A
    ceilings: np.ndarray  # (2,) r of half A and half B
    entries: np.ndarray  # (2, 2) how many entries each raw and each ceiling is over
    pairs: tuple[tuple[np.ndarray, np.ndarray], ...] = ()  # model and half A, of each halving

    @property
    def score(self) -> float:
        """Mean over halvings."""
        return float(self.raw.mean())

    @property
    def error(self) -> float:
        """Standard deviation (ddof 0) over halvings."""
        return float(self.raw.std())

    @property
    def ceiling(self) -> float:
        """Mean over halvings of r between the halves."""
        return float(self.ceilings.mean())

    @property
    def ceiled(self) -> float:
        """Mean over halvings of r / sqrt(ceiling)."""
        return float(ceiled(self.raw, self.ceilings, "root").mean())

    def resampled(self, generator: np.random.Generator, resamples: int) -> np.ndarray:
        """The score with images drawn with replacement: -> (b,)."""
        images = len(self.pairs[0][0])
        drawn = generator.multinomial(images, np.full(images, 1 / images), size=resamples)
        return np.mean([_weighted(drawn, *pair) for pair in self.pairs], axis=0)


def _weighted(drawn: np.ndarray, model: np.ndarray, human: np.ndarray) -> np.ndarray:
    """Pearson r over defined entries in every resample of the rows: (b, i), two (i, o) -> (b,)."""
    known = ~np.isnan(model + human)
    p, r = (np.where(known, x - x[known].mean(), 0) for x in (model, human))
    sums = [x.sum(axis=1, keepdims=True) for x in (p, r, p * p, r * r, p * r)]
    return weighted_correlation(drawn, known.sum(axis=1), *sums)[:, 0]


def consistency(
    probabilities: np.ndarray,
    trials: ChoiceTrials,
    metric: Consistency = "i2n",
    strict: bool = False,
) -> ConsistencyScore:
    """Consistency of a model with people: (i, o) -> ConsistencyScore.

    Probabilities in the order of `trials.images` and `trials.objects`. r is over entries defined on
    both sides. `strict` is Brain-Score to the letter: over those defined in half A, DataError where
    the other side lacks one.
    """
    if probabilities.shape != (size := (len(trials.images), len(trials.objects))):
        raise DataError(f"probabilities are {probabilities.shape}, of images x objects {size}")
    model = discriminability(model_rates(probabilities, trials.truth), trials.truth, metric)
    halves = [
        [discriminability(human_rates(trials, rows), trials.truth, metric) for rows in half]
        for half in trial_halves(len(trials.image))
    ]
    found = [(_r(model, a, strict), _r(b, a, strict)) for a, b in halves]
    r, entries = np.moveaxis(np.array(found), 2, 0)
    pairs = tuple((model, a) for a, _ in halves)
    return ConsistencyScore(r[:, 0], r[:, 1], entries.astype(int), pairs)


def trial_halves(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two random halvings of n trials, the shorter half first: -> two of rows, rows."""
    generator = check_random_state(0)
    return [(rows[: n // 2], rows[n // 2 :]) for rows in map(generator.permutation, [n] * REPEATS)]


def _r(other: np.ndarray, human: np.ndarray, strict: bool) -> tuple[float, int]:
    defined = ~np.isnan(human)
    if strict and (lacking := int(np.isnan(other[defined]).sum())):
        raise DataError(
            f"{lacking} of {defined.sum()} entries are undefined on one side: a cell without "
            "trials in one half; leave `strict` to compare what both have"
        )
    both = defined & ~np.isnan(other)
    if both.sum() < 2:
        return float("nan"), int(both.sum())
    return float(correlation(other[both], human[both])), int(both.sum())


def image_table(probabilities: np.ndarray, trials: ChoiceTrials) -> pd.DataFrame:
    """i1 of model and people by image: columns stimulus_id, object_name, model, human."""
    rates = model_rates(probabilities, trials.truth), human_rates(trials)
    model, human = (discriminability(q, trials.truth, "i1")[:, 0] for q in rates)
    names = np.asarray(trials.objects)[trials.truth]
    columns = {"stimulus_id": trials.images, "object_name": names, "model": model, "human": human}
    return pd.DataFrame(columns)
