"""Gaussian windows on a feature map: the places and sizes among which a unit's field is sought.

A unit sees a small part of an image. If its field is taken to be one of some hundred Gaussians, the
best is found by trying each, and what remains to be fitted is linear: a feature-weighted receptive
field (St-Yves & Naselaris 2018). Positions are in -1..1 of the map, x to the right and y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from src.data.gaussian_fields import middles


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
        down, right = (middles(size) for size in (height, width))
        distance = (right[None, None, :] - x) ** 2 + (down[None, :, None] - y) ** 2
        window = np.exp(-distance / (2 * sigma**2))
        return (window / window.sum(axis=(1, 2), keepdims=True)).astype(np.float32)
