"""Responses and features over time: aligned bins, and mappings fitted by bin or over all bins."""

from __future__ import annotations

import numpy as np

from src.data.errors import DataError
from src.evaluation.folds import Splits
from src.evaluation.linear_scores import SplitScore
from src.evaluation.mapping import Predictors, cross_validated
from src.evaluation.pls import COMPONENTS, fit_pls

COVERED = 1 - 1e-9


def aligned(values: np.ndarray, bins: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Values in other time bins: (..., b), (b, 2), (t, 2) ms -> (..., t).

    Mean over the bins that a target overlaps, weighted by the share of each bin inside it.
    DataError for a target that the bins do not wholly cover, and for bins that overlap each other.
    """
    bins, targets = (np.asarray(x, np.float64).reshape(-1, 2) for x in (bins, targets))
    if values.shape[-1] != len(bins):
        raise DataError(f"values are {values.shape} but time bins {bins.shape}: one a last axis")
    order = np.argsort(bins[:, 0])
    if (bins[order][1:, 0] < bins[order][:-1, 1] - 1e-9).any():
        raise DataError(f"time bins {bins.tolist()} overlap each other: choose of them")
    start = np.maximum(targets[:, :1], bins[:, 0])
    shared = np.maximum(np.minimum(targets[:, 1:], bins[:, 1]) - start, 0)  # (t, b) ms
    length = np.diff(targets, axis=1)[:, 0]
    if len(bad := np.flatnonzero(shared.sum(axis=1) < COVERED * length)):
        span = bins.min(), bins.max()
        target = targets[bad[0]].tolist()
        raise DataError(f"target {target} ms is not covered by bins from {span[0]} to {span[1]} ms")
    weights = shared / np.diff(bins, axis=1)[:, 0]
    return values @ (weights / weights.sum(axis=1, keepdims=True)).T


def nearest_step(starts: np.ndarray, start: float) -> int:
    """Time step of a model that stands for a bin: the one whose start is nearest: (t,) -> int."""
    return int(np.argmin(np.abs(np.asarray(starts, float) - start)))


def scored_by_bin(
    x: np.ndarray, y: np.ndarray, splits: Splits, components: int = COMPONENTS
) -> list[SplitScore]:
    """PLS of every time bin by itself: (n, p) or (n, p, t), (n, u, t) -> t scores.

    Features without a time axis stand for every bin.
    """
    _require_bins(x, y)
    by_bin = [Predictors(x)] * y.shape[2] if x.ndim == 2 else map(Predictors, np.moveaxis(x, 2, 0))
    pairs = zip(by_bin, np.moveaxis(y, 2, 0), strict=True)
    return [cross_validated(a, b, splits, "pls", components) for a, b in pairs]


def scored_over_bins(
    x: np.ndarray, y: np.ndarray, splits: Splits, components: int = COMPONENTS
) -> list[SplitScore]:
    """PLS fitted once to all bins as so many more samples, scored by bin: as `scored_by_bin`.

    Features without a time axis predict the same of every bin; their fit is that to the mean over
    bins, and is made so.
    """
    _require_bins(x, y)
    if x.ndim == 2:
        mean = cross_validated(x, y.mean(axis=2), splits, "pls", components)
        return [SplitScore.of(mean.predicted, y[..., t], splits) for t in range(y.shape[2])]
    predicted = [_over_bins(x, y, train, test, components) for train, test in splits]
    return [SplitScore.of([p[t] for p in predicted], y[..., t], splits) for t in range(y.shape[2])]


def _over_bins(
    x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, components: int
) -> np.ndarray:
    """Predictions of a fit to stacked bins: (n, p, t), (n, u, t) -> (t, m, u)."""
    stacked = [np.concatenate(np.moveaxis(a[train], 2, 0)) for a in (x, y)]
    fit = fit_pls(*stacked, components)
    return np.stack([fit.predict(part) for part in np.moveaxis(x[test], 2, 0)])


def _require_bins(x: np.ndarray, y: np.ndarray) -> None:
    if y.ndim != 3 or x.ndim not in (2, 3) or (x.ndim == 3 and x.shape[2] != y.shape[2]):
        raise DataError(
            f"features are {x.shape} and responses {y.shape}: give (n, p[, t]) and (n, u, t) with "
            "one t: `aligned` makes them so"
        )
