"""Gaussian fields on an image, and the weights of the places of a map of any size.

Places are in widths of the image: x in -.5..5 to the right, y upwards. Weights are not scaled to
sum to 1, so that borders cut them. Source: specification nsd_gnet, 5.4.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import erf

NEGLIGIBLE = 1e-30  # weight of a place


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
    middle, half = middles(size) / 2, 0.5 / size
    away, sigma = middle - center[:, None], sigma[:, None]
    density = np.exp(-((away / sigma) ** 2) / 2) / (np.sqrt(2 * np.pi) * sigma * size)
    root = np.sqrt(2) * sigma
    mass = (erf((away + half) / root) - erf((away - half) / root)) / 2
    return np.where(sigma >= 1 / size, density, mass)


def middles(size: int) -> np.ndarray:
    """Middles of the map's cells, the whole map being -1..1: -> (size,)."""
    return (2 * np.arange(size) + 1) / size - 1
