"""Responses in space: similarity against rank and distance, maps of it, scores along an axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from src.figures.style import FAINT, INK, point_size

MAP_COLORS = "RdBu_r"
OUTSIDE = "#ececec"  # of maps: cells outside the hull of all units


def rank_lag(axis: Axes, curves: Sequence[np.ndarray], color: str = INK, label: str = "") -> None:
    """Mean of sessions' curves and their 5-95 % band, up to the shortest: s of (lags,)."""
    shortest = min(map(len, curves))
    stacked = np.stack([curve[:shortest] for curve in curves])
    lag = np.arange(1, shortest + 1)
    axis.fill_between(
        lag, *np.quantile(stacked, [0.05, 0.95], axis=0), color=color, alpha=0.2, lw=0
    )
    axis.plot(lag, stacked.mean(axis=0), color=color, label=label)
    axis.set(xlabel="rank lag (cells)", ylabel="mean similarity r")


def distance_curve(axis: Axes, table: pd.DataFrame, color: str = INK, label: str = "") -> None:
    """Similarity by distance with its interval: columns distance, r, low, high."""
    error = np.abs(table[["low", "high"]].to_numpy().T - table["r"].to_numpy())
    axis.errorbar(
        *(table["distance"], table["r"], error),
        fmt="o-", color=color, markersize=4, linewidth=1.4, elinewidth=1, label=label,
    )  # fmt: skip
    axis.set(xlabel="distance (µm)", ylabel="similarity r", xlim=(0, None))


def null_band(axis: Axes, table: pd.DataFrame, color: str = FAINT, label: str = "") -> None:
    """Where curves of shuffled units lie: columns distance, null_low, null_high."""
    axis.fill_between(
        *(table["distance"], table["null_low"], table["null_high"]),
        color=color, alpha=0.2, lw=0, label=label, zorder=0,
    )  # fmt: skip


def similarity_map(
    axis: Axes,
    values: np.ndarray,
    centers: tuple[np.ndarray, np.ndarray],
    reference: tuple[int, int],
    limit: float,
) -> None:
    """r to the cell in the square, over a plane of the grid: (p, q), centers (p,), (q,)."""
    extent = []
    for along in centers:
        half = (along[1] - along[0]) / 2
        extent += [along[0] - half, along[-1] + half]
    axis.set_facecolor(OUTSIDE)
    axis.imshow(values.T, MAP_COLORS, Normalize(-limit, limit), extent=extent, origin="lower")
    place = [along[k] for along, k in zip(centers, reference, strict=True)]
    axis.plot(*place, "s", color="none", markeredgecolor=INK, markersize=6, markeredgewidth=1.2)
    axis.set(xticks=[-0.8, 0, 0.8], yticks=[-0.8, 0, 0.8] if extent[3] > 0.8 else [0])


def similarity_scale(axes: Sequence[Axes], limit: float) -> None:
    """The color scale of maps beside their axes."""
    mappable = ScalarMappable(Normalize(-limit, limit), MAP_COLORS)
    bar = axes[0].figure.colorbar(
        mappable, ax=axes, label="r to the reference", shrink=0.85, aspect=18, pad=0.01
    )
    bar.set_ticks([-limit, 0, limit])


def change_boxes(axis: Axes, table: pd.DataFrame, colors: dict[str, str]) -> None:
    """Notched boxes of change ratios by axis and kind: columns axis, kind, ratio."""
    directions, kinds = table["axis"].unique(), table["kind"].unique()
    step = 0.8 / len(kinds)
    for place, kind in enumerate(kinds):
        rows = table[table["kind"] == kind]
        boxes = axis.boxplot(
            [rows.loc[rows["axis"] == d, "ratio"] for d in directions],
            positions=np.arange(len(directions)) + step * (place - (len(kinds) - 1) / 2),
            widths=0.85 * step, notch=True, showfliers=False, patch_artist=True,
            medianprops={"color": "white", "linewidth": 1.6},
            whiskerprops={"color": INK}, capprops={"color": INK},
        )  # fmt: skip
        for box in boxes["boxes"]:
            box.set(facecolor=colors[kind], edgecolor=INK)
    axis.set_xticks(range(len(directions)), [d.upper() for d in directions])
    axis.set(xlabel="along", ylabel="change of r per 100 µm")
    handles = [Patch(facecolor=colors[kind], edgecolor=INK, label=kind) for kind in kinds]
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(kinds))


def session_means(axis: Axes, table: pd.DataFrame, colors: dict[str, str]) -> None:
    """A line a session across the axes, by kind: columns axis, session, kind, ratio."""
    for (kind, _), rows in table.groupby(["kind", "session"], sort=False):
        axis.plot(rows["axis"].str.upper(), rows["ratio"], "o-", color=colors[kind], markersize=5)
    axis.set(xlabel="along", ylim=(0, None))


def score_profile(
    axis: Axes, place: np.ndarray, score: np.ndarray, means: pd.DataFrame, color: str = INK
) -> None:
    """Score of each unit along an axis, with binned means: (u,), (u,), columns place, score, ..."""
    axis.scatter(place, score, s=point_size(len(place)), color=FAINT, alpha=0.7)
    error = np.abs(means[["low", "high"]].to_numpy().T - means["score"].to_numpy())
    axis.errorbar(
        *(means["place"], means["score"], error), fmt="o-", color=color, markersize=5, linewidth=1.4
    )
    low, high = np.quantile(score, [0.01, 0.99])
    axis.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))


def clusters_in_cortex(axis: Axes, soma: np.ndarray, labels: np.ndarray) -> None:
    """Cell bodies from above in the color of their cluster: (u, 2 or 3) um, (u,)."""
    axis.scatter(*soma[:, :2].T, s=point_size(len(soma)), c=labels, cmap="tab20", vmin=0, vmax=19)
    axis.set(xlabel="x (µm)", ylabel="y (µm)")
    axis.set_aspect("equal", adjustable="datalim")


def embedding(
    axis: Axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str] = ()
) -> None:
    """A projection, colored by group: (u, 2), (u,) integers; names of the groups for a legend."""
    drawn = axis.scatter(
        *points.T, s=point_size(len(points)), c=labels, cmap="tab20", vmin=0, vmax=19
    )
    axis.set(xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")
    dot = {"linestyle": "none", "marker": "o", "markersize": 5}
    handles = [
        Line2D([], [], color=drawn.cmap(drawn.norm(k)), label=name, **dot)
        for k, name in enumerate(names)
    ]
    if handles:
        axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def gap_curve(axis: Axes, table: pd.DataFrame, color: str = INK, label: str = "") -> None:
    """Gap by the number of clusters, with s_k: columns k, gap, error."""
    axis.errorbar(
        *(table["k"], table["gap"], table["error"]),
        fmt="o-", color=color, markersize=4, linewidth=1.4, elinewidth=1, label=label,
    )  # fmt: skip
    axis.set(xlabel="clusters k", ylabel="gap")


def elbow(axis: Axes, table: pd.DataFrame, color: str = INK, label: str = "") -> None:
    """Squares within clusters, as a share of those of one cluster: columns k, within (log)."""
    share = np.exp(table["within"] - table["within"].iloc[0])
    axis.plot(table["k"], share, "o-", color=color, markersize=4, linewidth=1.4, label=label)
    axis.set(xlabel="clusters k", ylabel="variance within", ylim=(0, 1.03))


def rand_bars(axis: Axes, table: pd.DataFrame) -> None:
    """Adjusted Rand index of pairs of clusterings, and 95 % of shuffles: columns pair, rand, ..."""
    rows = np.arange(len(table))
    axis.hlines(rows, table["null_low"], table["null_high"], color=FAINT, linewidth=6)
    axis.plot(table["rand"], rows, "o", color=INK, markersize=6)
    axis.set_yticks(rows, table["pair"])
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel="adjusted Rand index", xlim=(-0.15, 1.03), ylim=(len(table) - 0.5, -0.5))
    axis.grid(axis="x")
