"""How training went."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.figures.style import FAINT, model_color


def learning_curve(axis: Axes, history: pd.DataFrame, model: str = "") -> None:
    """Validation score by epoch, the kept epoch marked, a rule where the learning rate falls.

    history: columns epoch, validation, learning_rate. Several models may share an axis. A rate that
    falls nearly every epoch, as along a cosine, gets no rules.
    """
    epoch, score = history["epoch"].to_numpy(), history["validation"].to_numpy()
    falls = np.diff(history["learning_rate"]) < 0
    for drop in epoch[1:][falls & (falls.sum() <= len(falls) / 2)]:
        axis.axvline(drop - 0.5, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    color, best = model_color(model), int(score.argmax())
    axis.plot(epoch, score, color=color, label=model or None)
    axis.plot(epoch[best], score[best], "o", color=color, markeredgecolor="white", markersize=7)
    axis.annotate(
        f"{score[best]:.3f}",
        (epoch[best], score[best]),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        color=color,
    )
    axis.margins(y=0.15)
    axis.set(xlabel="epoch", ylabel="validation correlation")
    axis.xaxis.get_major_locator().set_params(integer=True)
    if model:
        axis.legend(loc="lower right")
