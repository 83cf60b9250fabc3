"""Object boxes on the images they belong to."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle


def object_box(axis: Axes, box: np.ndarray, color: str, dashed: bool = False) -> None:
    """A box x, y, w, h in 0..1 on the image an axis shows: (4,)."""
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    x, y, w, h = box
    corner = left + (x - w / 2) * (right - left), top + (y - h / 2) * (bottom - top)
    size = w * (right - left), h * (bottom - top)
    style = {"color": color, "linestyle": "--" if dashed else "-", "linewidth": 1.8}
    axis.add_patch(Rectangle(corner, *size, fill=False, clip_on=False, **style))
