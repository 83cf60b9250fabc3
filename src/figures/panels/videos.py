"""What models of films do: traces, output steps of a clip, subsets of levels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.figures.panels.scores import LABELS
from src.figures.style import FAINT, INK, model_color

FUSIONS = {"mean": "#0072b2", "gated": "#d55e00"}


def traces(axis: Axes, seconds: np.ndarray, measured: np.ndarray, predicted: np.ndarray) -> None:
    """A unit's responses in one trial, measured and predicted: (t,) each."""
    axis.plot(seconds, measured, color=FAINT, lw=0.9, label="measured")
    axis.plot(seconds, predicted, color=INK, lw=1.3, label="predicted")
    axis.set(xlabel="time in the film (s)", ylabel="response")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def step_curves(axis: Axes, table: pd.DataFrame) -> None:
    """Score of each output step of a clip: columns model, step, score, a line a model."""
    for i, (model, rows) in enumerate(table.groupby("model", sort=False)):
        known = model_color(model)
        color = known if known != INK else tuple(FUSIONS.values())[i % 2]
        last = rows["step"] - rows["step"].max()
        axis.plot(last, rows["score"], color=color, marker="o", ms=3, lw=1.1, label=model)
    axis.set(xlabel="output step, 0: the clip's last frame", ylabel=LABELS["single"])
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def level_rows(axis: Axes, table: pd.DataFrame) -> None:
    """Score of each subset of levels, a point a fusion.

    table: columns fusion, mode, score[, low, high].
    """
    modes = list(dict.fromkeys(table["mode"]))[::-1]
    place = {mode: row for row, mode in enumerate(modes)}
    for shift, (fusion, color) in zip((0.12, -0.12), FUSIONS.items(), strict=True):
        rows = table[table["fusion"] == fusion]
        y = rows["mode"].map(place).to_numpy(float) + shift
        if "low" in rows:
            axis.hlines(y, rows["low"], rows["high"], color=color, lw=1)
        axis.plot(rows["score"], y, "o", ms=4, color=color, label=fusion)
    axis.set_yticks(range(len(modes)), [mode.replace("_", " ") for mode in modes])
    axis.set(xlabel=LABELS["single"], ylabel="units a group", ylim=(-0.6, len(modes) - 0.4))
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def level_shares(axis: Axes, table: pd.DataFrame) -> None:
    """How much each level moves: columns model, session, level, contribution; a line a model."""
    means = table.groupby(["model", "level"], sort=False)["contribution"].mean().reset_index()
    for model, rows in means.groupby("model", sort=False):
        color = FUSIONS["gated" if model.startswith("gated") else "mean"]
        rows = rows.sort_values("level")
        axis.plot(rows["level"], rows["contribution"], color=color, marker="o", ms=4, lw=1)
    axis.set_xscale("log", base=2)
    levels = sorted(means["level"].unique())
    axis.set_xticks(levels, [str(level) for level in levels])
    axis.set(xlabel="units a group", ylabel="std over time of its share", ylim=(0, None))


def overlap_rows(axis: Axes, table: pd.DataFrame) -> None:
    """Score of each way to stitch: columns model, stride, overlap, score; a row a model."""
    models = list(dict.fromkeys(table["model"]))[::-1]
    place = {model: row for row, model in enumerate(models)}
    ways = list(table.groupby(["stride", "overlap"], sort=True))
    for i, ((stride, overlap), rows) in enumerate(ways):
        y = rows["model"].map(place) + 0.25 * (i / max(len(ways) - 1, 1) - 0.5)
        filled = FUSIONS["mean"] if overlap == "mean" else INK
        size = 3 + 4 / stride**0.5
        label = f"{overlap}, every {stride}"
        axis.plot(rows["score"], y, "o", ms=size, mfc="none", mec=filled, label=label)
    axis.set_yticks(range(len(models)), [m.replace("_", " ") for m in models])
    axis.set(xlabel=LABELS["single"], ylim=(-0.6, len(models) - 0.4))
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
