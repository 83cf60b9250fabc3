"""Scores against what was spent on them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

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
