"""How training went."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.figures.style import FAINT, INK, model_color


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


def epoch_violins(axis: Axes, scores: np.ndarray) -> None:
    """How scores spread over units after each epoch, as violins with their medians: (e, u)."""
    values = list(scores.astype(float))
    at = range(1, len(values) + 1)
    drawn = axis.violinplot(values, at, showextrema=False, showmedians=True, widths=0.9)
    for shape in drawn["bodies"]:
        shape.set(facecolor=FAINT, alpha=0.6, zorder=0)
    drawn["cmedians"].set(color=INK, linewidth=1.4)


def loss_curves(axis: Axes, steps: pd.DataFrame, history: pd.DataFrame) -> None:
    """Loss of every training step, faint, and on validation images after every epoch.

    steps: columns epoch, step (from 1 in each), loss; history: epoch, validation_loss. The first
    steps may lie above the axis.
    """
    last = steps.groupby("epoch")["step"].transform("max")
    at = steps["epoch"] - 1 + steps["step"] / last
    axis.plot(at, steps["loss"], color=FAINT, linewidth=0.8, label="training, each step")
    measured = history["epoch"], history["validation_loss"]
    axis.plot(*measured, color=model_color(""), marker="o", markersize=3, label="inner images")
    top = max(steps["loss"].quantile(0.97), history["validation_loss"].max())
    axis.set(xlabel="epoch", ylabel="loss", ylim=(0, 1.1 * top))
    axis.legend()


def learning_rates(axis: Axes, history: pd.DataFrame) -> None:
    """The learning rate of every epoch, on a logarithmic axis: columns epoch, learning_rate."""
    axis.step(history["epoch"], history["learning_rate"], where="mid", color=model_color(""))
    axis.set(xlabel="epoch", ylabel="learning rate", yscale="log")
    axis.xaxis.get_major_locator().set_params(integer=True)
