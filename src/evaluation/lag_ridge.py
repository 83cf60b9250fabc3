"""Ridge from the last frames of a film to responses: the linear reference of any model of films.

The features of frame t are all pixels of the frames t, t - 1, ..., t - lags + 1. Their Gram is made
of products of pixels a few frames apart, so that no lagged copy of the film is ever held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from src.correlation import pearson

ALPHAS = np.logspace(-4, 2, 13)  # in units of the mean diagonal of the Gram


@dataclass(frozen=True)
class LagRidge:
    """A fitted map from the last frames to units."""

    weights: np.ndarray  # (lags, h * w, u), lag 0 first
    frame: np.ndarray  # (h * w,) mean frame
    bias: np.ndarray  # (u,) mean response
    alpha: float

    def predict(self, movie: np.ndarray) -> np.ndarray:
        """Responses to every frame of (t, h, w): -> (t, u); nothing precedes the first frame."""
        x, out = movie.reshape(len(movie), -1) - self.frame, np.tile(self.bias, (len(movie), 1))
        for lag, weights in enumerate(self.weights):
            out[lag:] += x[: len(x) - lag] @ weights
        return out


def fit_lag_ridge(
    training: Sequence[tuple[np.ndarray, np.ndarray]],
    validation: Sequence[tuple[np.ndarray, np.ndarray]],
    lags: int = 12,
    alphas: np.ndarray = ALPHAS,
) -> LagRidge:
    """Fit on pieces (t, h, w), (t, u) of consecutive frames; alpha by r over validation pieces.

    Frames of which less than all lags lie in their piece are not fitted.
    """
    frame = np.mean(np.concatenate([m.reshape(len(m), -1) for m, _ in training]), axis=0)
    kept = [(m.reshape(len(m), -1) - frame, r) for m, r in training if len(m) > lags]
    bias = np.mean(np.concatenate([r[lags - 1 :] for _, r in kept]), axis=0)
    gram = sum(_gram(x, lags) for x, _ in kept)
    cross = sum(_cross(x, r - bias, lags) for x, r in kept)
    values, vectors = eigh(gram)
    rotated, scale = vectors.T @ cross, np.trace(gram) / len(gram)
    found = []
    for alpha in alphas:
        weights = vectors @ (rotated / (np.maximum(values, 0) + alpha * scale)[:, None])
        fit = LagRidge(weights.reshape(lags, -1, cross.shape[1]), frame, bias, float(alpha))
        found.append((_score(fit, validation, lags), fit))
    return max(found, key=lambda pair: pair[0])[1]


def _gram(x: np.ndarray, lags: int) -> np.ndarray:
    """Inner products of lagged pixels over the frames that have all lags: (t, p) -> (l p, l p)."""
    p, n = x.shape[1], len(x)
    gram = np.empty((lags, p, lags, p))
    for apart in range(lags):
        for lag in range(lags - apart):
            a, b = lag, lag + apart  # rows t - a and t - b for t from lags - 1 on
            if lag == 0:
                block = x[lags - 1 :].T @ x[lags - 1 - b : n - b]
            else:  # the window of the block before, moved back by one frame
                block = block + np.outer(x[lags - 1 - a], x[lags - 1 - b])
                block = block - np.outer(x[n - a], x[n - b])
            gram[a, :, b], gram[b, :, a] = block, block.T
    return gram.reshape(lags * p, lags * p)


def _cross(x: np.ndarray, r: np.ndarray, lags: int) -> np.ndarray:
    """Inner products of lagged pixels with responses: (t, p), (t, u) -> (l p, u)."""
    n = len(x)
    return np.concatenate([x[lags - 1 - a : n - a].T @ r[lags - 1 :] for a in range(lags)])


def _score(fit: LagRidge, pieces: Sequence[tuple[np.ndarray, np.ndarray]], lags: int) -> float:
    pairs = [(fit.predict(m)[lags - 1 :], r[lags - 1 :]) for m, r in pieces]
    return float(pearson(*(np.concatenate(part) for part in zip(*pairs, strict=True))).mean())
