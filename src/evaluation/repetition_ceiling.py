"""How much of responses other repetitions would repeat, as Brain-Score and the NSD define it.

Reliability c of the mean over repetitions: a share of variance, whose root bounds a correlation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from src.data.assemblies import Assembly, mean_by
from src.data.errors import DataError
from src.evaluation.ceilings import spearman_brown
from src.evaluation.folds import repetition_halves
from src.evaluation.linear_scores import SplitScore
from src.evaluation.metrics import Repeats, correlation, divide, noise_variance, total_variance

Similarity = Callable[[np.ndarray, np.ndarray], float]  # of two (i, u)


def half_means(assembly: Assembly) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Means over two random halves of the repetition labels, ten times: -> (i, u), (i, u).

    A stimulus that lacks repetitions is averaged over those it has, and left out if a half has
    none. DataError where there are fewer than two labels or stimuli.
    """
    repetition = assembly.column("repetition")
    if len(np.unique(repetition)) < 2:
        raise DataError(f"{assembly.source}: one repetition label, a ceiling needs two or more")
    ids, index = np.unique(assembly.stimulus_ids, return_inverse=True)
    for halves in repetition_halves(repetition):
        shown = [np.isin(repetition, labels) for labels in halves]
        a, b = (mean_by(index[rows], len(ids), assembly.values[rows]) for rows in shown)
        both = ~np.isnan(a + b).any(axis=1)
        if both.sum() < 2:
            text = f"{both.sum()} stimuli have repetitions in both halves"
            raise DataError(f"{assembly.source}: {text}, a ceiling needs two or more")
        yield a[both], b[both]


def internal_consistency(assembly: Assembly) -> SplitScore:
    """Brain-Score's ceiling: r of two halves by unit, Spearman-Brown corrected -> (10, u)."""
    raw = [spearman_brown(correlation(a, b)) for a, b in half_means(assembly)]
    return SplitScore(np.array(raw))


def similarity_consistency(assembly: Assembly, compare: Similarity) -> np.ndarray:
    """Similarity of two halves by `compare`, Spearman-Brown corrected: -> (10,).

    The ceiling of measures of a whole population: RDMs and CKA.
    """
    return np.array([spearman_brown(np.array(compare(*pair))) for pair in half_means(assembly)])


def noise_ceiling_snr(values: np.ndarray, stimulus_ids: np.ndarray) -> np.ndarray:
    """ncsnr, standard deviation of the signal over that of the noise: (n, u), (n,) -> (u,).

    Noise: variance over repetitions, mean over stimuli shown twice or more; signal: what it leaves
    of the variance over all trials (Allen et al. 2022, whose z-scored betas have variance 1).
    """
    noise = noise_variance(values, stimulus_ids)
    signal = np.maximum(total_variance(values) - noise, 0)
    return np.sqrt(divide(signal, noise))


def snr_reliability(ncsnr: np.ndarray, stimulus_ids: np.ndarray) -> np.ndarray:
    """c of the means over trials, from ncsnr: (u,), (n,) -> (u,).

    ncsnr^2 / (ncsnr^2 + mean of 1 / trials), the NSD's noise ceiling without its factor of 100.
    """
    share = np.mean(1 / Repeats.of(stimulus_ids).counts)
    return ncsnr**2 / (ncsnr**2 + share)
