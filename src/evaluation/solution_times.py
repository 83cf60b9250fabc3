"""When does a model know the object? Object solution times against a monkey's (Kar et al. 2019).

Of every time bin a linear softmax classifier on z-scored features of the training images gives the
test images' i1; an image is solved in the first bin whose i1 reaches the monkey's of that image,
between bins by linear interpolation. Constants are Brain-Score's; weights start at 0 where those
start at random, which the penalty makes no matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from sklearn.model_selection import ShuffleSplit

from src.data.errors import DataError
from src.evaluation.choice_consistency import discriminability, model_rates
from src.seeds import stream

RATE, EPOCHS, BATCH = 1e-4, 40, 64
PENALTY = 0.463  # times half the squared weights and bias
ENOUGH = 1e-4  # loss of a batch at which training ends
SPLITS = 10


@dataclass(frozen=True, eq=False)
class SolutionTimes:
    """Spearman r with measured times in every split, and the times of the test images."""

    raw: np.ndarray  # (s,) nan where fewer than three images have both times
    tests: tuple[np.ndarray, ...]  # s of (m,) rows
    times: tuple[np.ndarray, ...]  # s of (m,) ms, nan where never solved

    @property
    def score(self) -> float:
        """Mean over the splits that have a score; nan without any."""
        known = self.raw[~np.isnan(self.raw)]
        return float(known.mean()) if len(known) else float("nan")

    @property
    def error(self) -> float:
        """Standard deviation (ddof 0) over splits over the square root of their number."""
        known = self.raw[~np.isnan(self.raw)]
        return float(known.std() / np.sqrt(len(known))) if len(known) else float("nan")


def classify(
    x: np.ndarray, truth: np.ndarray, new: np.ndarray, objects: int, seed: int
) -> np.ndarray:
    """Probabilities of new images by a classifier a bin: (t, n, p), (n,), (t, m, p) -> (t, m, o).

    Classifiers of all bins step together, each by itself; training ends early when the loss of a
    batch is below `ENOUGH` in every bin.
    """
    center, scale = x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    z, fresh = (
        torch.from_numpy((a - center) / np.where(scale > 0, scale, 1)).float() for a in (x, new)
    )
    target = F.one_hot(torch.from_numpy(np.asarray(truth)), objects).float()
    weight = torch.zeros(len(z), x.shape[2], objects, requires_grad=True)
    bias = torch.ones(len(z), 1, objects, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=RATE)
    for rows in _batches(len(truth), seed):
        loss = -(target[rows] * (z[:, rows] @ weight + bias).log_softmax(2)).sum(2).mean(1)
        loss = loss + PENALTY / 2 * (weight.square().sum((1, 2)) + bias.square().sum((1, 2)))
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        if loss.max() < ENOUGH:
            break
    with torch.no_grad():
        return (fresh @ weight + bias).double().softmax(dim=2).numpy()


def _batches(n: int, seed: int) -> Iterator[torch.Tensor]:
    """Rows of the batches of all epochs, each shuffled."""
    for epoch in range(EPOCHS):
        order = torch.randperm(n, generator=stream(seed, "solution times", epoch))
        yield from order.split(BATCH)


def solution_times(i1: np.ndarray, thresholds: np.ndarray, times: np.ndarray) -> np.ndarray:
    """First time i1 reaches an image's threshold, nan if never: (m, t), (m,), (t,) ms -> (m,).

    Between the hit and the best earlier bin, which is below the threshold, by linear interpolation.
    """
    reached = i1 >= np.asarray(thresholds)[:, None]
    found = np.full(len(i1), np.nan)
    for row in np.flatnonzero(reached.any(axis=1)):
        hit = int(reached[row].argmax())
        found[row] = times[hit]
        earlier = i1[row, :hit]
        if len(earlier) and not np.isnan(earlier).all():
            best = int(np.nanargmax(earlier))
            share = (thresholds[row] - earlier[best]) / (i1[row, hit] - earlier[best])
            found[row] = times[best] + share * (times[hit] - times[best])
    return found


def score_solution_times(
    features: np.ndarray,
    objects: np.ndarray,
    bins: np.ndarray,
    thresholds: np.ndarray,
    measured: np.ndarray,
    seed: int = 0,
) -> SolutionTimes:
    """Spearman r of predicted and measured solution times: (n, p, t), (n,) str, (t, 2), (n,), (n,).

    thresholds: the monkey's i1 of each image; measured: its solution time, nan where unknown. Ten
    splits with a tenth of the images to test on, no strata.
    """
    if features.ndim != 3 or features.shape[::2] != (len(objects), len(bins)):
        raise DataError(
            f"features are {features.shape} of {len(objects)} images in {len(bins)} bins: give "
            "(n, p, t); a static model has no solution times"
        )
    names, truth = np.unique(objects, return_inverse=True)
    by_bin, times = np.moveaxis(features, 2, 0), np.asarray(bins, float)[:, 0]
    tests, raw = [], []
    for train, test in ShuffleSplit(SPLITS, test_size=0.1, random_state=1).split(truth):
        p = classify(by_bin[:, train], truth[train], by_bin[:, test], len(names), seed)
        i1 = [discriminability(model_rates(q, truth[test]), truth[test], "i1")[:, 0] for q in p]
        tests.append((test, solution_times(np.stack(i1, 1), thresholds[test], times)))
        raw.append(_spearman(tests[-1][1], measured[test]))
    return SolutionTimes(np.array(raw), *(tuple(x) for x in zip(*tests, strict=True)))


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    both = ~np.isnan(a) & ~np.isnan(b)
    if both.sum() < 3 or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
        return float("nan")
    return float(spearmanr(a[both], b[both]).statistic)
