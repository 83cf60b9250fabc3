"""Scores in the smallest and the largest third of what an animal did."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.analyses.behavior import REPEATS
from src.figures.style import FAINT, INK, model_color, point_size

SCORE = "single-trial correlation"


def _color(model: str) -> str:
    """What is no model has no model's color."""
    return "#8c6d31" if model == REPEATS else model_color(model)


def third_scores(axis: Axes, table: pd.DataFrame, state: str) -> None:
    """Scores with intervals in both thirds, a line a model: columns model, third, score, ..."""
    models, thirds = table["model"].unique(), table["third"].unique()
    for k, model in enumerate(models):
        rows = table[table["model"] == model].set_index("third").loc[thirds]
        x, color = np.arange(len(thirds)) + 0.03 * (k - len(models) / 2), _color(model)
        axis.vlines(x, rows["low"], rows["high"], color=color, linewidth=1.2)
        axis.plot(x, rows["score"], "o-", color=color, markersize=5, label=model)
    axis.set_xticks(range(len(thirds)), [f"{third} third" for third in thirds])
    axis.set(xlabel=state, ylabel=SCORE, xlim=(-0.4, len(thirds) - 0.6))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def third_differences(axis: Axes, table: pd.DataFrame, state: str) -> None:
    """Largest minus smallest third, by model: columns model, difference, low, high, null."""
    y = np.arange(len(table))
    axis.axvline(0, color=FAINT, linewidth=1)
    colors = [_color(model) for model in table["model"]]
    axis.hlines(y, table["low"], table["high"], color=colors, linewidth=1.6)
    axis.scatter(table["difference"], y, color=colors, s=30, zorder=3)
    axis.plot(table["null"], y, "|", color=INK, markersize=8, label="state shuffled")
    axis.set_yticks(y, table["model"])
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel=f"largest − smallest third\n({state})", ylim=(len(table) - 0.5, -0.5))
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1))


def paired_units(axis: Axes, units: np.ndarray, model: str) -> None:
    """Score of every unit in the largest against the smallest third: (2, u)."""
    low, high = np.nanmin(units) - 0.03, np.nanmax(units) + 0.03
    axis.plot([low, high], [low, high], color=FAINT, linewidth=1, zorder=0)
    axis.scatter(*units, s=point_size(units.shape[1]), color=_color(model), alpha=0.6)
    axis.set(xlabel="smallest third", ylabel="largest third", title=model)
    axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axis.locator_params(nbins=6)
