"""Partial least squares for all units at once, by the improved kernel algorithm."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from src.data.errors import DataError
from src.evaluation.decomposition import LinearMap

COMPONENTS = 25  # of the Brain-Score mapping (Schrimpf et al. 2018)
EXHAUSTED = 1e-12  # of the first covariance: below it responses are explained up to rounding


def fit_pls(x: np.ndarray, y: np.ndarray, components: int = COMPONENTS) -> LinearMap:
    """PLS2 with intercept, columns not scaled: (n, p), (n, u) -> LinearMap.

    Equal to NIPALS at convergence (Dayal & MacGregor 1997, algorithm 1: X'Y alone is deflated).
    For p > n give `decompose(gram).coordinates`, a rotation that changes no prediction and holds
    for every split. Stops early when nothing of y is left. Raises DataError if rows or columns are
    too few for so many components.
    """
    x, y = (np.asarray(a, np.float64) for a in (x, y))
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise DataError(f"features are {x.shape} and responses {y.shape}: give (n, p) and (n, u)")
    if not 0 < components <= min(len(x) - 1, x.shape[1]):
        raise DataError(f"{components} components asked of features {x.shape}: ask for fewer")
    offset, mean = x.mean(axis=0), y.mean(axis=0)
    weights = _regression(x - offset, y - mean, components)
    return LinearMap(slice(None), offset, weights, mean)


def _regression(x: np.ndarray, y: np.ndarray, components: int) -> np.ndarray:
    """Coefficients R Q' on centered data: (n, p), (n, u) -> (p, u)."""
    covariance = x.T @ y
    smallest = EXHAUSTED * np.linalg.norm(covariance)
    rotations, loadings = np.zeros((2, x.shape[1], components))
    responses = np.zeros((y.shape[1], components))
    for j in range(components):
        if np.linalg.norm(covariance) <= smallest:
            break
        w = _leading(covariance)
        r = w - rotations @ (loadings.T @ w)
        t = x @ r
        norm = t @ t
        p, q = x.T @ t / norm, covariance.T @ r / norm
        covariance -= norm * np.outer(p, q)
        rotations[:, j], loadings[:, j], responses[:, j] = r, p, q
    return rotations @ responses.T


def _leading(covariance: np.ndarray) -> np.ndarray:
    """Left singular vector of the largest singular value: (p, u) -> (p,), from the smaller side."""
    p, u = covariance.shape
    wide = u > p
    square = covariance @ covariance.T if wide else covariance.T @ covariance
    top = eigh(square, subset_by_index=[len(square) - 1] * 2)[1][:, 0]
    w = top if wide else covariance @ top
    return w / np.linalg.norm(w)
