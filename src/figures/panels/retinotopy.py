"""Maps of where in the image the units of a session read."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from src.analyses.retinotopy import legend_image
from src.figures.style import FAINT, INK, point_size

X_LABEL, Y_LABEL = "image x (−1 left, 1 right)", "image y (−1 top, 1 bottom)"


def retinotopy_map(axis: Axes, soma: np.ndarray, colors: np.ndarray) -> None:
    """Cell bodies in the color of the place they read: (u, 2 or 3) micrometers, (u, 3) RGB."""
    axis.scatter(*soma[:, :2].T, s=point_size(len(soma)), color=colors)
    axis.set(xlabel="x (µm)", ylabel="y (µm)")
    axis.set_aspect("equal", adjustable="datalim")


def color_square(axis: Axes, low: np.ndarray, high: np.ndarray) -> None:
    """The legend of a map: the color of every place in the image from low (2,) to high (2,)."""
    extent = (low[0], high[0], high[1], low[1])
    axis.imshow(legend_image(low, high, 256), extent=extent, aspect="auto")
    axis.set(xlabel=X_LABEL, ylabel=Y_LABEL)


def position_scatter(axis: Axes, mu: np.ndarray, colors: np.ndarray) -> None:
    """Positions in the image, in the colors of the map: (u, 2), (u, 3)."""
    axis.scatter(*mu.T, s=point_size(len(mu)), color=colors)
    axis.invert_yaxis()
    axis.set(xlabel=X_LABEL, ylabel=Y_LABEL)


def null_histogram(
    axis: Axes, null: np.ndarray, observed: float, label: str = "held-out R²"
) -> None:
    """A statistic in shuffled data, and where the observed one lies: (shuffles,), scalar."""
    bins = np.linspace(min(null.min(), observed), max(null.max(), observed), 41)
    axis.hist(null, bins=bins, color=FAINT, label=f"{len(null)} shuffles")
    axis.axvline(observed, color=INK, linewidth=1.6, label=f"observed {observed:.3f}")
    axis.set(xlabel=label, ylabel="shuffles")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
