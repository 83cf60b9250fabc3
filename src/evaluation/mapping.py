"""Predicted responses of the held-out stimuli of every split, by each mapping of Brain-Score.

Whatever depends on features through their Gram alone is computed from it, once for all splits; the
features themselves may be a mapped file larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from scipy.linalg import solve

from src.data.errors import DataError
from src.evaluation.decomposition import decompose, decompose_features, principal_components
from src.evaluation.folds import Splits
from src.evaluation.gram import streamed_gram
from src.evaluation.kernel_pls import pls_over_splits
from src.evaluation.linear_scores import (
    RIDGECV_ALPHAS,
    Regression,
    SplitScore,
    least_squares,
    one_to_one,
    ridge_one,
)
from src.evaluation.mask_regression import fit_mask
from src.evaluation.pls import COMPONENTS, fit_pls
from src.evaluation.ridge import search

Mapping = Literal[
    *("pls", "ridge", "linear", "ridge_cv", "neuron_to_neuron", "reverse_pls", "mask_regression")
]
MAPPINGS: tuple[Mapping, ...] = get_args(Mapping)
FEW = 4  # a Gram of n rows is no help where features are fewer than n / 4
MANY_UNITS = 2000  # above it the (u, u) problem of kernel PLS costs more than a rotation


@dataclass(frozen=True, eq=False)
class Predictors:
    """Features of n stimuli, rows sorted, and what is computed from them once."""

    x: np.ndarray  # (n, p), mapped or not
    grid: tuple[int, ...] = ()  # channels, height and width that p is the product of, if it is

    @cached_property
    def gram(self) -> np.ndarray:
        """Inner products of stimuli: (n, n)."""
        return streamed_gram(self.x)

    @cached_property
    def rotated(self) -> np.ndarray:
        """Coordinates that give the same linear maps: (n, p), or (n, k) where p > n."""
        n, p = self.x.shape
        return self.x if p <= n else decompose(self.gram).coordinates

    @property
    def maps(self) -> np.ndarray:
        """Channels by places: -> (n, c, s). DataError where features are no maps."""
        if len(self.grid) != 3:
            raise DataError(f"features {self.x.shape} have no places: give a layer of maps")
        return np.reshape(self.x, (len(self.x), self.grid[0], -1))

    def components(self, train: np.ndarray, k: int) -> Predictors:
        """The first k principal components of all stimuli, fitted to some: (m,) -> (n, k)."""
        d = decompose(self.gram, train)
        return Predictors(principal_components(d, min(k, len(d.values))).project(self.gram))


def cross_validated(
    x: np.ndarray | Predictors,
    y: np.ndarray,
    splits: Splits,
    mapping: Mapping = "pls",
    components: int = COMPONENTS,
) -> SplitScore:
    """Correlation with responses to held-out stimuli: (n, p), (n, u), s splits -> SplitScore.

    pls: `components` of them; ridge: alpha 1; linear: least squares; ridge_cv: one alpha of 99 a
    split, by leave-one-out inside it; neuron_to_neuron: one feature a unit; reverse_pls: features
    predicted from units, scored by feature; mask_regression: one mask and one set of channels a
    unit, of features with places. Predictors given once serve many calls.
    """
    given = x if isinstance(x, Predictors) else Predictors(x)
    if mapping == "reverse_pls":
        y, given = np.asarray(given.x, np.float64), Predictors(np.asarray(y, np.float64))
    predicted = _predicted(given, y, splits, mapping, components)
    return SplitScore.of(predicted, y, splits)


def _predicted(
    given: Predictors, y: np.ndarray, splits: Splits, mapping: Mapping, components: int
) -> Iterable[np.ndarray]:
    n, p = given.x.shape
    match mapping:
        case "pls" | "reverse_pls" if FEW * p >= n and y.shape[1] <= MANY_UNITS:
            return pls_over_splits(given.gram, y, splits, components)
        case "pls" | "reverse_pls":
            return _each(given.rotated, y, splits, lambda a, b: fit_pls(a, b, components))
        case "ridge" if p > n:
            return (dual_ridge(given.gram, y, *split) for split in splits)
        case "ridge":
            return _each(given.x, y, splits, ridge_one)
        case "linear":
            return _each(given.rotated, y, splits, least_squares)
        case "ridge_cv":
            return (_ridge_cv(given, y, *split) for split in splits)
        case "neuron_to_neuron":
            return _each(given.x, y, splits, one_to_one)
        case "mask_regression":
            return _each(given.maps, y, splits, fit_mask)


def _each(x: np.ndarray, y: np.ndarray, splits: Splits, fit: Regression) -> Iterable[np.ndarray]:
    return (fit(x[train], y[train]).predict(x[test]) for train, test in splits)


def dual_ridge(
    gram: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, alpha: float = 1.0
) -> np.ndarray:
    """Ridge with one raw alpha from a Gram, by one solve: (n, n), (n, u) -> (m, u) of test rows."""
    kernel = gram[np.ix_(train, train)]
    offset = kernel.mean(axis=0)
    kernel -= offset
    kernel -= kernel.mean(axis=1)[:, None]
    kernel[np.diag_indices_from(kernel)] += alpha
    mean = y[train].mean(axis=0)
    dual = solve(kernel, y[train] - mean, assume_a="pos", overwrite_a=True)
    return mean + (gram[np.ix_(test, train)] - offset) @ dual


def _ridge_cv(given: Predictors, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    wide = given.x.shape[1] > len(given.x)
    rows = given.gram if wide else given.x
    d = decompose(given.gram, train) if wide else decompose_features(given.x[train])
    alphas = d.in_scaled_units(RIDGECV_ALPHAS)
    return search(d, y[train], alphas, per_unit=False, criterion="mse").fit.predict(rows[test])
