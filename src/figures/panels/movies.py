"""What recordings of films look like: frames, units by depth, shared films, scores by stimulus."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from src.figures.panels.scores import LABELS
from src.figures.style import FAINT, INK, model_color, point_size

SHORT = {
    "train": "train",
    "oracle": "oracle",
    "live_test_main": "live",
    "final_test_main": "final",
    "live_test_bonus": "live OOD",
    "final_test_bonus": "final OOD",
    "none": "none",
}


def film_strip(axis: Axes, frames: np.ndarray, seconds: np.ndarray) -> None:
    """Frames side by side, each with its time above: (t, h, w), (t,)."""
    _, h, w = frames.shape
    gap = max(1, w // 16)
    strip = np.full((h, len(frames) * (w + gap) - gap), np.nan)
    for i, frame in enumerate(frames):
        strip[:, i * (w + gap) : i * (w + gap) + w] = frame
    axis.imshow(strip, cmap="gray", interpolation="nearest")
    middles = np.arange(len(frames)) * (w + gap) + w / 2
    digits = 1 if len(seconds) < 2 or np.abs(np.diff(seconds)).min() >= 0.1 else 2
    axis.set_xticks(middles, [f"{s + 0.0:.{digits}f} s" for s in seconds])
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def units_by_depth(axis: Axes, coordinates: np.ndarray) -> None:
    """Cell bodies in space, colored by their plane: 3D axis, (u, 3) micrometers, z is depth."""
    x, y, z = coordinates.T
    axis.scatter(x, y, z, c=z, cmap="viridis", s=point_size(len(z)), depthshade=False)
    axis.set(xlabel="x (µm)", ylabel="y (µm)", zlabel="depth (µm)")
    axis.locator_params(nbins=4)
    axis.invert_zaxis()


def shared_matrix(axis: Axes, table: pd.DataFrame, session: str, other: str) -> None:
    """Films that tiers of two sessions share: columns session, tier, other, other_tier, shared."""
    here = table[(table["session"] == session) & (table["other"] == other)]
    counts = here.pivot_table(index="tier", columns="other_tier", values="shared", sort=False)
    order = [t for t in SHORT if t in counts.index], [t for t in SHORT if t in counts.columns]
    counts = counts.reindex(index=order[0], columns=order[1])
    share = counts.to_numpy() > 0
    axis.imshow(np.where(share, 1.0, 0.0), cmap="Oranges", vmin=0, vmax=2)
    for row, column in np.ndindex(counts.shape):
        color = INK if share[row, column] else FAINT
        axis.text(
            column, row, f"{counts.iloc[row, column]:.0f}", ha="center", va="center", color=color
        )
    axis.set_xticks(
        range(counts.shape[1]), [SHORT[t] for t in counts.columns], rotation=40, ha="right"
    )
    axis.set_yticks(range(counts.shape[0]), [SHORT[t] for t in counts.index])
    axis.tick_params(length=0)
    axis.set(xlabel=f"tiers of {other}", ylabel=f"tiers of {session}")


def stimulus_scores(
    axis: Axes, table: pd.DataFrame, metric: str = "avg", ceiling: str = "reliability"
) -> None:
    """Score of each model for each type of stimulus: columns stimulus, model, `metric`, `ceiling`.

    A bar a model; a line is the root of the reliability of the repeats, which no model exceeds,
    unless `ceiling` is empty.
    """
    kinds, models = table["stimulus"].unique(), table["model"].unique()
    width = 0.8 / len(models)
    for i, model in enumerate(models):
        rows = table[table["model"] == model].set_index("stimulus").reindex(kinds)
        place = np.arange(len(kinds)) - 0.4 + width * (i + 0.5)
        color = model_color(model) if model_color(model) != INK else plain_color(i)
        axis.bar(place, rows[metric], width * 0.9, color=color, label=model)
    x = np.arange(len(kinds))
    if ceiling:
        first = table[table["model"] == models[0]].set_index("stimulus").reindex(kinds)
        top = np.sqrt(np.maximum(first[ceiling], 0))
        axis.hlines(top, x - 0.45, x + 0.45, color=INK, lw=1.2, label="ceiling of the repeats")
    axis.set_xticks(x, kinds)
    axis.tick_params(axis="x", length=0)
    axis.set_ylabel(LABELS[metric])
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def plain_color(i: int) -> str:
    """A color for the i-th of a few things that have none of their own."""
    return ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")[i % 6]


def score_by_plane(axis: Axes, units: pd.DataFrame, metric: str = "single") -> None:
    """Scores of units by depth, and the mean of each plane as a line: columns depth, `metric`."""
    axis.scatter(units[metric], units["depth"], s=point_size(len(units)), color=FAINT)
    means = units.groupby("depth")[metric].mean()
    axis.plot(means.to_numpy(), means.index.to_numpy(), "o-", color=INK, ms=5)
    axis.invert_yaxis()
    axis.set(xlabel=LABELS[metric], ylabel="depth (µm)")


def shift_arrows(axis: Axes, pupil: np.ndarray, shift: np.ndarray) -> None:
    """Where receptive fields go for each place of the pupil: (n, 2) s.d., (n, 2) half widths."""
    axis.quiver(*pupil.T, *shift.T, angles="xy", color=INK, width=0.006)
    axis.set(xlabel="pupil x (s.d.)", ylabel="pupil y (s.d.)")
    axis.margins(0.15)
