"""Scores or differences as rows with their intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.figures.style import FAINT, INK, model_color

WARNING = "#8b1e2d"


def interval_rows(axis: Axes, table: pd.DataFrame, xlabel: str, zero: bool = False) -> None:
    """A row a line: columns label, score, low, high; by option seed_1, seed_2 ..., note, status.

    Seeds are small dots and notes stand beside. Rows whose status is CONTAMINATED are drawn hollow,
    in red, and say so. `zero` draws a rule at 0.
    """
    y = np.arange(len(table))
    if zero:
        axis.axvline(0, color=FAINT, linewidth=1, zorder=0)
    for seed in (column for column in table if column.startswith("seed_")):
        axis.plot(table[seed], y + 0.22, "o", color=FAINT, markersize=3.5)
    status = table["status"] if "status" in table else [""] * len(table)
    for row, (line, word) in enumerate(zip(table.itertuples(), status, strict=True)):
        color, face = (WARNING, "white") if word == "CONTAMINATED" else (INK, INK)
        axis.hlines(row, line.low, line.high, color=color, linewidth=1.4)
        axis.plot(line.score, row, "o", color=color, markerfacecolor=face, markersize=5.5)
        if word == "CONTAMINATED":
            note = {"textcoords": "offset points", "ha": "center", "fontsize": 8, "color": color}
            axis.annotate(word.lower(), (line.score, row), xytext=(0, 6), **note)
    for row, note in enumerate(table.get("note", ())):
        axis.text(1.02, row, note, transform=axis.get_yaxis_transform(), va="center", fontsize=8)
    axis.set_yticks(y, table["label"])
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel=xlabel, ylim=(len(table) - 0.5, -0.7))
    axis.locator_params(axis="x", nbins=5)
    axis.grid(axis="x")


def intervals_by_model(
    axis: Axes, table: pd.DataFrame, by: str, value: str, labels: Mapping[str, str] | None = None
) -> list[tuple[np.ndarray, pd.DataFrame]]:
    """A line for each entry of column `by`, on it the models' dots: columns model, low, high, ...

    Returns the heights (r,) and the rows (r, columns) of each model, in order of the lines.
    """
    lines, models = table[by].unique(), table["model"].unique()
    offsets = np.linspace(-0.3, 0.3, len(models)) if len(models) > 1 else np.zeros(1)
    drawn = []
    for model, offset in zip(models, offsets, strict=True):
        rows = table[table["model"] == model].set_index(by).reindex(lines)
        y, color = np.arange(len(lines)) + offset, model_color(model)
        axis.hlines(y, rows["low"], rows["high"], color=color, linewidth=1.4)
        axis.plot(rows[value], y, "o", color=color, markersize=5, label=model)
        drawn.append((y, rows))
    axis.set_yticks(range(len(lines)), [labels[x] if labels else x for x in lines])
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.grid(axis="x")
    return drawn


def published_marks(axis: Axes, table: pd.DataFrame) -> None:
    """Open diamonds beside the rows of `interval_rows`: columns published, difference, or nan.

    In color where both are of the same data, so that there is a difference; gray elsewhere.
    """
    for row, line in enumerate(table.itertuples()):
        color = FAINT if np.isnan(line.difference) else WARNING
        axis.plot(line.published, row, "D", color=color, markerfacecolor="white", markersize=4.5)
