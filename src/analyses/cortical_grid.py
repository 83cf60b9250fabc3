"""The cortex cut into cells: what each would respond, and how alike the responses of two cells are.

Responses of scattered units are interpolated linearly to the centers of a grid; the similarity of
two cells is Pearson's r over images. Nothing here holds a cells x cells matrix. Positions are those
of each session's own field: cells of two brains are laid over one another, not registered.
Source: the published SENSORIUM 2022 analysis (grid, rank-lag curve, maps, change ratio).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.spatial import Delaunay, QhullError
from scipy.spatial.distance import cdist
from scipy.stats import ttest_ind

from src.correlation import z_score
from src.data.errors import DataError
from src.evaluation.metrics import divide

BINS = (25, 25, 10)
AXES = {"x": 0, "y": 1, "z": 2}
ROWS = 500  # cells whose distances to all others are held at once


def normalized(coordinates: np.ndarray | None) -> tuple[np.ndarray, float]:
    """(xyz - mean) / max|xyz - mean|: (u, 3) um -> (u, 3) in -1..1, and that maximum in um."""
    if coordinates is None:
        raise DataError(
            "this recording has no soma coordinates (units, 3): add them, or skip this notebook"
        )
    centered = coordinates - coordinates.mean(axis=0)
    scale = float(np.abs(centered).max())
    return centered / scale, scale


@dataclass(frozen=True)
class Grid:
    """Cells of equal size; a position is normalized x, y, z."""

    axes: tuple[np.ndarray, np.ndarray, np.ndarray]  # centers along x (p,), y (q,), z (s,)

    @classmethod
    def of(
        cls,
        positions: Sequence[np.ndarray],
        bins: tuple[int, int, int] = BINS,
        edge_decimals: int | None = 3,
        center_decimals: int | None = 4,
    ) -> Grid:
        """Equal bins over the range of all sessions' units, each (u, 3).

        Decimals are rounded to as in the published analysis; None rounds nothing.
        """
        axes = []
        for values, n in zip(np.concatenate(positions).T, bins, strict=True):
            edges = np.linspace(values.min(), values.max(), n + 1)
            edges = edges if edge_decimals is None else edges.round(edge_decimals)
            middle = (edges[1:] + edges[:-1]) / 2
            axes.append(middle if center_decimals is None else middle.round(center_decimals))
        return cls(tuple(axes))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells along x, y and z."""
        return tuple(map(len, self.axes))

    @property
    def centers(self) -> np.ndarray:
        """Centers of all cells, z fastest: -> (m, 3)."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True)
class Interpolation:
    """From units to cells: each cell's four surrounding units, from one Delaunay triangulation."""

    vertices: np.ndarray  # (m, 4) units
    weights: np.ndarray  # (m, 4) barycentric, nan outside the hull of all units

    @classmethod
    def of(cls, positions: np.ndarray, centers: np.ndarray) -> Interpolation:
        """Triangulate once for all images: (u, 3), (m, 3). DataError if units lie in a plane."""
        try:
            triangulation = Delaunay(positions)
        except (QhullError, ValueError) as error:
            raise DataError(
                f"coordinates {np.shape(positions)} have no volume to interpolate in: give x, y "
                f"and depth of at least 4 units, not in one plane ({str(error).split()[0]})"
            ) from None
        simplex = triangulation.find_simplex(centers)
        transform = triangulation.transform[simplex]
        first = np.einsum("mij,mj->mi", transform[:, :3], centers - transform[:, 3])
        weights = np.column_stack([first, 1 - first.sum(axis=1)])
        weights[simplex < 0] = np.nan
        return cls(triangulation.simplices[simplex], weights)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values of units to values of cells, all images at once: (i, u) -> (i, m)."""
        parts = zip(self.vertices.T, self.weights.T, strict=True)
        return sum(values[:, vertex] * weight for vertex, weight in parts)

    @property
    def inside(self) -> np.ndarray:
        """Cells inside the hull: -> (m,) bool."""
        return np.isfinite(self.weights[:, 0])

    @property
    def of_inside(self) -> Interpolation:
        """The same for the cells inside alone: values are never nan."""
        return Interpolation(self.vertices[self.inside], self.weights[self.inside])


# Rank lag: the published curve ------------------------------------------------------------------


def ranked(centers: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Cells inside, by distance to the first of them: (m, 3), (m,) bool -> (m',) indices."""
    cells = np.flatnonzero(inside)
    distance = np.linalg.norm(centers[cells] - centers[cells[:1]], axis=1)
    return cells[np.argsort(distance, kind="stable")]


def rank_lag_curve(
    a: np.ndarray, b: np.ndarray, centers: np.ndarray, drop: int = 300
) -> np.ndarray:
    """Mean similarity of cells k ranks apart, k = 1, 2, ...: (i, m), (i, m), (m, 3) -> (lags,).

    The means of the k-th super- and sub-diagonals of the correlation matrix of the ranked cells, as
    autocorrelations of the images by Fourier transform. The last `drop` lags are left out. a and b
    are cells of one session twice, or of two; a rank is not a place, and a lag not a distance.
    """
    order = ranked(centers, np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0))
    m = len(order)
    if m <= drop + 2:
        raise DataError(f"{m} cells lie inside the hull, but {drop} lags are dropped: drop fewer")
    spectra = [rfft(z_score(x[:, order]), next_fast_len(2 * m)) for x in (a, b)]
    products = irfft((spectra[0].conj() * spectra[1]).sum(axis=0), next_fast_len(2 * m)) / len(a)
    lags = np.arange(1, m - drop)
    return (products[lags] + products[-lags]) / (2 * (m - lags))


def lag_means(
    places: np.ndarray, function: Callable[[np.ndarray], np.ndarray], drop: int = 300
) -> np.ndarray:
    """Mean of a function of distance over ranked places k ranks apart: (m, 3) -> (lags,)."""
    m = len(places)
    sums = np.zeros(m)
    for start in range(0, m, ROWS):
        values = function(cdist(places[start : start + ROWS], places[start:]))
        lags = np.arange(values.shape[1]) - np.arange(len(values))[:, None]
        sums += np.bincount(lags[lags >= 0], values[lags >= 0], minlength=m)
    lags = np.arange(1, m - drop)
    return sums[lags] / (m - lags)


# Maps and slopes --------------------------------------------------------------------------------


def on_grid(cells: np.ndarray, grid: Grid) -> np.ndarray:
    """z-scores over images, in space: (i, m) -> (i, p, q, s), nan outside the hull."""
    return z_score(cells).reshape(len(cells), *grid.shape)


def known_mean(x: np.ndarray, axis: int = 0) -> np.ndarray:
    """Mean over an axis of what is not nan; nan where nothing is known."""
    return divide(np.nansum(x, axis=axis), np.isfinite(x).sum(axis=axis))


def similarity_map(
    a: np.ndarray, b: np.ndarray, plane: str, reference: tuple[int, int]
) -> np.ndarray:
    """r of a reference cell in a and the cells of its plane in b, mean over all parallel planes.

    (i, p, q, s) twice, as from `on_grid`, plane "xy" and the reference's indices -> (p, q).
    """
    first, second = (1 + AXES[name] for name in plane)
    a, b = (np.moveaxis(x, (first, second), (1, 2)) for x in (a, b))
    r = np.einsum("ik,ipqk->pqk", a[:, reference[0], reference[1]], b) / len(a)
    return known_mean(r, axis=-1)


def nearest_covered(
    inside: np.ndarray, grid: Grid, plane: str, wanted: tuple[float, float]
) -> tuple[int, int]:
    """The cell of a plane nearest to a position, at some depth inside the hull of every session.

    (sessions, p, q, s) bool, plane "xy" and normalized x, y -> indices. DataError if there is none.
    """
    first, second = (AXES[name] for name in plane)
    other = ({*AXES.values()} - {first, second}).pop()
    covered = inside.any(axis=1 + other).all(axis=0)
    if not covered.any():
        raise DataError(f"no cell of plane {plane} lies inside all {len(inside)} hulls: fewer bins")
    distance = np.add.outer(
        (grid.axes[first] - wanted[0]) ** 2, (grid.axes[second] - wanted[1]) ** 2
    )
    found = np.unravel_index(np.argmin(np.where(covered, distance, np.inf)), covered.shape)
    return int(found[0]), int(found[1])


def change_ratio(
    a: np.ndarray, b: np.ndarray, grid: Grid, axis: str, limit: float = 0.16
) -> np.ndarray:
    """|r(cell) - r(ref)| / |distance| along an axis, for every reference cell: -> (pairs,).

    (i, p, q, s) twice, as from `on_grid`. r(ref) is that of the reference in a with the same place
    in b (1 within a session), r(cell) that with a cell up to about `limit` away along the axis.
    """
    along = AXES[axis] + 1
    spacing = np.diff(grid.axes[along - 1]).mean()
    a, b = np.moveaxis(a, along, 1), np.moveaxis(b, along, 1)
    ratios = []
    for step in range(1, round(limit / spacing) + 1):
        low, high = slice(None, -step), slice(step, None)
        for here, there in ((low, high), (high, low)):
            change = np.mean(a[:, here] * (b[:, there] - b[:, here]), axis=0)
            ratios.append(np.abs(change) / (step * spacing))
    values = np.concatenate([r.ravel() for r in ratios])
    return values[np.isfinite(values)]


def welch(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Welch's t-test of two samples and Cohen's d (pooled deviation): (n,), (m,) -> t, p, d."""
    t, p = ttest_ind(a, b, equal_var=False)
    weights = np.array([len(a) - 1, len(b) - 1])
    pooled = np.sqrt(np.average([np.var(a, ddof=1), np.var(b, ddof=1)], weights=weights))
    return {"t": float(t), "p": float(p), "d": float((np.mean(a) - np.mean(b)) / pooled)}
