"""One model against another: differences with their intervals, and scores by price."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from src.figures.panels.scores import LABELS
from src.figures.style import FAINT, INK, model_color

METRIC_MARKERS = {"single": "o", "avg": "s", "feve": "D"}


def score_differences(axis: Axes, table: pd.DataFrame) -> None:
    """Differences with intervals: columns model, other, metric, difference, low, high."""
    pairs = list(dict.fromkeys(zip(table["model"], table["other"], strict=True)))
    metrics = list(table["metric"].unique())
    axis.axvline(0, color=FAINT, linewidth=1, zorder=0)
    for metric, rows in table.groupby("metric", sort=False):
        shift = 0.22 * (metrics.index(metric) - (len(metrics) - 1) / 2)
        y = [pairs.index(pair) + shift for pair in zip(rows["model"], rows["other"], strict=True)]
        shade = (INK, "#6b6b6b", "#a8a8a8")[metrics.index(metric)]
        axis.hlines(y, rows["low"], rows["high"], color=shade, linewidth=1.4)
        marker = METRIC_MARKERS[metric]
        axis.plot(rows["difference"], y, marker, color=shade, markersize=5, label=LABELS[metric])
    axis.set_yticks(range(len(pairs)), [f"{a} − {b}" for a, b in pairs])
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel="difference, with its interval", ylim=(len(pairs) - 0.5, -0.5))
    axis.grid(axis="x")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1))


def score_by_price(
    axis: Axes, scores: pd.DataFrame, price: pd.DataFrame, metric: str = "avg"
) -> None:
    """Scores with intervals over what training cost: columns model, score, low, high; price.

    price: columns model, member, own, teachers; "cnn 2" is member 2 of cnn, "cnn x 3" all its
    members, which share their teachers. Other rows are left out.
    """
    alone = {f"{row.model} {row.member}": row.own + row.teachers for row in price.itertuples()}
    by_model = price.groupby("model")
    members = by_model.size()
    together = by_model["own"].sum() + by_model["teachers"].first()
    for row in scores.itertuples():
        name, _, count = row.model.rpartition(" ")
        if not name:
            continue
        ensemble = name.endswith(" x")
        name = name.removesuffix(" x")
        x = together[name] if ensemble else alone[row.model]
        color, marker = model_color(name), "s" if ensemble else "o"
        one = f"{name}, one" if members[name] > 1 else name
        label = f"{name} x {count}" if ensemble else one if count == "1" else None
        axis.vlines(x, row.low, row.high, color=color, linewidth=1.2)
        axis.plot(x, row.score, marker, color=color, markersize=7 if ensemble else 4.5, label=label)
    axis.set(xscale="log", xlabel="training cost (10¹² multiply-adds)", ylabel=LABELS[metric])
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(axis="y")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, columnspacing=1.2)
