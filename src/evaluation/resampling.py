"""How far a Brain-Score would move with other images and units, and whether two models differ.

Bootstrap: images and units drawn with replacement, the same draws for every model of the same data
and seed, so that the difference of two models' samples is paired. Mappings are not fitted anew: the
held-out predictions stay. Measures of pairs of images have no such draws (an image is no distance
from its copy): groups of images are left out in turn instead (jack-knife).
Sources: Efron & Tibshirani 1993, chapters 11 and 13; Owen 2007 (both ways).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import norm

from src.evaluation.bootstrap import Draws, unit_draws, weighted_correlation
from src.evaluation.linear_scores import SplitScore
from src.seeds import numpy_stream

RESAMPLES = 200
GROUPS = 20


def resampled_scores(
    found: SplitScore, y: np.ndarray, seed: int, resamples: int = RESAMPLES
) -> np.ndarray:
    """Mean over splits of the median over units in every resample: s splits, (n, u) -> (b,)."""
    n, u = y.shape
    images = Draws.make(np.arange(n), resamples, numpy_stream(seed, "resampled", "images"))
    units = _drawn(unit_draws(u, resamples, numpy_stream(seed, "resampled", "units")))
    medians = []
    for predicted, test in zip(found.predicted, found.tests, strict=True):
        offset, scale = y[test].mean(axis=0), y[test].std(axis=0) + 1e-300
        p, r = ((x - offset) / scale for x in (predicted, y[test]))
        sums = p, r, p * p, r * r, p * r
        scores = weighted_correlation(images.of(test), np.ones(len(test)), *sums)
        medians.append(np.median(np.take_along_axis(scores, units, axis=1), axis=1))
    return np.mean(medians, axis=0)


def _drawn(counts: np.ndarray) -> np.ndarray:
    """Which units each resample has, from how often: (b, u) -> (b, u)."""
    b, u = counts.shape
    return np.repeat(np.tile(np.arange(u), b), counts.ravel()).reshape(b, u)


def jackknife_values(
    measure: Callable[[np.ndarray], float], strata: np.ndarray, seed: int, groups: int = GROUPS
) -> np.ndarray:
    """Pseudo-values, one for each group of rows left out: (n,) strata -> (g,).

    Their mean estimates the measure, their standard error its own. A group takes every g-th row of
    each stratum, shuffled; `measure` gets the rows that stay.
    """
    n = len(strata)
    groups = min(groups, n // 2)
    order = numpy_stream(seed, "jackknife").permutation(n)
    order = order[np.argsort(strata[order], kind="stable")]
    group = np.empty(n, int)
    group[order] = np.arange(n) % groups
    whole = measure(np.arange(n))
    left = np.array([measure(np.flatnonzero(group != g)) for g in range(groups)])
    return groups * whole - (groups - 1) * left


def jackknife_error(values: np.ndarray) -> float:
    """Standard error of a measure from its pseudo-values: (g,) -> error."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def normal_interval(score: float, error: float, level: float = 0.95) -> tuple[float, float]:
    """score -+ z error."""
    reach = norm.ppf((1 + level) / 2) * error
    return score - reach, score + reach


def paired_p(differences: Sequence[float] | np.ndarray) -> float:
    """Two-sided p of no difference, from its bootstrap samples: (b,) -> p in (0, 1].

    Twice the smaller share on either side of 0, itself counted with it.
    """
    d = np.asarray(differences)
    d = d[~np.isnan(d)]
    beyond = min((d <= 0).sum(), (d >= 0).sum())
    return float(min(1.0, 2 * (1 + beyond) / (1 + len(d))))
