"""Points that are told apart by numbers, where names would lie on each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.figures.style import INK

CORNERS = ((3, 3), (3, -9), (-10, 3), (-10, -9), (3, 11), (-10, 11), (3, -17))  # points
REACH = (0.07, 0.055)  # width and height of a number, in shares of the axis


def numbered_points(axis: Axes, table: pd.DataFrame, x: str, y: str, marked: str = "") -> None:
    """A number a row, those of `key_of`: columns x and y; the row named `marked` stands out.

    A number stands at the first corner of its point where it covers no other number or point.
    """
    known = table[[x, y]].notna().all(axis=1).to_numpy()
    values = table[[x, y]].to_numpy(float)
    low, span = values[known].min(axis=0), np.ptp(values[known], axis=0)
    places = (values - low) / np.where(span > 0, span, 1)
    taken = {i: places[i] for i in np.flatnonzero(known)}  # points, and then numbers
    for i in np.flatnonzero(known):
        bold = table.index[i] == marked
        color = "#d55e00" if bold else INK
        axis.plot(*values[i], "o", color=color, markersize=3.5)
        offset, middle = _free(places[i], [p for k, p in taken.items() if k != i])
        taken[len(table) + i] = middle
        how = {"xytext": offset, "textcoords": "offset points", "fontsize": 7.5}
        axis.annotate(str(i + 1), values[i], color=color, **how)
    axis.margins(0.12)


def _free(place: np.ndarray, taken: list[np.ndarray]) -> tuple[tuple[int, int], np.ndarray]:
    """The first corner with nothing near, and the middle of a number there; else the first one."""
    size = np.array([150, 160])  # of a panel, in points
    middles = [place + (np.array(corner) + 3) / size for corner in CORNERS]
    near = [any((np.abs(m - other) < REACH).all() for other in taken) for m in middles]
    best = near.index(False) if False in near else 0
    return CORNERS[best], middles[best]


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
