"""What a recording looks like before any model: sessions, responses, behavior, stimuli, somata."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from src.figures.style import FAINT, INK, ROLE_COLORS, point_size

TIER_COLORS = {
    "train": "#c9d6df",
    "validation": "#8fa9bb",
    "test": "#e9c46a",
    "final_test": "#d98b4a",
}
TRACES = ("pupil size", "its derivative", "running", "pupil x", "pupil y")
TRACE_COLORS = ("#33658a", "#6fa3c7", "#d55e00", "#777777", "#a6a6a6")
BARS = 100  # units of which single bars can be told apart


def units_per_session(axis: Axes, table: pd.DataFrame) -> None:
    """Bars of the number of units, colored by role: columns session, role, units."""
    colors = [ROLE_COLORS[role] for role in table["role"]]
    bars = axis.barh(table["session"], table["units"], height=0.7, color=colors)
    axis.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    axis.margins(x=0.14)
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel("units")
    groups = {"pretraining": "pre-training", "sensorium": "competition", "recording": "recording"}
    shown = {role.removesuffix("+") for role in table["role"]}
    if len(shown) > 1:
        handles = [Patch(color=ROLE_COLORS[r], label=g) for r, g in groups.items() if r in shown]
        axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)


def images_per_session(axis: Axes, table: pd.DataFrame) -> None:
    """Stacked bars of trials, the test part boxed: columns session, train, validation, test, ..."""
    start = np.zeros(len(table))
    for tier, color in TIER_COLORS.items():
        if tier in table and table[tier].any():
            box = {"edgecolor": INK, "linewidth": 1.1} if "test" in tier else {}
            label = tier.replace("_", " ")
            axis.barh(table["session"], table[tier], 0.7, start, color=color, label=label, **box)
            start += table[tier]
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel("trials")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, columnspacing=1.2)


def response_raster(axis: Axes, responses: np.ndarray) -> None:
    """Responses of a population, trials along x, from 0 to 5: (n, u) standard deviations."""
    image = axis.imshow(responses.T, aspect="auto", vmin=0, vmax=5, cmap="Greys")
    axis.set(xlabel="trial", ylabel="unit")
    axis.label_outer()
    axis.figure.colorbar(
        image, ax=axis, label="response (s.d.)", extend="max", pad=0.01, fraction=0.04, aspect=25
    )


def behavior_traces(
    axis: Axes, behavior: np.ndarray, pupil: np.ndarray, names: tuple[str, ...] = TRACES
) -> None:
    """What the animal did, each trace from its 1st to its 99th percentile: (n, 3), (n, 2).

    `names` are those of the columns, of which some may be missing.
    """
    colors = [TRACE_COLORS[TRACES.index(name)] for name in names]
    traces = np.column_stack([behavior, pupil])
    low, high = np.percentile(traces, [1, 99], axis=0)
    scaled = (traces - low) / np.where(high > low, high - low, 1)
    rows = -np.arange(len(names))
    for row, trace, color in zip(rows, scaled.T, colors, strict=True):
        axis.plot(row - 0.4 + 0.8 * trace, color=color, linewidth=0.9)
    axis.set_yticks(rows, names)
    for label, color in zip(axis.get_yticklabels(), colors, strict=True):
        label.set_color(color)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.set(xlabel="trial", xlim=(-0.5, len(traces) - 0.5))


def stimulus(axis: Axes, image: np.ndarray) -> None:
    """An image as the model receives it, from its darkest to its brightest value: (c, h, w)."""
    shown = image if len(image) == 3 else image[:1]
    low, high = shown.min(), shown.max()
    axis.imshow(np.moveaxis((shown - low) / max(high - low, 1e-9), 0, -1), cmap="gray")
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(visible=True, color=FAINT)


def response_bars(axis: Axes, responses: np.ndarray) -> None:
    """Responses of the units to one image, at most the first 100, from 0 to 5: (u,)."""
    shown = responses[:BARS]
    axis.bar(np.arange(len(shown)), shown, width=1, color=INK)
    label = f"first {BARS} units" if len(responses) > BARS else f"{len(shown)} units"
    axis.set(xlabel=label, xticks=[], xlim=(-1, len(shown)))
    axis.set(ylabel="response (s.d.)", ylim=(0, 5))
    axis.label_outer()


def soma_cloud(
    axis: Axes, coordinates: np.ndarray, values: np.ndarray, label: str = "mean response (s.d.)"
) -> None:
    """Cell bodies seen from above, colored by a value: (u, 3) micrometers, (u,)."""
    order = np.argsort(values)  # the strongest on top
    high = np.percentile(values, 99)
    points = axis.scatter(
        *coordinates[order, :2].T,
        c=np.asarray(values)[order],
        s=point_size(len(order)),
        cmap="cividis_r",
        vmin=min(0, np.min(values)),
        vmax=high,
    )
    axis.set(xlabel="x (µm)", ylabel="y (µm)")
    axis.set_aspect("equal", adjustable="datalim")
    axis.figure.colorbar(points, ax=axis, label=label, extend="max", fraction=0.05, aspect=25)
