"""Principal axes of training rows, from features or from their Gram: the base of all linear maps.

One symmetric eigendecomposition of the Gram of the n training rows (of the p x p covariance where
p < n: same numbers) serves every alpha, every unit and every fold. Rows are centered on the
training rows and scaled so that the mean diagonal of their Gram is 1: alphas compare over layers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from src.data.errors import DataError

CUT = 1e-10  # axes below this share of the largest eigenvalue are noise (the constant is one)


@dataclass(frozen=True, eq=False)
class LinearMap:
    """A linear map with intercept, for rows of features or of the stored Gram, for u units.

    From a Gram, `weights` are the dual coefficients of the training images.
    """

    columns: np.ndarray | slice  # which of the columns of a row are used: training images, or all
    offset: np.ndarray  # (q,)
    weights: np.ndarray  # (q, u)
    intercept: np.ndarray  # (u,)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Features (m, p), or rows of the Gram against all its images (m, i) -> (m, u)."""
        return self.intercept + centered_columns(rows, self.columns, self.offset) @ self.weights


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Principal axes of n training rows, k of them, largest first."""

    vectors: np.ndarray  # (n, k) orthonormal, orthogonal to the constant
    values: np.ndarray  # (k,) eigenvalues of the scaled Gram, which sum to n without a cut
    scale: float  # mean diagonal of the Gram before scaling
    columns: np.ndarray | slice
    offset: np.ndarray  # (q,)
    axes: np.ndarray  # (q, k): (row - offset) @ axes are coordinates in scaled units

    @property
    def coordinates(self) -> np.ndarray:
        """Training rows on their principal axes, in raw units, exact: (n, k)."""
        return self.vectors * np.sqrt(self.values * self.scale)

    def project(self, rows: np.ndarray) -> np.ndarray:
        """Rows of features (m, p) or of the Gram (m, i) on the axes, in raw units -> (m, k)."""
        scaled = centered_columns(rows, self.columns, self.offset) @ self.axes
        return scaled * np.sqrt(self.scale)

    def in_scaled_units(self, alpha: float | np.ndarray) -> float | np.ndarray:
        """The alpha here that is `alpha` on raw features, as in scikit-learn's Ridge."""
        return alpha / self.scale

    def center(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Responses (n, u) -> mean (u,), centered (n, u), their parts on the axes (k, u)."""
        y = np.asarray(y, np.float64)
        if y.ndim != 2 or len(y) != len(self.vectors):
            raise DataError(
                f"responses are {y.shape} for {len(self.vectors)} training rows: "
                "give (n, u), the rows in the order of the decomposition"
            )
        if not np.isfinite(y).all():
            raise DataError(f"responses {y.shape} are not all finite: leave such images out")
        mean = y.mean(axis=0)
        return mean, y - mean, self.vectors.T @ (y - mean)

    def map(self, coefficients: np.ndarray, intercept: np.ndarray) -> LinearMap:
        """The map with these coefficients on scaled coordinates: (k, u), (u,) -> LinearMap."""
        return LinearMap(self.columns, self.offset, self.axes @ coefficients, intercept)


def centered_columns(
    rows: np.ndarray, columns: np.ndarray | slice, offset: np.ndarray
) -> np.ndarray:
    """The columns in use, less their offset, float64: (m, i) -> (m, q)."""
    used = np.asarray(rows)[:, columns]
    if used.shape[1] != len(offset):
        raise DataError(f"rows are {np.shape(rows)}, fitted were {len(offset)} columns: same order")
    return used.astype(np.float64) - offset


def _eigen(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues above the cut, largest first, and their vectors: (q, q) -> (k,), (q, k)."""
    values, vectors = np.linalg.eigh(matrix)
    kept = np.flatnonzero(values > CUT * values[-1])[::-1]
    return values[kept], vectors[:, kept]


def _require_variation(scale: float, size: float, shape: tuple[int, ...]) -> None:
    if not scale > 1e-14 * size:
        raise DataError(f"features of {shape} do not vary over the training rows: nothing to fit")


def _dual(kernel: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Eigen of a centered Gram; the constant gets the value -1, apart from every small one."""
    kernel /= scale
    kernel -= 1 / len(kernel)
    return _eigen(kernel)


def decompose(gram: np.ndarray, rows: np.ndarray | None = None) -> Decomposition:
    """Axes of the training rows of a Gram of all images: (i, i), (n,) indices -> Decomposition.

    Only the block of training rows is looked at, so one stored Gram serves every split.
    """
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1]:
        raise DataError(f"a Gram is (i, i), not {gram.shape}: use decompose_features for features")
    rows = np.arange(len(gram)) if rows is None else np.asarray(rows)
    kernel = gram[np.ix_(rows, rows)].astype(np.float64)
    size, offset = np.abs(kernel).max(), kernel.mean(axis=0)
    kernel -= offset
    kernel -= kernel.mean(axis=1)[:, None]
    scale = np.trace(kernel) / len(rows)
    _require_variation(scale, size, gram.shape)
    values, vectors = _dual(kernel, scale)
    axes = vectors / (scale * np.sqrt(values))
    return Decomposition(vectors, values, float(scale), rows, offset, axes)


def decompose_features(x: np.ndarray) -> Decomposition:
    """Axes of rows of features, by the smaller of the two problems: (n, p) -> Decomposition.

    Holds (n, p) in float64, twice: for larger features use streamed_gram and decompose.
    """
    x = np.array(x, np.float64)
    size, offset = (x**2).max(), x.mean(axis=0)
    x -= offset
    scale = np.sum(x**2) / len(x)
    _require_variation(scale, size, x.shape)
    if x.shape[1] < len(x):
        values, directions = _eigen(x.T @ x / scale)
        axes = directions / np.sqrt(scale)
        vectors = x @ (axes / np.sqrt(values))
    else:
        values, vectors = _dual(x @ x.T, scale)
        axes = x.T @ (vectors / (scale * np.sqrt(values)))
    return Decomposition(vectors, values, float(scale), slice(None), offset, axes)


def principal_components(decomposition: Decomposition, k: int) -> Decomposition:
    """The first k axes, fitted and centered inside the training rows; the scale stays."""
    rank = len(decomposition.values)
    if not 0 < k <= rank:
        raise DataError(f"{k} components asked of training rows of rank {rank}: ask for fewer")
    first = {name: getattr(decomposition, name)[..., :k] for name in ("vectors", "values", "axes")}
    return replace(decomposition, **first)
