"""Retinotopy: where in the image the units of a session read, against where they lie in cortex.

Positions mu are mostly the output of a small network of the soma position, so a smooth map is
partly built in. Held-out fits, shuffled somata and readouts with free positions say what is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Colors at (left, top), (right, top), (left, bottom), (right, bottom) of the image.
CORNERS = ("#ef476f", "#ffd166", "#118ab2", "#073b4c")
SHUFFLES_AT_ONCE = 50


def _rgb(color: str) -> list[float]:
    return [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def position_colors(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Color of positions in the image, mixed from its corners: (..., 2) -> (..., 3).

    Smoothstep 3 t^2 - 2 t^3 in x, then in y (downwards, as in the image); RGB in 0..1. low and high
    are the corners' positions, (2,); beyond them the color is that of the nearest edge.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    t = np.clip((np.asarray(points, np.float64) - low) / (high - low), 0, 1)
    x, y = np.moveaxis(t * t * (3 - 2 * t), -1, 0)[..., None]
    top_left, top_right, bottom_left, bottom_right = np.array([_rgb(c) for c in CORNERS])
    top = top_left + x * (top_right - top_left)
    bottom = bottom_left + x * (bottom_right - bottom_left)
    return top + y * (bottom - top)


def limits(points: np.ndarray, margin: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Smallest box around all positions, a little widened: (u, 2) -> low (2,), high (2,)."""
    low, high = points.min(axis=0), points.max(axis=0)
    return low - margin * (high - low), high + margin * (high - low)


def legend_image(low: np.ndarray, high: np.ndarray, size: int = 64) -> np.ndarray:
    """The colors of the square low..high, row 0 at the top of the image: -> (h, w, 3)."""
    t = (np.arange(size) + 0.5) / size
    grid = np.stack(np.meshgrid(t, t), axis=-1)
    return position_colors(low + (np.asarray(high) - low) * grid, low, high)


@dataclass(frozen=True)
class AffineMap:
    """mu = offset + soma @ matrix, fitted by least squares."""

    matrix: np.ndarray  # (2 soma, 2 mu), image units per micrometer
    offset: np.ndarray  # (2,)
    r2: float  # share of the variance of mu, both coordinates together, in the fitted units

    def __call__(self, soma: np.ndarray) -> np.ndarray:
        """Soma positions to image positions: (u, 2) -> (u, 2)."""
        return self.offset + soma @ self.matrix


def fit_affine(soma: np.ndarray, mu: np.ndarray) -> AffineMap:
    """Least squares affine map: soma (u, 2) um, mu (u, 2) in -1..1."""
    design = _design(soma)
    coefficients = np.linalg.lstsq(design, mu)[0]
    r2 = float(_r2(mu, design @ coefficients))
    return AffineMap(coefficients[1:], coefficients[0], r2)


def held_out_r2(
    soma: np.ndarray, mu: np.ndarray, generator: np.random.Generator, folds: int = 10
) -> np.ndarray:
    """R2 of affine maps in units they were not fitted to: (u, 2), (..., u, 2) -> (...).

    Negative where the map does worse than the mean of mu. Leading axes of mu are separate problems.
    """
    design, predicted = _design(soma), np.empty_like(mu, dtype=np.float64)
    fold = generator.permutation(len(soma)) % folds
    for k in range(folds):
        train = fold != k
        weights = np.linalg.pinv(design[train])
        predicted[..., ~train, :] = design[~train] @ (weights @ mu[..., train, :])
    return _r2(mu, predicted)


def shuffled_null(
    soma: np.ndarray,
    mu: np.ndarray,
    generator: np.random.Generator,
    shuffles: int = 1000,
    folds: int = 10,
) -> np.ndarray:
    """Held-out R2 with mu handed to other units at random: (u, 2), (u, 2) -> (shuffles,)."""
    found = []
    for start in range(0, shuffles, SHUFFLES_AT_ONCE):
        count = min(SHUFFLES_AT_ONCE, shuffles - start)
        order = np.argsort(generator.random((count, len(mu))), axis=1)
        found.append(held_out_r2(soma, np.asarray(mu)[order], generator, folds))
    return np.concatenate(found)


def _design(soma: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(soma)), soma])


def _r2(mu: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """1 - residual / total sum of squares: (..., u, 2), (..., u, 2) -> (...)."""
    total = np.square(mu - mu.mean(axis=-2, keepdims=True)).sum(axis=(-2, -1))
    return 1 - np.square(mu - predicted).sum(axis=(-2, -1)) / total
