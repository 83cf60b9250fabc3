"""Volumes of the brain, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def value_slices(
    axes: Sequence[Axes],
    values: np.ndarray,
    mask: np.ndarray,
    places: Sequence[int],
    scale: tuple[str, float, float],
    label: str,
) -> None:
    """Slices of a volume along z, a panel each, where a mask is: (x, y, z), (x, y, z) bool.

    They show what surrounds the mask. `scale`: colors, lowest and highest value of the bar beside.
    """
    ends = [np.flatnonzero(mask.any(other))[[0, -1]] for other in ((1, 2), (0, 2))]
    box = tuple(slice(max(low - 1, 0), high + 2) for low, high in ends)
    colors, low, high = scale
    for axis, at in zip(axes, places, strict=True):
        cut = np.where(mask, values, np.nan)[*box, at].T
        image = axis.imshow(cut, colors, vmin=low, vmax=high, origin="lower")
        axis.set(xticks=[], yticks=[], facecolor="#f0f0f0")
        axis.spines[:].set(visible=True, color=FAINT)
    axes[0].figure.colorbar(image, ax=axes, label=label, aspect=8, pad=0.02)


def slices_through(mask: np.ndarray, count: int) -> np.ndarray:
    """Places along z, evenly from end to end of a mask: (x, y, z) -> (count,)."""
    there = np.flatnonzero(mask.any((0, 1)))
    return np.round(np.linspace(there[0], there[-1], count)).astype(int)
