"""How good the predictions are, and how good they could be."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.figures.panels.intervals import intervals_by_model
from src.figures.style import FAINT, INK, model_color, point_size

LABELS = {
    "single": "single-trial correlation",
    "avg": "correlation to average",
    "ev": "explained variance (EV)",
    "fev": "explainable variance (FEV)",
    "feve": "FEVE",
    "oracle_jk": "oracle, jackknife",
    "oracle_cons": "oracle, conservative",
    "cc_max": "ceiling CC_max",
    "cc_norm": "correlation / ceiling",
}


def score_distributions(axis: Axes, units: pd.DataFrame, metric: str = "avg") -> None:
    """Cumulative share of units by score, a line a model with its median: columns model, kept, ...

    FEVE and cc_norm over kept units, as in the summary.
    """
    shown = units[units["kept"]] if metric in ("feve", "cc_norm") else units
    shown = shown.dropna(subset=metric)
    for model, table in shown.groupby("model", sort=False):
        color, median = model_color(model), table[metric].median()
        axis.ecdf(table[metric], color=color, label=f"{model}  {median:.3f}")
        axis.plot(median, 0.5, "o", color=color, markeredgecolor="white", markersize=6)
    low, high = shown[metric].quantile([0.002, 1])
    axis.set(xlim=(np.clip(low, -1, 0), min(high, 1) + 0.02), xlabel=LABELS[metric])
    axis.set(ylim=(0, 1.01), yticks=[0, 0.25, 0.5, 0.75, 1], ylabel="share of units below")
    axis.grid(axis="y")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, columnspacing=1.2)


def score_intervals(axis: Axes, table: pd.DataFrame) -> None:
    """Scores with their intervals, by metric and model: columns model, metric, score, low, high."""
    intervals_by_model(axis, table, "metric", "score", LABELS)
    axis.set_xlabel("score, with its interval over images")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, columnspacing=1.2)


def score_against_ceiling(
    axis: Axes, units: pd.DataFrame, score: str = "avg", ceiling: str = "cc_max"
) -> None:
    """Score of each unit against the best its noise allows: columns `score`, `ceiling`."""
    known = units.dropna(subset=[score, ceiling])
    models = units["model"].unique() if "model" in units else []
    color = model_color(models[0]) if len(models) == 1 else INK
    low = known[score].min() - 0.03 if len(known) else 0
    note = f"{len(known):,} units" if len(known) else "no repeats, no ceiling"
    axis.plot([0, 1], [0, 1], color=FAINT, linewidth=1, zorder=0)
    axis.scatter(known[ceiling], known[score], s=point_size(len(known)), color=color, alpha=0.55)
    axis.set(
        xlabel=LABELS[ceiling], ylabel=LABELS[score], xlim=(-0.02, 1.02), ylim=(min(low, 0), 1.02)
    )
    axis.text(0.04, 0.96, note, transform=axis.transAxes, va="top")


def predicted_against_measured(
    axis: Axes, predicted: np.ndarray, measured: np.ndarray, score: float
) -> None:
    """Mean responses of one unit to each image, predicted and measured: (i,), (i,), and their r."""
    both = np.concatenate([predicted, measured])
    low, high = min(0, 1.05 * both.min()), 1.05 * both.max()
    axis.plot([low, high], [low, high], color=FAINT, linewidth=1, zorder=0)
    axis.scatter(predicted, measured, s=point_size(len(predicted)), color=INK, alpha=0.6)
    axis.set(xlabel="predicted response (s.d.)", ylabel="measured response (s.d.)")
    axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axis.text(0.04, 0.96, f"r = {score:.3f}", transform=axis.transAxes, va="top")
