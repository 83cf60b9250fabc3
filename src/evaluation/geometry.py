"""RSA and CKA cross-validated, and the ceilings that subjects set each other."""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import numpy as np

from src.evaluation.folds import geometry_splits
from src.evaluation.gram import streamed_gram
from src.evaluation.similarity import (
    Comparison,
    kernel_alignment,
    pair_correlation,
    rank_normalized,
    rdm,
)

Geometry = Literal["rdm", "rdm_cv", "cka", "cka_cv", "cka_biased", "cka_biased_cv"]
GEOMETRIES: tuple[Geometry, ...] = get_args(Geometry)


def matrix_of(metric: Geometry, x: np.ndarray) -> np.ndarray:
    """What a metric compares, an RDM or a kernel of all stimuli: (n, p) -> (n, n)."""
    return rdm(x) if metric.startswith("rdm") else streamed_gram(x)


def comparison_of(metric: Geometry) -> Comparison:
    """How a metric compares two such matrices, or the same rows and columns of both."""
    if metric.startswith("rdm"):
        return spearman
    return partial(kernel_alignment, unbiased="biased" not in metric)


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman r over pairs of different images: (n, n), (n, n) -> r."""
    return pair_correlation(rank_normalized(a), rank_normalized(b))


def over_splits(
    a: np.ndarray, b: np.ndarray, objects: np.ndarray, compare: Comparison
) -> np.ndarray:
    """Similarity on 90 % of the stimuli, ten times: (n, n), (n, n), (n,) -> (10,).

    Rows in the order of the responses' assembly, which draws the splits.
    """
    parts = (np.ix_(rows, rows) for _, rows in geometry_splits(objects))
    return np.array([compare(a[part], b[part]) for part in parts])


def subject_ceilings(rdms: np.ndarray) -> tuple[float, float]:
    """Lower and upper bound of the best model's mean r with subjects: (s, n, n) -> lower, upper.

    Spearman r of each subject's RDM with the mean of ranked RDMs, of the others and of all, which
    no other RDM exceeds (Nili et al. 2014).
    """
    ranked = np.array([rank_normalized(one) for one in rdms])
    total, s = ranked.sum(axis=0), len(ranked)
    if s < 2:
        raise ValueError(f"a ceiling over subjects needs two or more, not {s}")

    def mean_with(means: list[np.ndarray]) -> float:
        pairs = zip(ranked, means, strict=True)
        return float(np.mean([pair_correlation(a, rank_normalized(b)) for a, b in pairs]))

    return mean_with([(total - one) / (s - 1) for one in ranked]), mean_with([total / s] * s)


def subject_scores(model: np.ndarray, rdms: np.ndarray) -> np.ndarray:
    """Spearman r of a model's RDM with each subject's: (n, n), (s, n, n) -> (s,)."""
    ranked = rank_normalized(model)
    return np.array([pair_correlation(ranked, rank_normalized(one)) for one in rdms])


def noise_corrected(score: float, reliability: float) -> float:
    """Correlation of RDMs without the noise of one: r / sqrt(reliability); nan for none.

    Spearman 1904, for an RDM whose reliability is known from halves or from subjects.
    """
    return score / np.sqrt(reliability) if reliability > 0 else float("nan")
