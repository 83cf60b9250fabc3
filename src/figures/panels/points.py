"""Points that are told apart by numbers, where names would lie on each other."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from src.figures.style import INK


def numbered_points(axis: Axes, table: pd.DataFrame, x: str, y: str, marked: str = "") -> None:
    """A number a row, those of `key_of`: columns x and y; the row named `marked` stands out."""
    for number, row in enumerate(table.itertuples(), 1):
        place = getattr(row, x), getattr(row, y)
        if not any(map(pd.isna, place)):
            bold = row.Index == marked
            color = "#d55e00" if bold else INK
            axis.plot(*place, "o", color=color, markersize=3.5)
            how = {"xytext": (3, 3), "textcoords": "offset points", "fontsize": 7.5}
            axis.annotate(str(number), place, color=color, **how)
    axis.margins(0.12)


def key_of(axis: Axes, table: pd.DataFrame) -> None:
    """The names behind the numbers, on an axis of its own."""
    lines = [f"{number}  {name}" for number, name in enumerate(table.index, 1)]
    axis.text(0, 1, "\n".join(lines), va="top", fontsize=8, transform=axis.transAxes)
    axis.set_axis_off()


def ceiling_band(axis: Axes, low: float, high: float) -> None:
    """Between which heights the best score lies that there can be, on an axis up to 1."""
    axis.axhspan(low, high, color="#8b1e2d", alpha=0.2, linewidth=0)
    how = {"color": "#8b1e2d", "va": "bottom", "fontsize": 8}
    axis.text(0.02, high, "ceiling", transform=axis.get_yaxis_transform(), **how)
    axis.set_ylim(min(axis.get_ylim()[0], 0), 1.05)
