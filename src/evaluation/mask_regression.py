"""What and where apart: a unit looks at all channels of a map through one mask over its places.

Predicted is the sum over channels c and places s of w_c m_s x_cs, fitted by turns: with the mask
held, w is a ridge regression, with w held, the mask is. Klindt et al. 2017 fit the same read-out by
gradients. Begins with the leading singular vectors of the covariance of map and response.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve

from src.data.errors import DataError

ROUNDS = 4
STRENGTH = 0.1  # of both ridges, in units of the columns' mean square
TOGETHER = 8  # units whose maps are summed in one pass


@dataclass(frozen=True, eq=False)
class MaskMap:
    """One mask and one set of channels a unit; masks have length 1."""

    masks: np.ndarray  # (u, s)
    channels: np.ndarray  # (u, c)
    offset: np.ndarray  # (c, s) mean map
    mean: np.ndarray  # (u,)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Responses to maps: (n, c, s) -> (n, u)."""
        seen = (x - self.offset) @ self.masks.T  # (n, c, u)
        return self.mean + np.einsum("ncu,uc->nu", seen, self.channels)


def fit_mask(x: np.ndarray, y: np.ndarray) -> MaskMap:
    """Mask and channels of every unit: (n, c, s), (n, u) -> MaskMap."""
    x, y = (np.asarray(a, np.float64) for a in (x, y))
    if x.ndim != 3 or y.ndim != 2 or len(x) != len(y):
        raise DataError(f"maps are {x.shape} and responses {y.shape}: give (n, c, s) and (n, u)")
    offset, mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - offset, y - mean
    masks, channels = np.empty((y.shape[1], x.shape[2])), np.empty((y.shape[1], x.shape[1]))
    for first in range(0, y.shape[1], TOGETHER):
        some = slice(first, first + TOGETHER)
        masks[some], channels[some] = _by_turns(x, y[:, some])
    return MaskMap(masks, channels, offset, mean)


def _by_turns(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, c, s), (n, u) centered -> masks (u, s), channels (u, c)."""
    covariance = np.tensordot(y, x, (0, 0))  # (u, c, s)
    masks = np.linalg.svd(covariance, full_matrices=False)[2][:, 0]
    for _ in range(ROUNDS):
        channels = _ridges(x @ masks.T, y)
        masks = _ridges(np.einsum("ncs,uc->nsu", x, channels, optimize=True), y)
        length = np.linalg.norm(masks, axis=1, keepdims=True)
        masks = masks / np.where(length > 0, length, 1)
    return masks, _ridges(x @ masks.T, y)


def _ridges(a: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A ridge regression a unit, on columns of its own: (n, k, u), (n, u) -> (u, k)."""
    found = np.zeros((y.shape[1], a.shape[1]))
    for j in range(y.shape[1]):
        square = a[..., j].T @ a[..., j]
        scale = np.trace(square) / len(square)
        if scale > 0:
            square[np.diag_indices_from(square)] += STRENGTH * scale
            found[j] = solve(square, a[..., j].T @ y[:, j], assume_a="pos")
    return found
