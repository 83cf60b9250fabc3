"""What trunks give areas, and which depth units read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from src.figures.style import FAINT, INK, point_size


def transfer_map(axis: Axes, matrix: np.ndarray, areas: Sequence[str], limit: float = 0.05) -> None:
    """Gain of each trunk in each area, the first trunk at the bottom: (a, a), with its numbers."""
    axis.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, origin="lower")
    for (i, j), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            color = "white" if abs(value) > 0.7 * limit else INK
            text = f"{value:+.3f}".replace("-", "−")
            axis.text(j, i, text, ha="center", va="center", color=color, fontsize=7.5)
    axis.set_xticks(range(len(areas)), areas)
    axis.set_yticks(range(len(areas)), areas)
    axis.tick_params(length=0)
    axis.set(xlabel="voxels of", ylabel="trunk trained on")


def _reach(difference: np.ndarray, least: float) -> float:
    """How far an axis of differences reaches to either side: as published, or over all of them."""
    return max(np.abs(difference).max() * 1.05, least)


def difference_map(axis: Axes, first: np.ndarray, second: np.ndarray, least: float) -> None:
    """Difference second - first against their mean, units counted in hexagons: (u,), (u,).

    Shares of either sign are those of units of which one score is above `least`.
    """
    difference, mean = second - first, (first + second) / 2
    counted = np.maximum(first, second) > least
    limit = _reach(difference, 0.2)
    low, high = min(mean.min() - 0.02, -0.1), max(mean.max() + 0.05, 0.9)
    extent = (-limit, limit, low, high)
    shades = {"cmap": "Greys", "norm": LogNorm(vmin=0.3), "mincnt": 1}  # one unit can be seen
    axis.hexbin(difference, mean, gridsize=30, extent=extent, **shades)
    axis.axvline(0, color=INK, linewidth=0.8)
    axis.axhline(least, color=FAINT, linewidth=0.8, linestyle=(0, (2, 1.5)))
    right = np.mean(difference[counted] >= 0) if counted.any() else np.nan
    for place, side, share in ((0.03, "left", 1 - right), (0.97, "right", right)):
        text = f"{share:.0%}" if counted.any() else "–"
        axis.text(place, 0.97, text, transform=axis.transAxes, ha=side, va="top")
    axis.set(xlim=(-limit, limit), ylim=(low, high), ylabel="mean r of both")
    axis.locator_params(axis="x", nbins=4)


def difference_margin(
    axis: Axes, first: np.ndarray, second: np.ndarray, least: float, colors: tuple[str, str]
) -> None:
    """How many units differ how much, above a `difference_map` of the same: (u,), (u,).

    Units of which one score is above `least`, in a color for either side of 0.
    """
    difference = second - first
    counted = difference[np.maximum(first, second) > least]
    reach = _reach(difference, 0.2)
    edges = np.linspace(-reach, reach, 51)
    for side, color in zip((counted < 0, counted >= 0), colors, strict=True):
        axis.hist(counted[side], edges, color=color)
    axis.axvline(0, color=INK, linewidth=0.8)
    axis.set(xlim=(-reach, reach), ylabel="units")
    axis.locator_params(axis="x", nbins=4)
    axis.yaxis.get_major_locator().set_params(integer=True)


def difference_dots(
    axis: Axes, first: np.ndarray, second: np.ndarray, groups: np.ndarray, colors: Mapping[str, str]
) -> None:
    """Difference second - first against their mean, a dot a unit in the color of its group: (u,).

    Above stand the shares of all units of either sign.
    """
    for name, color in colors.items():
        x, y = first[groups == name], second[groups == name]
        axis.scatter(y - x, (x + y) / 2, s=point_size(len(first)), color=color, label=name)
    limit = _reach(second - first, 0.05)
    axis.axvline(0, color=INK, linewidth=0.8, zorder=0)
    right = np.mean(second >= first)
    for place, side, share in ((0.03, "left", 1 - right), (0.97, "right", right)):
        axis.text(place, 1.01, f"{share:.0%}", transform=axis.transAxes, ha=side, va="bottom")
    axis.set(xlim=(-limit, limit), ylabel="mean r of both")
    axis.locator_params(axis="x", nbins=4)


def mask_strips(axis: Axes, masks: Mapping[str, np.ndarray]) -> None:
    """Which channels each mask keeps, dark where it does, a row a mask: k times (c,)."""
    sheet = np.stack(list(masks.values()))
    axis.imshow(sheet, cmap="Greys", vmin=0, vmax=1.25, aspect="auto", interpolation="none")
    for row in range(1, len(masks)):
        axis.axhline(row - 0.5, color=FAINT, linewidth=0.8)
    axis.set_yticks(range(len(masks)), list(masks))
    axis.set_xticks([0, sheet.shape[1] - 1], ["1", f"{sheet.shape[1]}"])
    axis.tick_params(length=0)
    axis.set_xlabel("channels")


def share_bars(axis: Axes, table: pd.DataFrame, colors: Mapping[str, str]) -> None:
    """Percent shared (pale) and unique (solid) by area and model, with intervals of both.

    A dashed line is the mean over areas of what is unique. Columns model, area, shared, unique, and
    each with _low and _high.
    """
    areas, models = list(dict.fromkeys(table["area"])), list(dict.fromkeys(table["model"]))
    width = 0.8 / len(models)
    for k, model in enumerate(models):
        rows = table[table["model"] == model].set_index("area").loc[areas]
        x = np.arange(len(areas)) + (k - (len(models) - 1) / 2) * width
        for name, alpha in (("shared", 0.35), ("unique", 1.0)):
            label = model if name == "unique" else None
            axis.bar(x, rows[name], 0.9 * width, color=colors[model], alpha=alpha, label=label)
            axis.vlines(x, rows[f"{name}_low"], rows[f"{name}_high"], color=INK, linewidth=0.9)
        mean = rows["unique"].mean()
        axis.axhline(mean, color=colors[model], linewidth=0.9, linestyle=(0, (3, 2)), zorder=0)
    axis.axhline(0, color=INK, linewidth=0.6)
    axis.set_xticks(range(len(areas)), areas)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(models))


def pooling_fields(
    axis: Axes, fields: np.ndarray, outlines: Sequence[np.ndarray | None], columns: int = 6
) -> None:
    """Fields of units as tiles, dark is much, each from 0 to its largest: (k, h, w).

    `outlines`: a line (p, 2) in places of the map over each, or none.
    """
    h, w = fields.shape[1:]
    rows = -(-len(fields) // columns)
    sheet = np.full((rows * (h + 1) - 1, columns * (w + 1) - 1), np.nan)
    for k, (field, outline) in enumerate(zip(fields, outlines, strict=True)):
        y, x = (h + 1) * (k // columns), (w + 1) * (k % columns)
        sheet[y : y + h, x : x + w] = field / field.max()
        if outline is not None:
            kept = np.clip(outline, -0.5, (w - 0.5, h - 0.5))
            axis.plot(*(kept + np.array((x, y))).T, color="#d55e00", linewidth=0.9)
    axis.imshow(sheet, cmap="Greys", vmin=0, vmax=1)
    axis.set_axis_off()
