"""What a search for a recipe tried, and how it came to its best."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from src.figures.style import FAINT, INK

LOOKS = {
    "complete": {"marker": "o", "color": INK},
    "pruned": {"marker": "o", "facecolor": "none", "edgecolor": "#d55e00"},
    "diverged": {"marker": "x", "color": "#d55e00"},
}
DECADES = 100  # a field whose largest value is so many times its smallest is drawn by its logarithm


def trial_scores(axis: Axes, trials: pd.DataFrame, field: str) -> None:
    """Score of each trial against one value it tried; how it ended is its mark.

    trials: columns state, score and `field`. A trial without a score is drawn at 0.
    """
    for state, rows in trials.groupby("state", sort=True):
        axis.scatter(rows[field], rows["score"].fillna(0), s=28, label=state, **LOOKS[state])
    if trials[field].min() > 0 and trials[field].max() > DECADES * trials[field].min():
        axis.set_xscale("log")
    axis.set(xlabel=field.replace("_", " "), ylabel="validation correlation")
    axis.legend()


def best_so_far(axis: Axes, trials: pd.DataFrame) -> None:
    """Score of each trial by its number, and the best of the complete ones until then.

    trials: columns trial, score, best.
    """
    axis.plot(trials["trial"], trials["score"], "o", color=FAINT, label="trial")
    axis.step(trials["trial"], trials["best"], where="post", color=INK, label="best so far")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set(xlabel="trial", ylabel="validation correlation")
    axis.legend()
