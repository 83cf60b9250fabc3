"""Volumes of the brain, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from src.figures.style import FAINT

COLORS = ("#d9d9d9", "#56b4e9", "#0072b2", "#d55e00")  # of masks, each drawn over those before it


def volume_slice(axis: Axes, masks: Mapping[str, np.ndarray], along: int, at: int) -> None:
    """One slice of some masks of a volume, later ones on top: (x, y, z) bool by name.

    `along` is the axis that is cut through; of the others the first runs to the right.
    """
    for mask, color in zip(masks.values(), COLORS, strict=False):
        cut = np.take(mask, at, axis=along).T
        shown = np.zeros((*cut.shape, 4))
        shown[cut] = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] + [1]
        axis.imshow(shown, origin="lower", interpolation="nearest")
    axis.set(xticks=[], yticks=[], title=f"{'xyz'[along]} = {at}")
    axis.spines[:].set(visible=True, color=FAINT)


def slices_through(mask: np.ndarray, count: int) -> np.ndarray:
    """Places along z, evenly from end to end of a mask: (x, y, z) -> (count,)."""
    there = np.flatnonzero(mask.any((0, 1)))
    return np.round(np.linspace(there[0], there[-1], count)).astype(int)
