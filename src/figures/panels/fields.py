"""Receptive fields: what they look like, how well they are known, and where they lie."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.figures.style import FAINT, INK, model_color, point_size

FIT, READ = "#e0a100", "#009e73"  # contour of a fit; the place a readout reads


def receptive_field(
    axis: Axes,
    field: np.ndarray,
    outline: np.ndarray | None = None,
    place: np.ndarray | None = None,
) -> None:
    """A field around 0, in color if it has 3 channels: (c, h, w), outline (k, 2), place (2,)."""
    limit = np.abs(field).max() or 1.0
    if len(field) == 3:
        axis.imshow(np.moveaxis(0.5 + field / (2 * limit), 0, -1))
    else:
        axis.imshow(field.mean(0), vmin=-limit, vmax=limit, cmap="RdBu_r")
    if outline is not None:
        axis.plot(*outline.T, color=FIT, linewidth=1.2)
    if place is not None:
        axis.plot(*place, "+", color=READ, markersize=7, markeredgewidth=1.5)
    h, w = field.shape[1:]
    axis.set(xlim=(-0.5, w - 0.5), ylim=(h - 0.5, -0.5), xticks=[0, w - 1], yticks=[0, h - 1])
    axis.set(xlabel="pixel", ylabel="pixel")
    axis.label_outer()


def pixel_gradient(axis: Axes, gradient: np.ndarray, limit: float) -> None:
    """What more light at each pixel would do, red for more and blue for less: (h, w)."""
    axis.imshow(gradient, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axis.set(xticks=[], yticks=[])


def snr_distributions(axis: Axes, table: pd.DataFrame) -> None:
    """Cumulative share of fields by signal-to-noise: columns model, snr, null_snr, a row a unit."""
    for model, rows in table.groupby("model", sort=False):
        color, median = model_color(model), rows["snr"].median()
        axis.ecdf(rows["snr"].dropna(), color=color, label=f"{model}  {median:.2f}")
        axis.ecdf(rows["null_snr"].dropna(), color=color, linestyle=(0, (2, 1.5)), linewidth=1)
    axis.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    axis.set_xscale("symlog", linthresh=0.1)
    axis.set(xlabel="signal / noise of a field", ylabel="share of units below", ylim=(0, 1.01))
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, columnspacing=1.2)


def center_shifts(axis: Axes, places: np.ndarray, centers: np.ndarray, model: str = "") -> None:
    """From a given place of each unit to the center of its field: (u, 2), (u, 2) pixels."""
    axis.plot(*np.stack([places, centers]).transpose(2, 0, 1), color=FAINT, linewidth=1)
    color = model_color(model) if model else INK
    axis.scatter(*centers.T, s=point_size(len(centers)) / 2, color=color, zorder=3)
    axis.invert_yaxis()
    axis.set_aspect("equal", adjustable="datalim")
    axis.set(xlabel="x (pixel)", ylabel="y (pixel)")
