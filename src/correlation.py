"""Correlation and explained variance, once for training, evaluation and analyses."""

from __future__ import annotations

import numpy as np


def z_score(x: np.ndarray) -> np.ndarray:
    """Float64 z-scores over trials, per unit: (n, u) -> (n, u); a constant column gives 0.

    z = (x - mean) / (std_ddof0 + 1e-8), as in the SENSORIUM 2022 metrics.
    """
    x = np.asarray(x, dtype=np.float64)
    centered = x - x.mean(axis=0)
    return centered / (np.sqrt(np.mean(centered**2, axis=0)) + 1e-8)


def pearson(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Pearson r over trials, per unit: (n, u), (n, u) -> (u,); a constant column gives 0."""
    if np.shape(p) != np.shape(r):
        raise ValueError(f"predictions are {np.shape(p)} but responses are {np.shape(r)}")
    return np.mean(z_score(p) * z_score(r), axis=0)


def shuffled_limit(n: int) -> float:
    """What r of n shuffled pairs stays below: three standard deviations of it.

    Source: specification nsd_gnet, 7 (.055 for 3,000 trials).
    """
    return 3 / n**0.5


def explained_variance(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """1 - Var(r - p) / Var(r), blind to a constant offset: (n, u), (n, u) -> (u,).

    nan for constant responses. R2 is never above it, and equal where errors have mean 0.
    """
    if np.shape(p) != np.shape(r):
        raise ValueError(f"predictions are {np.shape(p)} but responses are {np.shape(r)}")
    r = np.asarray(r, np.float64)
    return 1 - (r - p).var(axis=0) / np.where(np.ptp(r, axis=0) > 0, r.var(axis=0), np.nan)
