"""How a score changes across the cortex: binned means along an axis, and a trend with its null."""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.correlation import pearson
from src.evaluation.bootstrap import interval


def binned_means(
    place: np.ndarray,
    score: np.ndarray,
    bins: int,
    generator: np.random.Generator,
    resamples: int = 1000,
) -> pd.DataFrame:
    """Means in bins of equal width, with 95 % bootstrap intervals over units: (u,), (u,) -> rows.

    Columns place, score, low, high, units; bins without units are left out, and one unit alone has
    no interval.
    """
    edges = np.linspace(place.min(), place.max(), bins + 1)
    which = np.digitize(place, edges[1:-1])
    rows = []
    for k in np.unique(which):
        values = score[which == k]
        drawn = generator.choice(values, (resamples, len(values))).mean(axis=1)
        limits = interval(drawn) if len(values) > 1 else (np.nan, np.nan)
        rows.append(((edges[k] + edges[k + 1]) / 2, values.mean(), *limits, len(values)))
    return pd.DataFrame(rows, columns=["place", "score", "low", "high", "units"])


def trend(
    place: np.ndarray,
    score: np.ndarray,
    groups: np.ndarray,
    generator: np.random.Generator,
    shuffles: int = 1000,
) -> tuple[float, float]:
    """Pearson r of score and place within groups, and its two-sided permutation p: (u,) x 3.

    Both are taken relative to their group's mean (a session); units are shuffled within groups.
    """
    index = np.unique(groups, return_inverse=True)[1]
    place, score = (x - _group_means(x, index)[index] for x in (place, score))
    order = np.lexsort((generator.random((shuffles, len(score))), np.tile(index, (shuffles, 1))))
    shuffled = np.empty((shuffles, len(score)))
    shuffled[:, np.argsort(index, kind="stable")] = score[order]
    observed = pearson(place[:, None], score[:, None])[0]
    null = pearson(np.tile(place[:, None], shuffles), shuffled.T)
    p = (1 + np.sum(np.abs(null) >= abs(observed) - 1e-12)) / (1 + shuffles)
    return float(observed), float(p)


def _group_means(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.bincount(index, x) / np.bincount(index)
