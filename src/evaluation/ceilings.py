"""How well any model could do: ceilings of the correlations, from the repeats alone, per unit.

Only images with at least two trials enter. Without any (two, for variances over images) the
ceiling is nan: it is unknown, not zero.
"""

from __future__ import annotations

import numpy as np

from src.correlation import pearson
from src.evaluation.metrics import Repeats, divide


def _repeated(r: np.ndarray, image_ids: np.ndarray) -> tuple[np.ndarray, Repeats]:
    """The trials of images shown at least twice: (n, u), (n,) -> (n', u), their groups."""
    repeats = Repeats.of(image_ids)
    trials = repeats.repeated[repeats.index]
    return np.asarray(r, np.float64)[trials], Repeats.of(np.asarray(image_ids)[trials])


def oracle_jackknife(r: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """Correlation of each trial with the mean of its image's other trials: (n, u) -> (u,).

    Underestimates the ceiling of the single-trial correlation (Walker et al. 2019).
    """
    r, repeats = _repeated(r, image_ids)
    if not len(r):
        return np.full(r.shape[1], np.nan)
    return pearson(repeats.others(r), r)


def oracle_conservative(r: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """sqrt(v_m / (v_m + v_n)), variances without correction: (n, u), (n,) -> (u,).

    v_n is the mean over images of the variance over repeats, v_m the variance over images of the
    means. Overestimates the ceiling of the single-trial correlation (Willeke et al. 2022).
    """
    r, repeats = _repeated(r, image_ids)
    if not len(r):
        return np.full(r.shape[1], np.nan)
    noise = repeats.variance(r, ddof=0).mean(axis=0)
    signal = repeats.mean(r).var(axis=0)
    return np.sqrt(divide(signal, signal + noise))


def cc_max(r: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """Largest expected correlation with the means over repeats: (n, u), (n,) -> (u,), in 0..1.

    sqrt(S / var_i(mean_i)), S = var_i(mean_i) - mean_i(var_i / T_i), both variances unbiased
    (Schoppe et al. 2016 for irregular repeats). nan where the means do not vary.
    """
    r, repeats = _repeated(r, image_ids)
    if len(repeats.counts) < 2:
        return np.full(r.shape[1], np.nan)
    observed = repeats.mean(r).var(axis=0, ddof=1)
    noise = (repeats.variance(r) / repeats.counts[:, None]).mean(axis=0)
    return np.sqrt(divide(np.maximum(observed - noise, 0), observed))


def normalized_correlation(average: np.ndarray, ceiling: np.ndarray) -> np.ndarray:
    """Correlation to average over its ceiling CC_max: (u,), (u,) -> (u,); nan where that is 0."""
    return divide(average, ceiling)


def split_half(
    r: np.ndarray, image_ids: np.ndarray, generator: np.random.Generator, splits: int = 20
) -> np.ndarray:
    """Correlation over images of the means of two random halves of the repeats: (n, u) -> (u,).

    Mean over `splits` random halvings; an odd repeat goes to the second half.
    """
    r, repeats = _repeated(r, image_ids)
    if len(repeats.counts) < 2:
        return np.full(r.shape[1], np.nan)
    return np.mean([_one_split(r, repeats, generator) for _ in range(splits)], axis=0)


def _one_split(r: np.ndarray, repeats: Repeats, generator: np.random.Generator) -> np.ndarray:
    order = np.lexsort((generator.random(len(r)), repeats.index))
    starts = np.cumsum(repeats.counts) - repeats.counts
    rank = np.empty(len(r), int)
    rank[order] = np.arange(len(r)) - np.repeat(starts, repeats.counts)
    first = rank < (repeats.counts // 2)[repeats.index]
    halves = [Repeats.of(repeats.index[half]).mean(r[half]) for half in (first, ~first)]
    return pearson(*halves)


def spearman_brown(half: np.ndarray) -> np.ndarray:
    """Reliability of all repeats from that of half of them, 2 r / (1 + r): (u,) -> (u,)."""
    return divide(2 * half, 1 + half)


def noise_ceiling(ncsnr: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Percent of variance that signal makes of means over repeats: (u,), (i,) -> (u,), in 0..100.

    100 q^2 / (q^2 + mean of 1 / T_i), q the standard deviation of signal over that of noise of a
    single trial, T_i the trials of each image (Allen et al. 2022; specification nsd_gnet, 7).
    """
    power = np.square(ncsnr)
    return 100 * power / (power + np.mean(1 / np.asarray(counts, float)))


def signal_explained(
    correlation: np.ndarray, ceiling: np.ndarray, least: float = 1.0
) -> np.ndarray:
    """Percent of the variance of signal that a prediction explains: (u,), (u,) percent -> (u,).

    100 r^2 in percent of the noise ceiling of the same means; not clipped, nan where the ceiling is
    `least` percent or below.
    """
    with np.errstate(invalid="ignore"):
        known = np.asarray(ceiling) > least
    return np.where(known, 1e4 * np.square(correlation) / np.where(known, ceiling, 1), np.nan)
