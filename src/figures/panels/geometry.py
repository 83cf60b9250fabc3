"""How alike units answer and images look, measured beside predicted, and one unit's profile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from src.evaluation.similarity import rank_normalized
from src.figures.style import INK

SHADES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#666666", "#332288")


def group_spans(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where runs of equal names start and end: (n,) sorted by group -> (g,), (g,)."""
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    return starts, np.r_[starts[1:], len(groups)]


def rank_map(axis: Axes, distance: np.ndarray, groups: np.ndarray | None = None) -> None:
    """Dissimilarities of images as ranks, dark is alike: (n, n), groups (n,) sorted.

    By rank, every map uses the whole scale of gray.
    """
    axis.imshow(rank_normalized(distance), cmap="Greys_r", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    if groups is not None:
        starts, ends = group_spans(groups)
        axis.set_yticks((starts + ends - 1) / 2, groups[starts])
        axis.tick_params(axis="y", length=0)
        for start in starts[1:]:
            axis.axhline(start - 0.5, color="white", linewidth=0.6)
            axis.axvline(start - 0.5, color="white", linewidth=0.6)


def value_map(
    axis: Axes,
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    limits: tuple[float, float] = (0, 1),
    numbers: bool = True,
) -> AxesImage:
    """A table as shades of gray, dark is much, with its numbers: (r, c), names of both or none.

    What is not known stays white and empty.
    """
    low, high = limits
    image = axis.imshow(values, cmap="Greys", vmin=low, vmax=high, aspect="auto")
    axis.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axis.set_yticks(range(len(rows)), rows)
    axis.tick_params(length=0)
    for (i, j), value in np.ndenumerate(values):
        if numbers and np.isfinite(value):
            color = "white" if value > (low + high) / 2 else INK
            axis.text(j, i, f"{value:.2f}", ha="center", va="center", color=color, fontsize=7)
    return image


def correlation_map(axis: Axes, values: np.ndarray, blocks: Sequence[str]) -> AxesImage:
    """Correlations of k u columns, in k named blocks of u: (k u, k u), colors from -1 to 1."""
    image = axis.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1)
    size = len(values) // len(blocks)
    middles = np.arange(len(blocks)) * size + (size - 1) / 2
    for edge in np.arange(1, len(blocks)) * size - 0.5:
        axis.axhline(edge, color=INK, linewidth=0.8)
        axis.axvline(edge, color=INK, linewidth=0.8)
    axis.set_xticks(middles, blocks)
    axis.set_yticks(middles, blocks, rotation=90, va="center")
    axis.tick_params(length=0)
    return image


def rate_profile(
    axis: Axes, measured: np.ndarray, predicted: np.ndarray, groups: np.ndarray
) -> None:
    """Rates of one unit to images, on a background of groups: (n,), (n,), (n,) sorted by group."""
    starts, ends = group_spans(groups)
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        shade = SHADES[k % len(SHADES)]
        axis.axvspan(start - 0.5, end - 0.5, color=shade, alpha=0.16, linewidth=0)
    axis.plot(measured, color=INK, linewidth=0.9, label="measured")
    axis.plot(predicted, color="#d55e00", linewidth=1.2, label="predicted")
    axis.set_xticks((starts + ends - 1) / 2, groups[starts], rotation=30, ha="right")
    axis.tick_params(axis="x", length=0)
    axis.set(ylabel="rate (s.d.)", xlim=(-0.5, len(measured) - 0.5))
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
