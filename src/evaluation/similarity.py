"""Do two populations tell images apart alike? Dissimilarities (RDM, RSA) and kernels (CKA).

All from arrays of n images and any number of units or features, rows in the same order. Nothing is
fitted: both ask about representations as they stand. Given predicted responses in place of
features, they say whether a model keeps the geometry of the units it was fitted to.
Sources: Kriegeskorte et al. 2008 (RDM, RSA); Kornblith et al. 2019 (CKA); Song et al. 2012, eq. 5
(unbiased HSIC).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.cluster import hierarchy
from scipy.stats import rankdata

from src.correlation import z_score
from src.data.errors import DataError
from src.evaluation.metrics import correlation

Comparison = Callable[[np.ndarray, np.ndarray], float]  # of two (n, n)


def rdm(x: np.ndarray) -> np.ndarray:
    """1 - Pearson correlation between images, over units: (n, u) -> (n, n), diagonal 0.

    DataError where an image has the same value in all units, of which no correlation is known.
    """
    x = np.asarray(x, np.float64)
    centered = x - x.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centered, axis=1)
    if len(flat := np.flatnonzero(norm <= 1e-12 * np.linalg.norm(x, axis=1))):
        text = f"{len(flat)} of {len(x)} images have one value in all {x.shape[1]} units"
        raise DataError(f"rdm: {text} (first: row {flat[0]}): leave them out")
    distance = 1 - centered @ centered.T / np.outer(norm, norm)
    np.fill_diagonal(distance, 0)
    return distance


def above_diagonal(square: np.ndarray) -> np.ndarray:
    """One value a pair of different images: (n, n) -> (n (n - 1) / 2,)."""
    return square[np.triu_indices(len(square), 1)]


def rank_normalized(distance: np.ndarray) -> np.ndarray:
    """Dissimilarities of pairs as ranks from 0 to 1, ties averaged: (n, n) -> (n, n)."""
    pairs = above_diagonal(distance)
    ranks = np.zeros(distance.shape)
    ranks[np.triu_indices(len(distance), 1)] = (rankdata(pairs) - 1) / max(len(pairs) - 1, 1)
    return ranks + ranks.T


def pair_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson r over pairs of different images: (n, n), (n, n) -> r; of ranks it is Spearman's."""
    return float(correlation(above_diagonal(a), above_diagonal(b)))


def rsa(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman correlation of two RDMs, over pairs of images: (n, f), (n, u) -> -1..1."""
    return pair_correlation(*(rank_normalized(rdm(_rows(z, x))) for z in (x, y)))


def kernel(x: np.ndarray) -> np.ndarray:
    """Linear kernel of features centered over images: (n, f) -> (n, n).

    Centering changes neither HSIC, and keeps a large common mean from eating the digits.
    """
    centered = np.asarray(x, np.float64) - np.mean(x, axis=0, dtype=np.float64)
    return centered @ centered.T


def cka(x: np.ndarray, y: np.ndarray, unbiased: bool = True) -> float:
    """Linear centered kernel alignment: (n, f), (n, u) -> 1 for the same up to rotation and scale.

    The biased estimate nears 1 for any two sets of more features than images; the unbiased, which
    may be below 0, does not.
    """
    return kernel_alignment(kernel(x), kernel(_rows(y, x)), unbiased)


def kernel_alignment(k: np.ndarray, m: np.ndarray, unbiased: bool = True) -> float:
    """CKA of two kernels: (n, n), (n, n) -> alignment; 0 where one has no dependence on itself."""
    measure = hsic if unbiased else hsic_biased
    product = measure(k, k) * measure(m, m)
    return measure(k, m) / np.sqrt(product) if product > 0 else 0.0


def hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Unbiased Hilbert-Schmidt independence criterion of two kernels: (n, n), (n, n), n >= 4."""
    n = len(k)
    if n < 4:
        raise ValueError(f"the unbiased HSIC needs 4 images or more, not {n}")
    k, m = (z - np.diag(np.diag(z)) for z in (k, m))
    rows_k, rows_m = k.sum(axis=0), m.sum(axis=0)
    total = rows_k.sum() * rows_m.sum() / ((n - 1) * (n - 2))
    return float((np.sum(k * m) + total - 2 * rows_k @ rows_m / (n - 2)) / (n * (n - 3)))


def hsic_biased(k: np.ndarray, m: np.ndarray) -> float:
    """HSIC of two kernels up to a factor that CKA does not see, sum(HKH * HMH): (n, n), (n, n)."""
    k, m = (z - z.mean(0) - z.mean(1)[:, None] + z.mean() for z in (k, m))
    return float(np.sum(k * m))


def similar_order(x: np.ndarray) -> np.ndarray:
    """Columns in an order in which alike ones are neighbors: (n, u) -> (u,).

    Leaves of a tree of average correlation, turned so that neighbors are as alike as the tree
    allows (Bar-Joseph et al. 2001).
    """
    z = z_score(x)
    apart = np.maximum(above_diagonal(1 - z.T @ z / len(z)), 0)
    tree = hierarchy.average(apart)
    return hierarchy.leaves_list(hierarchy.optimal_leaf_ordering(tree, apart))


def permuted(
    compare: Comparison, a: np.ndarray, b: np.ndarray, generator: np.random.Generator, shuffles: int
) -> np.ndarray:
    """What `compare` gives when the images of b are permuted: (n, n), (n, n) -> (shuffles,).

    The null of no relation between two geometries, each kept as it is (Mantel 1967).
    """
    orders = (generator.permutation(len(b)) for _ in range(shuffles))
    return np.array([compare(a, b[np.ix_(order, order)]) for order in orders])


def _rows(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    if len(x) != len(y):
        raise ValueError(f"arrays of {np.shape(x)} and {np.shape(y)} are not of the same images")
    return y
