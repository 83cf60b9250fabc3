"""What the test images are like, and how well the responses to each of them are predicted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from PIL import Image

from src.figures.panels.intervals import intervals_by_model
from src.figures.style import FAINT, INK, model_color, point_size

PROPERTY_LABELS = {
    "complexity": "complexity (mean gradient)",
    "brightness": "brightness (mean gray level)",
    "contrast": "contrast (s.d. of gray levels)",
    "area": "area of the box (share of frame)",
    "x": "box center, x (0 left, 1 right)",
    "y": "box center, y (0 top, 1 bottom)",
}
PERFORMANCE = "r across units"
THUMBNAIL = (96, 54)  # width, height in pixels


def property_histogram(axis: Axes, values: np.ndarray, name: str) -> None:
    """How a property is spread over the images, with its median: (i,)."""
    axis.hist(values, bins=20, color=FAINT)
    median = np.median(values)
    axis.axvline(median, color=INK, linewidth=1.2)
    axis.set_title(f"median {median:.4g}, {len(values)} images")
    axis.set(xlabel=PROPERTY_LABELS[name], ylabel="images")
    axis.yaxis.get_major_locator().set_params(integer=True)


def property_scatter(axis: Axes, x: np.ndarray, y: np.ndarray, names: tuple[str, str]) -> None:
    """One property against another, and their Pearson r: (i,), (i,)."""
    axis.scatter(x, y, s=point_size(len(x)), color=INK, alpha=0.6)
    axis.set_title(f"r = {np.corrcoef(x, y)[0, 1]:.3f}")
    axis.set(xlabel=PROPERTY_LABELS[names[0]], ylabel=PROPERTY_LABELS[names[1]])


def thumbnail_sheet(axis: Axes, images: list[np.ndarray], columns: int = 10) -> None:
    """Gray images as small tiles, row by row: each (h, w) uint8."""
    small = [np.asarray(Image.fromarray(x).resize(THUMBNAIL)) for x in images]
    width, height = THUMBNAIL
    rows = -(-len(small) // columns)
    sheet = np.full((rows * (height + 4), columns * (width + 4)), 255, np.uint8)
    for k, image in enumerate(small):
        top, left = k // columns * (height + 4), k % columns * (width + 4)
        sheet[top : top + height, left : left + width] = image
    axis.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axis.set_axis_off()


def image_performance(axis: Axes, table: pd.DataFrame) -> None:
    """Each image's performance with its interval over units, in order, and what chance gives.

    Columns performance, low, high, shuffled, of one session and model.
    """
    rows = table.sort_values("performance")
    rank, color = np.arange(1, len(rows) + 1), model_color(table["model"].iloc[0])
    axis.vlines(rank, rows["low"], rows["high"], color=color, linewidth=1, alpha=0.5)
    axis.plot(rank, rows["performance"], "o", color=color, markersize=3, label="its own prediction")
    axis.plot(rank, rows["shuffled"], color=INK, linewidth=1, label="other images' predictions")
    axis.set(xlabel="image, from worst to best", ylabel=PERFORMANCE)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def performance_by_session(axis: Axes, table: pd.DataFrame) -> None:
    """Mean performance with its interval, by session and model: columns session, model, ..."""
    drawn = intervals_by_model(axis, table, "session", "performance")
    y, rows = np.concatenate([y for y, _ in drawn]), pd.concat([rows for _, rows in drawn])
    axis.plot(rows["shuffled"], y, "|", color=INK, markersize=6, label="labels shuffled")
    axis.set_xlabel(f"mean {PERFORMANCE}")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, columnspacing=1.2)


def performance_relation(
    axis: Axes, table: pd.DataFrame, name: str, found: pd.Series | None = None
) -> None:
    """Performance of each image against one of its properties: columns session, performance.

    found: r, low, high and p_holm of the relation, for the title.
    """
    for session, one in table.dropna(subset=name).groupby("session", sort=False):
        axis.scatter(one[name], one["performance"], s=14, alpha=0.6, label=session)
    if found is not None:
        limits = f"[{found['low']:.2f}, {found['high']:.2f}]"
        axis.set_title(f"r = {found['r']:.2f} {limits}, p = {found['p_holm']:.2f}", fontsize=9)
    axis.set(xlabel=PROPERTY_LABELS[name], ylabel=PERFORMANCE)


def group_means(axis: Axes, values: np.ndarray, groups: np.ndarray, table: pd.DataFrame) -> None:
    """Images by group, with means and intervals: (i,), (i,), columns group, images, mean, ..."""
    y = np.arange(len(table))
    axis.hlines(y, table["low"], table["high"], color=INK, linewidth=1.6)
    axis.plot(table["mean"], y, "o", color=INK, markersize=6)
    for row, group in enumerate(table["group"]):
        one = values[groups == group]
        axis.plot(one, np.full(len(one), row + 0.22), "|", color=FAINT)
    labels = [f"{g} ({n})" for g, n in zip(table["group"], table["images"], strict=True)]
    axis.set_yticks(y, labels)
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel=f"mean {PERFORMANCE}", ylim=(len(table) - 0.5, -0.5))
    axis.grid(axis="x")
