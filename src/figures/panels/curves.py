"""Scores against what was spent on them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from src.figures.panels.scores import LABELS
from src.figures.style import INK, model_color

OTHERS = (INK, "#b08d1e", "#777777")


def members_curve(axis: Axes, table: pd.DataFrame, metric: str = "single") -> None:
    """Score against the number of members: columns model, members, score, low, high, worst, best.

    Bars are intervals, the shaded range is that of the subsets of a size.
    """
    for color, model, rows in _models(table):
        axis.fill_between(rows["members"], rows["worst"], rows["best"], color=color, alpha=0.18)
        _curve(axis, rows["members"], rows, color, model)
    axis.set(xlabel="members of the ensemble", ylabel=LABELS[metric])
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def size_curve(axis: Axes, table: pd.DataFrame, metric: str = "single") -> None:
    """Score against the number of training images: columns model, images, score[, low, high]."""
    for color, model, rows in _models(table):
        _curve(axis, rows["images"], rows, color, model)
    sizes = np.sort(table["images"].unique())
    axis.set(xlabel="training images a session", ylabel=LABELS[metric], xscale="log")
    axis.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axis.minorticks_off()
    axis.grid(axis="y")
    axis.legend(loc="upper left")


def scaling_curve(axis: Axes, table: pd.DataFrame, color: str, label: str) -> None:
    """Score against training trials, a dot a part, a line through their means.

    Columns images, trials, r, low, high; parts of as many images are of one size.
    """
    axis.vlines(table["trials"], table["low"], table["high"], color=color, linewidth=0.8, alpha=0.4)
    axis.plot(table["trials"], table["r"], "o", color=color, markersize=3.5)
    middle = table.groupby("images")[["trials", "r"]].mean()
    axis.plot(middle["trials"], middle["r"], color=color, label=label)
    axis.set(xscale="log", xlabel="training trials")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.minorticks_off()


def _models(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Color, name and rows of each model; models without a color of their own get one here."""
    others = iter(OTHERS)
    for model, rows in table.groupby("model", sort=False):
        color = model_color(model)
        yield next(others, INK) if color == INK else color, model, rows


def _curve(axis: Axes, x: pd.Series, rows: pd.DataFrame, color: str, label: str) -> None:
    if "low" in rows:
        axis.vlines(x, rows["low"], rows["high"], color=color, linewidth=1.4)
    axis.plot(x, rows["score"], "o-", color=color, markersize=5, label=label)
