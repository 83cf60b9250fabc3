"""When does a model know the object? Object solution times against a monkey's (Kar et al. 2019).

Of every time bin a linear softmax classifier on z-scored features of the training images gives the
test images' i1; an image is solved in the first bin whose i1 reaches the monkey's of that image,
between bins by linear interpolation. Constants are Brain-Score's; weights start at 0 where those
start at random, which the penalty makes no matter.
"""

from __future__ import annotations

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
    """Probabilities of new images by a classifier of others: (n, p), (n,), (m, p) -> (m, o)."""
    center, scale = x.mean(axis=0), x.std(axis=0)
    z, fresh = (
        torch.from_numpy((a - center) / np.where(scale > 0, scale, 1)).float() for a in (x, new)
    )
    target = torch.from_numpy(np.asarray(truth))
    weight = torch.zeros(objects, x.shape[1], requires_grad=True)
    bias = torch.ones(objects, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=RATE)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(z), generator=stream(seed, "solution times", epoch))
        for rows in order.split(BATCH):
            loss = F.cross_entropy(z[rows] @ weight.T + bias, target[rows])
            loss = loss + PENALTY / 2 * (weight.square().sum() + bias.square().sum())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if loss.item() < ENOUGH:
                break
        else:
            continue
        break
    with torch.no_grad():
        return (fresh @ weight.T + bias).softmax(dim=1).double().numpy()


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
    times, tests, raw = np.asarray(bins, float)[:, 0], [], []
    for train, test in ShuffleSplit(SPLITS, test_size=0.1, random_state=1).split(truth):
        i1 = []
        for x in np.moveaxis(features, 2, 0):
            p = classify(x[train], truth[train], x[test], len(names), seed)
            i1.append(discriminability(model_rates(p, truth[test]), truth[test], "i1")[:, 0])
        tests.append((test, solution_times(np.stack(i1, 1), thresholds[test], times)))
        raw.append(_spearman(tests[-1][1], measured[test]))
    return SolutionTimes(np.array(raw), *(tuple(x) for x in zip(*tests, strict=True)))


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    both = ~np.isnan(a) & ~np.isnan(b)
    if both.sum() < 3 or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
        return float("nan")
    return float(spearmanr(a[both], b[both]).statistic)
