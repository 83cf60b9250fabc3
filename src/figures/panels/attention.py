"""Where a vision transformer attends, and whether its maps tell more than their controls."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.figures.style import FAINT, INK


def attention_map(axis: Axes, values: np.ndarray) -> None:
    """A roll-out from its least (dark) to its largest value (bright): (h, w) in 0..1."""
    axis.imshow(values, vmin=0, vmax=1, cmap="magma")
    _frame(axis)


def attention_change(axis: Axes, change: np.ndarray, label: str = "share of attention") -> None:
    """More attention in red, less in blue: (h', w') differences of shares, drawn in percent."""
    limit = 100 * max(np.abs(change).max(), 1e-9)
    image = axis.imshow(100 * change, vmin=-limit, vmax=limit, cmap="RdBu_r")
    _frame(axis)
    axis.figure.colorbar(image, ax=axis, label=f"{label} (%)", fraction=0.046, pad=0.03)


def control_intervals(axis: Axes, table: pd.DataFrame, label: str) -> None:
    """Means with intervals, two kinds a network: columns network, kind, mean, low, high."""
    networks, kinds = table["network"].unique(), table["kind"].unique()
    for kind, color, offset in zip(kinds, (INK, FAINT), (-0.12, 0.12), strict=True):
        rows = table[table["kind"] == kind].set_index("network").loc[networks]
        y = np.arange(len(networks)) + offset
        axis.hlines(y, rows["low"], rows["high"], color=color, linewidth=1.6)
        axis.plot(rows["mean"], y, "o", color=color, markersize=6, label=kind)
    axis.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    axis.set_yticks(range(len(networks)), networks)
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel=label, ylim=(len(networks) - 0.5, -0.5))
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def _frame(axis: Axes) -> None:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(visible=True, color=FAINT)
