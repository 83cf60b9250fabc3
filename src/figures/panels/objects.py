"""Images of objects, the rates they evoke, how alike they are, and scores of probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.figures.panels.geometry import SHADES, group_spans, rank_map
from src.figures.style import FAINT, INK, point_size


def picture(axis: Axes, image: np.ndarray) -> None:
    """One image of 8-bit values, gray or color: (c, h, w)."""
    shown = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    axis.imshow(shown, cmap="gray", vmin=0, vmax=255)
    axis.set(xticks=[], yticks=[])


def picture_rows(axis: Axes, rows: Mapping[str, np.ndarray]) -> None:
    """Images side by side, a row a version of them: (n, c, h, h) uint8 by name."""
    size = max(images.shape[-1] for images in rows.values())
    for k, images in enumerate(rows.values()):
        strip = np.concatenate(list(images), axis=2).transpose(1, 2, 0)
        color = strip if strip.shape[-1] == 3 else np.repeat(strip, 3, axis=2)
        axis.imshow(color, extent=(0, size * len(images), size * (k + 1), size * k))
    axis.set(xlim=(0, size * len(images)), ylim=(size * len(rows), 0), xticks=[])
    axis.spines[:].set_visible(False)
    axis.set_yticks([size * (k + 0.5) for k in range(len(rows))], rows)
    axis.tick_params(axis="y", length=0)


def rates_by_group(axis: Axes, rates: np.ndarray, groups: np.ndarray) -> None:
    """The rate of one unit for every image, groups side by side: (n,), (n,) sorted by group."""
    starts, ends = group_spans(groups)
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        x, shade = np.arange(start, end), SHADES[k % len(SHADES)]
        axis.vlines(x, 0, rates[start:end], color=shade, linewidth=0.5)
    axis.axhline(0, color=INK, linewidth=0.6)
    axis.set_xticks((starts + ends - 1) / 2, groups[starts], rotation=30, ha="right")
    axis.tick_params(axis="x", length=0)
    axis.set(ylabel="rate from its mean (s.d.)", xlim=(-1, len(rates)))


def group_bars(axis: Axes, rates: np.ndarray, groups: np.ndarray, names: Sequence[str]) -> None:
    """Mean rate of each group with its 95 % interval, over images: (n,), (n,)."""
    for k, name in enumerate(names):
        values = rates[groups == name]
        error = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
        axis.hlines(k, values.mean() - error, values.mean() + error, color=SHADES[k % len(SHADES)])
        axis.plot(values.mean(), k, "o", color=SHADES[k % len(SHADES)], markersize=5)
    axis.axvline(0, color=FAINT, linewidth=1, zorder=0)
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel="mean rate (s.d.)", ylim=(len(names) - 0.5, -0.5))


def dissimilarity(axis: Axes, gram: np.ndarray, groups: np.ndarray | None = None) -> None:
    """1 minus the correlation of images about their mean, from their Gram: (n, n), (n,) sorted."""
    centered = gram - gram.mean(0) - gram.mean(1)[:, None] + gram.mean()
    norm = np.sqrt(np.maximum(np.diag(centered), 1e-12 * np.trace(centered)))
    distance = 1 - centered / np.outer(norm, norm)
    rank_map(axis, distance, groups)


def unit_boxes(axis: Axes, units: pd.DataFrame, score: str) -> None:
    """Scores of units as a row a system: columns system and `score`; box, whiskers, median."""
    names = list(units["system"].unique())
    values = [units.loc[units["system"] == name, score].dropna() for name in names]
    look = {"patch_artist": True, "showfliers": False, "widths": 0.6}
    boxes = axis.boxplot(values, orientation="horizontal", tick_labels=names, **look)
    for box, median in zip(boxes["boxes"], boxes["medians"], strict=True):
        box.set(facecolor="#dfe8ee", edgecolor="#555555")
        median.set(color="#0072b2", linewidth=1.8)
    axis.axvline(0, color=FAINT, linewidth=1, zorder=0)
    axis.tick_params(axis="y", length=0)
    axis.invert_yaxis()
    axis.grid(axis="x")


def layer_profile(axis: Axes, table: pd.DataFrame, label: str, color: str) -> None:
    """A score over layers in order of depth: columns network, layer, score, low, high.

    With several networks (starts of one architecture), their mean, and a band between the lowest
    and the highest.
    """
    layers = list(table["layer"].unique())
    x = np.arange(len(layers))
    wide = table.pivot_table("score", "layer", "network", sort=False).loc[layers]
    if wide.shape[1] > 1:
        axis.fill_between(x, wide.min(axis=1), wide.max(axis=1), color=color, alpha=0.25, lw=0)
        axis.plot(x, wide.mean(axis=1), "o-", color=color, markersize=4, label=label)
    else:
        error = np.abs(table[["low", "high"]].to_numpy().T - table["score"].to_numpy())
        axis.errorbar(x, table["score"], error, fmt="o-", color=color, markersize=4, label=label)
    axis.set_xticks(x, layers, rotation=45, ha="right")


def unit_scatter(axis: Axes, first: np.ndarray, second: np.ndarray) -> None:
    """Scores of the same units by two systems: (u,), (u,); above the line the second is better."""
    low = min(first.min(), second.min(), 0)
    high = max(first.max(), second.max()) + 0.03
    axis.plot([low, high], [low, high], color=FAINT, linewidth=1, zorder=0)
    axis.scatter(first, second, s=point_size(len(first)), color=INK, alpha=0.6)
    share = np.mean(second > first)
    axis.text(0.04, 0.96, f"{share:.0%} above the line", transform=axis.transAxes, va="top")
    axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")


def score_histograms(
    axis: Axes, scores: Mapping[str, np.ndarray], colors: Mapping[str, str], label: str
) -> None:
    """Distributions of scores over the same bins: (u,) by name, with their medians."""
    bins = np.histogram_bin_edges(np.concatenate(list(scores.values())), 20)
    for name, values in scores.items():
        axis.hist(values, bins, color=colors[name], alpha=0.5, label=name)
        axis.axvline(np.median(values), color=colors[name], linewidth=1.6)
    axis.set(xlabel=label, ylabel="units")
    axis.legend()


def score_violins(
    axis: Axes, scores: Mapping[str, np.ndarray], colors: Mapping[str, str], label: str
) -> None:
    """Distributions of scores side by side, with boxes of their quartiles: (u,) by name."""
    values, at = list(scores.values()), range(len(scores))
    shapes = axis.violinplot(values, at, showextrema=False, widths=0.8)
    for shape, name in zip(shapes["bodies"], scores, strict=True):
        shape.set(facecolor=colors[name], alpha=0.5)
    line = {"color": INK, "linewidth": 1.6}
    axis.boxplot(values, positions=at, widths=0.12, showfliers=False, medianprops=line)
    axis.axhline(0, color=FAINT, linewidth=1, zorder=0)
    axis.set_xticks(at, scores)
    axis.set(ylabel=label, xlim=(-0.6, len(scores) - 0.4))


def unit_bars(axis: Axes, values: np.ndarray, label: str) -> None:
    """A bar a unit in the order of the file, a line at their mean, nan left out: (u,)."""
    axis.bar(np.arange(len(values)), values, width=0.9, color="#0072b2")
    mean = np.nanmean(values)
    axis.axhline(mean, color="#8b1e2d", linewidth=1, linestyle=(0, (4, 2)))
    axis.axhline(0, color=INK, linewidth=0.6)
    axis.set(xlabel="unit", ylabel=label, xlim=(-1, len(values)), title=f"mean {mean:.3f}")


def windows(axis: Axes, units: pd.DataFrame) -> None:
    """Windows of units in the image: columns x, y, sigma in -1..1, r; dark for high r."""
    axis.set(xlim=(-1, 1), ylim=(1, -1), aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    for row in units[np.isfinite(units["sigma"])].itertuples():
        angle = np.linspace(0, 2 * np.pi, 60)
        x, y = row.x + row.sigma * np.cos(angle), row.y + row.sigma * np.sin(angle)
        axis.plot(x, y, color="#0072b2", alpha=np.clip(row.r, 0.05, 1), linewidth=0.9)
    axis.set(xlabel="x (image = −1..1)", ylabel="y")


def segment_map(axis: Axes, labels: np.ndarray, names: Sequence[str]) -> None:
    """What is where in an image: (h, w), 0 unknown, else 1 + place in `names`.

    A name stands at the middle of the pixels of its kind.
    """
    shade = np.where(labels, (labels.astype(int) - 1) % 9, np.nan)
    axis.imshow(shade, cmap="Pastel1", vmin=0, vmax=8)
    for kind in np.setdiff1d(labels, 0):
        y, x = (np.median(place) for place in np.nonzero(labels == kind))
        axis.text(x, y, names[kind - 1], ha="center", va="center", fontsize=8, color=INK)
    axis.set(xticks=[], yticks=[])
