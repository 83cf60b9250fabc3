"""Gaussian windows on feature maps: the places and sizes among which a unit's field is sought.

A unit sees a small part of an image. If its field is taken to be one of some hundred Gaussians, the
best is found by trying each, and what remains to be fitted is linear: a feature-weighted receptive
field (St-Yves & Naselaris 2018). Positions are in -1..1 of the map, x to the right and y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy.special import erf

NEGLIGIBLE = 1e-30  # weight of a place


@dataclass(frozen=True)
class WindowGrid:
    """Centers on a square grid, for each of some sizes; and the whole map as one more window."""

    centers: int = 7  # a side
    reach: float = 0.6  # of the outermost centers
    sigmas: tuple[float, ...] = (0.15, 0.25, 0.4, 0.7)

    def table(self) -> pd.DataFrame:
        """One row a window: columns x, y, sigma; the last is the whole map, of infinite sigma."""
        places = np.linspace(-self.reach, self.reach, self.centers)
        rows = [(x, y, sigma) for sigma, y, x in product(self.sigmas, places, places)]
        return pd.DataFrame([*rows, (0.0, 0.0, np.inf)], columns=["x", "y", "sigma"])

    def weights(self, height: int, width: int) -> np.ndarray:
        """Weights of the map's positions, which sum to 1 in a window: -> (v, h, w) float32."""
        x, y, sigma = (self.table()[c].to_numpy()[:, None, None] for c in ("x", "y", "sigma"))
        down, right = (_middles(size) for size in (height, width))
        distance = (right[None, None, :] - x) ** 2 + (down[None, :, None] - y) ** 2
        window = np.exp(-distance / (2 * sigma**2))
        return (window / window.sum(axis=(1, 2), keepdims=True)).astype(np.float32)


def _middles(size: int) -> np.ndarray:
    """Middles of the map's cells, the whole map being -1..1: -> (size,)."""
    return (2 * np.arange(size) + 1) / size - 1


# Fields on maps of any size, in widths of the image: x in -.5..5 to the right, y upwards. Source:
# specification nsd_gnet, 5.4; weights are not scaled to sum to 1, so that borders cut them.


def field_grid(
    smallest: float, spacing: float, largest: float = 0.4, sizes: int = 8, extent: float = 1.1
) -> np.ndarray:
    """Candidate fields: () -> (v, 3) of x, y, sigma; sigmas ascend, then y, and x is the fastest.

    For each of some sizes, evenly spaced in the logarithm, a square grid whose points are at most
    `spacing` sigmas apart. (.03, 1.0) are 2680, (.03, 1.4) 1414, (.04, 1.2) 1142, (.04, 1.4) 875.
    """
    rows = []
    for sigma in np.geomspace(smallest, largest, sizes):
        points = int(np.ceil(round(extent / (sigma * spacing), 9)))
        places = np.linspace(-extent / 2, extent / 2, points) if points > 1 else np.zeros(1)
        rows += [(x, y, sigma) for y, x in product(places, places)]
    return np.array(rows)


def field_weights(fields: np.ndarray, height: int, width: int) -> np.ndarray:
    """Weights of a map's places: (v, 3) -> (v, h, w) float32.

    The Gaussian's density at a pixel's middle, times the pixel's area; where a pixel is wider than
    sigma, the Gaussian's exact mass in it. What is below float32's normal range would slow every
    product down twentyfold and is 0.
    """
    x, y, sigma = fields.T
    across, down = _axis_mass(x, sigma, width), _axis_mass(-y, sigma, height)
    weights = down[:, :, None] * across[:, None, :]
    return np.where(weights > NEGLIGIBLE, weights, 0).astype(np.float32)


def _axis_mass(center: np.ndarray, sigma: np.ndarray, size: int) -> np.ndarray:
    """What each of `size` pixels between -.5 and .5 has of Gaussians along one axis: -> (v, n)."""
    middle, half = _middles(size) / 2, 0.5 / size
    away, sigma = middle - center[:, None], sigma[:, None]
    density = np.exp(-((away / sigma) ** 2) / 2) / (np.sqrt(2 * np.pi) * sigma * size)
    root = np.sqrt(2) * sigma
    mass = (erf((away + half) / root) - erf((away - half) / root)) / 2
    return np.where(sigma >= 1 / size, density, mass)
