"""One look for all figures: fonts, sizes, a color for each model, a note on simulated data."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("striate.mplstyle")

# Okabe & Ito (2008): told apart by readers with any kind of color vision.
MODEL_COLORS = {
    "ln": "#8a8a8a",
    "cnn": "#0072b2",
    "cnn_plus": "#56b4e9",
    "wide": "#d55e00",
    "wide_plus": "#cc79a7",
    "vit": "#e69f00",
    "compact": "#44aa99",
    "student": "#332288",
    "winner": "#882255",
    "ensemble": "#009e73",
    "compact ensemble": "#225522",
    "student ensemble": "#1f1454",
}
ELSEWHERE = {  # have the color of a model of 2022, beside which they are never drawn
    "linear": "ln",
    "factorized": "cnn",
    "gru": "cnn_plus",
    "mean_2_4_8_16": "wide",
    "gated_0": "vit",
    "causal": "wide_plus",
    "gnet8j": "cnn",
    "gnet8r": "wide",
}
ROLE_COLORS = {
    "pretraining": "#33658a",
    "sensorium": "#8b1e2d",
    "sensorium+": "#8b1e2d",
    "recording": "#4f6d5e",
}
INK, FAINT = "#222222", "#b8b8b8"  # text and data without a model; diagonals, outlines, rules


def use_style() -> None:
    """Draw all following figures in the style of the house."""
    plt.style.use(STYLE)


def model_color(model: str) -> str:
    """The color of a model in every figure; "wide x 10" is an ensemble of ten."""
    if " x " in model:
        own = f"{model.split(' x ')[0]} ensemble"
        return MODEL_COLORS.get(own, MODEL_COLORS["ensemble"])
    return MODEL_COLORS.get(ELSEWHERE.get(model, model), INK)


def point_size(points: int) -> float:
    """Area of a scattered point: a few can be seen, and thousands do not hide each other."""
    return min(max(5000 / max(points, 1), 3.0), 25.0)


def mark_simulated(figure: Figure, also: str = "") -> None:
    """Say in the figure, below its panels, that its data are simulated, and what else is not real.

    `also` is set in capitals: without it such a figure would be taken for a reproduction.
    """
    note = 0.2 / figure.get_figheight()
    if engine := figure.get_layout_engine():
        engine.set(rect=(0, note, 1, 1 - note))
    figure.text(
        *(1 - 0.08 / figure.get_figwidth(), 0.06 / figure.get_figheight()),
        f"{also.upper()}   simulated data" if also else "simulated data",
        ha="right",
        va="bottom",
        fontsize=8,
        fontstyle="italic",
        color="#8b1e2d",
    )
