"""Ridge regression for all units at once, alpha chosen by exact held-out error without a refit.

With G = U diag(w) U' the scaled, centered Gram of the training rows, the hat matrix of ridge with
an unpenalized intercept is H = 11'/n + U diag(w / (w + a)) U'. Rows t held out together have the
residual (I - H_tt)^-1 (y - H y)_t, that of a refit without them (leave-one-out: e_i / (1 - h_i);
Golub, Heath & Wahba 1979; for groups Cook & Weisberg 1982). Center and scale are those of all n.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import solve

from src.data.errors import DataError
from src.evaluation.decomposition import Decomposition, LinearMap
from src.evaluation.metrics import correlation, mean_squared_error, r_squared

ALPHAS = np.logspace(-4, 8, 25)  # in scaled units: the mean diagonal of the Gram is 1
Criterion = Literal["r2", "r", "mse"]


class AtGridEdge(UserWarning):
    """The best alpha is the smallest or largest offered: a better one may lie outside."""


@dataclass(frozen=True, eq=False)
class Best:
    """For each unit the best of a candidates, by a criterion over held-out predictions."""

    index: np.ndarray  # (u,) which candidate
    edge: np.ndarray  # (u,) -1 where it is the first, 1 the last, else 0
    score: np.ndarray  # (u,) its criterion, nan for constant units
    held_out: np.ndarray  # (n, u) its predictions
    scores: np.ndarray  # (a, u) criterion of every candidate


@dataclass(frozen=True, eq=False)
class RidgeChoice:
    """Alpha chosen by the held-out criterion, and the map fitted with it on all training rows."""

    fit: LinearMap
    alpha: np.ndarray  # (u,) in scaled units; times `Decomposition.scale` in raw ones
    edge: np.ndarray  # (u,) -1 at the smallest alpha of the grid, 1 at the largest, else 0
    score: np.ndarray  # (u,) held-out criterion at the chosen alpha, nan for constant units
    held_out: np.ndarray  # (n, u) predictions of each row by a fit without its group
    scores: np.ndarray  # (a, u) criterion at every alpha


def fit_ridge(decomposition: Decomposition, y: np.ndarray, alpha: float | np.ndarray) -> LinearMap:
    """Ridge with given alpha, one or one a unit, scaled units: (n, u) -> LinearMap.

    alpha 0 gives least squares, of minimum norm where rows are fewer than features.
    """
    mean, _, parts = decomposition.center(y)
    w = decomposition.values[:, None]
    return decomposition.map(np.sqrt(w) / (w + alpha) * parts, mean)


def choose_alpha(
    decomposition: Decomposition,
    y: np.ndarray,
    alphas: np.ndarray = ALPHAS,
    groups: np.ndarray | None = None,
    per_unit: bool = True,
    criterion: Criterion = "r2",
) -> RidgeChoice:
    """Alpha of each unit with the best held-out predictions, then the fit: (n, u) -> RidgeChoice.

    groups (n,) are rows held out together, by default each row alone. The criterion is pooled over
    all held-out predictions of a unit; `per_unit=False` takes the alpha with the best mean over
    units for all. A constant unit has no score and gets the largest alpha. Beware of "r" without
    signal: predictions by the mean of the other rows correlate negatively with the row.
    """
    choice = search(decomposition, y, alphas, groups, per_unit, criterion)
    warn_at_edge(choice.edge, alphas)
    return choice


def search(
    decomposition: Decomposition,
    y: np.ndarray,
    alphas: np.ndarray = ALPHAS,
    groups: np.ndarray | None = None,
    per_unit: bool = True,
    criterion: Criterion = "r2",
) -> RidgeChoice:
    """What choose_alpha does, without its warning: for controls, whose best alpha is no matter."""
    alphas = np.asarray(alphas, np.float64)
    if alphas.ndim != 1 or not len(alphas) or alphas[0] <= 0 or (np.diff(alphas) <= 0).any():
        raise DataError(f"alphas {alphas.shape} must be above 0 and ascend: sort them")
    y = np.asarray(y, np.float64)
    residuals = held_out_residuals(decomposition, y, alphas, groups)
    best = best_held_out((y - residual for residual in residuals), y, per_unit, criterion)
    fit = fit_ridge(decomposition, y, alphas[best.index])
    return RidgeChoice(fit, alphas[best.index], best.edge, best.score, best.held_out, best.scores)


def best_held_out(
    candidates: Iterable[np.ndarray],
    y: np.ndarray,
    per_unit: bool = True,
    criterion: Criterion = "r2",
) -> Best:
    """The candidate that predicts held-out rows best, for each unit: a of (n, u), (n, u) -> Best.

    `per_unit`, `criterion` as in choose_alpha. A constant unit has no score and gets the last.
    """
    score_of = {"r2": r_squared, "r": correlation, "mse": _minus_mse}[criterion]
    scores, constant = [], np.ptp(y, axis=0) == 0
    best = np.zeros(y.shape[1], int)
    best_score, held_out = np.full(y.shape[1], -np.inf), np.empty_like(y)
    for i, predicted in enumerate(candidates):
        scores.append(np.where(constant, np.nan, score_of(predicted, y)))
        seen = scores[i] if per_unit else np.full_like(scores[i], _mean_of_known(scores[i]))
        better = (seen > best_score) | np.isnan(seen)
        best[better], best_score[better] = i, seen[better]
        held_out[:, better] = predicted[:, better]
    score = np.take_along_axis(np.array(scores), best[None], axis=0)[0]
    ends = (best == len(scores) - 1).astype(int) - (best == 0)
    edge = np.where(np.isnan(score) | (len(scores) == 1), 0, ends)
    return Best(best, edge, score, held_out, np.array(scores))


def warn_at_edge(edge: np.ndarray, alphas: np.ndarray) -> None:
    """Say how many units chose an end of the grid of alphas, and which: (u,), (a,)."""
    ends = [(-1, "smallest", alphas[0]), (1, "largest", alphas[-1])]
    said = [f"{n} the {word}, {a:g}" for e, word, a in ends if (n := int(np.sum(edge == e)))]
    if said:
        text = f"of {len(edge)} units, {' and '.join(said)}, is the best alpha of the grid"
        warnings.warn(f"{text}: widen the grid", AtGridEdge, stacklevel=3)


def _minus_mse(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    return -mean_squared_error(p, r)


def _mean_of_known(scores: np.ndarray) -> float:
    known = scores[~np.isnan(scores)]
    return known.mean() if len(known) else np.nan


def held_out_residuals(
    decomposition: Decomposition, y: np.ndarray, alphas: np.ndarray, groups: np.ndarray | None
) -> Iterator[np.ndarray]:
    """y less its prediction without its group, an (n, u) for each alpha: (n, u), (a,), (n,).

    I - H is written as (I - 11'/n - UU') + U diag(a / (w + a)) U', which keeps its digits at tiny
    alpha; the first part is 0 where the axes span all of the centered space.
    """
    _, centered, parts = decomposition.center(y)
    u, w = decomposition.vectors, decomposition.values
    full = len(w) == len(u) - 1
    rest = 0.0 if full else centered - u @ parts
    if groups is None:
        correct = [_leave_one_out(u, full)]
    else:
        correct = [_leave_group_out(u, rows, full) for rows in _members(groups, len(u))]
    for alpha in alphas:
        kept = alpha / (w + alpha)
        residual = rest + u @ (kept[:, None] * parts)
        for solve_rows in correct:
            solve_rows(residual, kept)
        yield residual


def _members(groups: np.ndarray, n: int) -> list[np.ndarray]:
    """Rows of each group: (n,) -> g arrays."""
    names = np.unique(groups)
    if np.shape(groups) != (n,) or len(names) < 2:
        raise DataError(
            f"groups are {np.shape(groups)} with {len(names)} names for {n} rows: "
            "give each row one of two or more"
        )
    return [np.flatnonzero(groups == name) for name in names]


# Each corrects residuals (n, u) in place, given a / (w + a) of the axes (k,).
Correction = Callable[[np.ndarray, np.ndarray], None]


def _leave_one_out(u: np.ndarray, full: bool) -> Correction:
    squares = u**2
    free = 0.0 if full else 1 - 1 / len(u) - squares.sum(axis=1)

    def correct(residual: np.ndarray, kept: np.ndarray) -> None:
        residual /= (free + squares @ kept)[:, None]

    return correct


def _leave_group_out(u: np.ndarray, rows: np.ndarray, full: bool) -> Correction:
    """For few rows by their block of I - H, for more rows than axes by the Woodbury identity."""
    part = u[rows]
    if len(rows) > part.shape[1]:
        return _leave_many_out(np.column_stack([np.full(len(rows), len(u) ** -0.5), part]), rows)
    free = 0.0 if full else np.eye(len(rows)) - 1 / len(u) - part @ part.T

    def correct(residual: np.ndarray, kept: np.ndarray) -> None:
        root = part * np.sqrt(kept)
        residual[rows] = solve(free + root @ root.T, residual[rows], assume_a="pos")

    return correct


def _leave_many_out(basis: np.ndarray, rows: np.ndarray) -> Correction:
    inner = basis.T @ basis

    def correct(residual: np.ndarray, kept: np.ndarray) -> None:
        root = np.sqrt(1 - np.concatenate([[0.0], kept]))
        system = np.eye(len(root)) - root[:, None] * inner * root
        right = root[:, None] * (basis.T @ residual[rows])
        residual[rows] += basis @ (root[:, None] * solve(system, right, assume_a="pos"))

    return correct
