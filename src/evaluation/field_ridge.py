"""Feature-weighted receptive fields: every unit has one Gaussian field, and a ridge through it.

    r_v = b_v + sum_f w_vf (sum_s g_vs x_fs - m_f) / sd_f

Candidates for g and for lambda are compared by the squared error on images held out, unit by unit:
some, or where images are few each in turn. Of thousands of candidates the best on thirty images is
best by chance, and predicts worse than the mean of the training responses. Maps are read once for
each block of candidates. For one candidate all lambdas and units need one Gram matrix and, for each
lambda, a Cholesky factor and as many solutions as images are held out: H = X_h (X'X + lambda)^-1
predicts every unit by a product, and weights are only computed for the candidate a unit chose.
Candidates are compared in single precision where lambda is large enough for it. Source: St-Yves &
Naselaris 2018; St-Yves et al. 2023; specification nsd_gnet, 5.4 and 5.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from src.data.errors import DataError
from src.data.gaussian_fields import field_weights
from src.evaluation.decomposition import CUT
from src.evaluation.fields import channel_scale, pool_maps

LAMBDAS = np.logspace(3, 6, 9)  # in units of X'X of standardized features, summed over rows
CANDIDATES = 100  # whose features are held at a time: (100, n, f) float32
EPSILON = 1e-6  # added to standard deviations
SINGLE = 1e5  # largest trace(X'X) / lambda at which single precision compares candidates


@dataclass(frozen=True, eq=False)
class FieldRegression:
    """Field, lambda and weights of u units over f features, of c candidate fields."""

    fields: np.ndarray  # (c, 3) x, y, sigma of all candidates
    lambdas: np.ndarray  # (a,)
    field_index: np.ndarray  # (u,) candidate chosen
    lambda_index: np.ndarray  # (u,)
    error: np.ndarray  # (u,) squared error summed over held-out images at the choice
    used: np.ndarray  # (k,) candidates chosen by any unit, ascending
    mean: np.ndarray  # (k, f) of the features seen through them
    std: np.ndarray  # (k, f) with 1e-6 added
    weights: np.ndarray  # (u, f) of standardized features
    bias: np.ndarray  # (u,)

    def predict(self, maps: Sequence[np.ndarray], block: int = CANDIDATES) -> np.ndarray:
        """Responses to n images: l maps (n, c, h, w) or features (n, c) -> (n, u)."""
        y = np.empty((len(maps[0]), len(self.bias)))
        for k, x in _seen(maps, self.fields[self.used], block):
            units = self.field_index == self.used[k]
            z = (x.astype(np.float64) - self.mean[k]) / self.std[k]
            y[:, units] = z @ self.weights[units].T + self.bias[units]
        return y


def fit_fields(
    maps: Sequence[np.ndarray],
    y: np.ndarray,
    fields: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    lambdas: np.ndarray = LAMBDAS,
    counts: np.ndarray | None = None,
    legacy: bool = False,
    block: int = CANDIDATES,
    among: np.ndarray | None = None,
    shows: np.ndarray | None = None,
) -> FieldRegression:
    """Best field and lambda of each unit: l maps (n, c, h, w) or (n, c), (n, u), (v, 3) -> a fit.

    `train` and `held_out` are rows; with none held out, each training row is predicted without it
    (leave-one-out, exact but for the statistics of features). `counts` (n,) how many trials each
    row is the mean of, which gives the solution of the single trials. By default features are
    standardized on training rows, the constant is not penalized, and the choice is fitted again on
    both sets of rows. `legacy` is the published definition: statistics of both, a penalized column
    of ones, no second fit. Units try only the candidates that are true in `among` (u, v). `shows`
    (n,) says which of the maps' images each row of responses is of, if not the one in its place.
    """
    if legacy and not len(held_out):
        raise DataError("legacy chooses on images held out, and there are none: hold some out")
    rows = _Rows(train, held_out, np.ones(len(y)) if counts is None else counts, legacy)
    y, lambdas = np.asarray(y, np.float64), np.asarray(lambdas, np.float64)
    shows = np.arange(len(maps[0])) if shows is None else shows
    if len(y) != len(shows) or not np.isfinite(y).all():
        raise DataError(
            f"responses are {y.shape} for maps of {len(shows)} images, or not finite: give a "
            "row an image"
        )
    best = np.full(y.shape[1], np.inf)
    field, penalty = np.zeros(y.shape[1], int), np.zeros(y.shape[1], int)
    trace = rows.counts[train].sum() * sum(m.shape[1] for m in maps)
    kind = np.float32 if len(held_out) and trace <= SINGLE * lambdas.min() else np.float64
    targets = [part.astype(kind) for part in rows.targets(y)]
    tried = np.ones((len(best), len(fields)), bool) if among is None else among
    which = np.flatnonzero(tried.any(0))
    for i, x in _seen(maps, fields[which], block):
        units = np.flatnonzero(tried[:, k := which[i]])
        errors = rows.errors(x[shows].astype(kind), *(part[:, units] for part in targets), lambdas)
        chosen = errors.argmin(0)
        error = errors[chosen, np.arange(len(units))]
        better = error < best[units]  # the first of equal ones stays
        units = units[better]
        best[units], field[units], penalty[units] = error[better], k, chosen[better]
    used = np.unique(field)
    mean, std = (np.empty((len(used), x.shape[1])) for _ in range(2))
    weights, bias = np.zeros((y.shape[1], x.shape[1])), np.zeros(y.shape[1])
    for k, x in _seen(maps, fields[used], block):
        units = field == used[k]
        found = rows.final(x[shows].astype(np.float64), y[:, units], lambdas[penalty[units]])
        mean[k], std[k], weights[units], bias[units] = found
    choice = field, penalty, best
    return FieldRegression(fields, lambdas, *choice, used, mean, std, weights, bias)


def widest_channels(layer: np.ndarray, rows: np.ndarray, keep: int = 512) -> np.ndarray:
    """Channels that vary most over training images and places: (n, c, ...), (m,) -> (keep,).

    In the order of the layer; all where there are no more.
    """
    maps = layer[:, :, None, None] if layer.ndim == 2 else layer
    std = channel_scale(maps, rows)[1]
    varies = np.where(np.isinf(std), 0, std)
    return np.sort(np.argsort(-varies, kind="stable")[:keep])


def _seen(
    maps: Sequence[np.ndarray], fields: np.ndarray, block: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Number of each field, and what is seen through it: -> (n, f) float32."""
    layers = [m[:, :, None, None] if m.ndim == 2 else m for m in maps]
    if len({len(layer) for layer in layers}) != 1 or any(m.ndim != 4 for m in layers):
        shapes = ", ".join(str(m.shape) for m in maps)
        raise DataError(f"maps are {shapes}, not (n, c, h, w) of one n: extract them together")
    for first in range(0, len(fields), block):
        some = fields[first : first + block]
        seen = [pool_maps(m, field_weights(some, *m.shape[2:])) for m in layers]
        for k, parts in enumerate(zip(*seen, strict=True), start=first):
            yield k, np.concatenate(parts, axis=1)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Which rows train and which are held out, what each counts, and how features are prepared."""

    train: np.ndarray
    held_out: np.ndarray
    counts: np.ndarray  # (n,)
    legacy: bool

    @property
    def both(self) -> np.ndarray:
        """All rows that are used."""
        return np.concatenate([self.train, self.held_out])

    def targets(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted responses of both sets of rows: (n, u) -> Y, Y_h."""
        centered = y if self.legacy else y - self.mean(y, self.train)
        return self.weighted(centered, self.train), self.weighted(centered, self.held_out)

    def designs(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted features of both sets of rows: (n, f) -> X, X_h."""
        z = self.design(x, *self.moments(x, self.both if self.legacy else self.train))
        return self.weighted(z, self.train), self.weighted(z, self.held_out)

    def errors(
        self, x: np.ndarray, y: np.ndarray, y_held_out: np.ndarray, lambdas: np.ndarray
    ) -> np.ndarray:
        """Squared error at each lambda on rows that were not fitted: (n, f), targets -> (a, u)."""
        seen, unseen = self.designs(x)
        if len(unseen):
            return held_out_errors(seen, unseen, y, y_held_out, lambdas)
        return left_out_errors(seen, y, self.counts[self.train], lambdas)

    def final(
        self, x: np.ndarray, y: np.ndarray, lambdas: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Mean, std, weights (u, f) and bias (u,) with a lambda a unit: (n, f), (n, u), (u,)."""
        fitted = self.train if self.legacy else self.both
        moments = self.moments(x, self.both)
        constant = np.zeros(y.shape[1]) if self.legacy else self.mean(y, fitted)
        z = self.weighted(self.design(x, *moments), fitted)
        weights = ridge_weights(z, self.weighted(y - constant, fitted), lambdas)
        if self.legacy:
            weights, constant = weights[:-1], weights[-1]
        return *moments, weights.T, constant

    def design(self, x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
        """Standardized features, and a column of ones where it is penalized: (n, f) -> (n, f')."""
        z = (x - mean) / std
        return np.column_stack([z, np.ones(len(z), z.dtype)]) if self.legacy else z

    def weighted(self, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Some rows, each times the root of its count: (n, k) -> (m, k)."""
        return x[rows] * np.sqrt(self.counts[rows]).astype(x.dtype)[:, None]

    def mean(self, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Mean over the trials of some rows: (n, k) -> (k,)."""
        shares = self.counts[rows] / self.counts[rows].sum()
        return shares.astype(x.dtype) @ x[rows]

    def moments(self, x: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and population standard deviation plus 1e-6 over trials: (n, f) -> (f,), (f,)."""
        mean = self.mean(x, rows)
        return mean, np.sqrt(self.mean((x - mean) ** 2, rows)) + EPSILON


def held_out_errors(
    x: np.ndarray,
    x_held_out: np.ndarray,
    y: np.ndarray,
    y_held_out: np.ndarray,
    lambdas: np.ndarray,
) -> np.ndarray:
    """Squared error of ridge at each lambda: (n, f), (h, f), (n, u), (h, u) -> (a, u).

    The smaller of X'X and XX' is factored. Of H Y, H is made first where fewer rows are held out
    than there are units.
    """
    few = len(x) <= x.shape[1]
    matrix, right, target = (
        (x @ x.T, x_held_out @ x.T, y) if few else (x.T @ x, x_held_out, x.T @ y)
    )
    errors = np.empty((len(lambdas), y.shape[1]))
    for i, penalty in enumerate(lambdas):
        factor = cho_factor(_shifted(matrix, penalty), overwrite_a=True, check_finite=False)
        if len(right) < target.shape[1]:
            predicted = cho_solve(factor, right.T, check_finite=False).T @ target
        else:
            predicted = right @ cho_solve(factor, target, check_finite=False)
        predicted -= y_held_out
        errors[i] = np.einsum("hu,hu->u", predicted, predicted)
    return errors


def left_out_errors(
    x: np.ndarray, y: np.ndarray, counts: np.ndarray, lambdas: np.ndarray
) -> np.ndarray:
    """Squared error of ridge, each row predicted without it: (n, f), (n, u), (n,) -> (a, u).

    Rows are times the roots of their counts, after their weighted mean was taken away, so that the
    constant has its share in what a row says of itself. As in src/evaluation/ridge.py.
    """
    few = len(x) <= x.shape[1]
    values, vectors = np.linalg.eigh(x @ x.T if few else x.T @ x)
    kept = values > CUT * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    vectors = vectors if few else x @ (vectors / np.sqrt(values))
    parts, own = vectors.T @ y, counts / counts.sum()
    errors = np.empty((len(lambdas), y.shape[1]))
    for i, penalty in enumerate(lambdas):
        shrunk = values / (values + penalty)
        residual = y - vectors @ (shrunk[:, None] * parts)
        residual /= (1 - own - vectors**2 @ shrunk)[:, None]
        errors[i] = np.einsum("nu,nu->u", residual, residual)
    return errors


def ridge_weights(x: np.ndarray, y: np.ndarray, lambdas: np.ndarray) -> np.ndarray:
    """Weights of ridge without intercept, a lambda a unit: (n, f), (n, u), (u,) -> (f, u)."""
    few = len(x) <= x.shape[1]
    matrix, target = (x @ x.T, y) if few else (x.T @ x, x.T @ y)
    solved = np.empty_like(target)
    for penalty in np.unique(lambdas):
        units = lambdas == penalty
        factor = cho_factor(_shifted(matrix, penalty), overwrite_a=True, check_finite=False)
        solved[:, units] = cho_solve(factor, target[:, units], check_finite=False)
    return x.T @ solved if few else solved


def _shifted(matrix: np.ndarray, penalty: float) -> np.ndarray:
    """The matrix with a penalty added to its diagonal: (m, m) -> (m, m)."""
    shifted = matrix.copy(order="F")
    shifted[np.diag_indices(len(matrix))] += penalty
    return shifted
