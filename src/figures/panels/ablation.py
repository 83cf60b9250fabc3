"""What one input is worth, and what it looks like."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from src.figures.style import FAINT, INK


def object_box(axis: Axes, box: np.ndarray, color: str, dashed: bool = False) -> None:
    """A box x, y, w, h in 0..1 on the image an axis shows: (4,)."""
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    x, y, w, h = box
    corner = left + (x - w / 2) * (right - left), top + (y - h / 2) * (bottom - top)
    size = w * (right - left), h * (bottom - top)
    style = {"color": color, "linestyle": "--" if dashed else "-", "linewidth": 1.8}
    axis.add_patch(Rectangle(corner, *size, fill=False, clip_on=False, **style))


def interval_rows(axis: Axes, table: pd.DataFrame, xlabel: str, zero: bool = False) -> None:
    """A row a line: columns label, value, low, high; small dots for columns seed_1, seed_2 ...

    A column note is written beside; `zero` draws a rule at 0.
    """
    y = np.arange(len(table))
    if zero:
        axis.axvline(0, color=FAINT, linewidth=1, zorder=0)
    for seed in (column for column in table if column.startswith("seed_")):
        axis.plot(table[seed], y + 0.22, "o", color=FAINT, markersize=3.5)
    axis.hlines(y, table["low"], table["high"], color=INK, linewidth=1.4)
    axis.plot(table["value"], y, "o", color=INK, markersize=5)
    for row, note in enumerate(table.get("note", ())):
        axis.text(1.02, row, note, transform=axis.get_yaxis_transform(), va="center", fontsize=8)
    axis.set_yticks(y, table["label"])
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel=xlabel, ylim=(len(table) - 0.4, -0.6))
    axis.grid(axis="x")
