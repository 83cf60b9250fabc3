"""Scores of linear maps on images they were not fitted to, and the controls that go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pandas as pd

from src.correlation import explained_variance
from src.data.errors import DataError
from src.evaluation.decomposition import Decomposition, LinearMap, decompose_features
from src.evaluation.folds import Splits, brain_score_splits
from src.evaluation.gram import CHUNK
from src.evaluation.metrics import correlation
from src.evaluation.ridge import ALPHAS, fit_ridge, search
from src.seeds import numpy_stream

# Alphas of Brain-Score's ridge on given train and test sets: 99 values, raw units.
RIDGECV_ALPHAS = np.concatenate(
    [
        [0.01, 0.1, 0.5, 1],
        np.linspace(10, 100, 4, endpoint=False),
        *(np.linspace(10.0**k, 10.0 ** (k + 1), 18, endpoint=False) for k in range(2, 6)),
        np.linspace(1e6, 1e7, 19),
    ]
)


class Fitted(Protocol):
    """What has been fitted and predicts: (m, p) -> (m, u)."""

    def predict(self, x: np.ndarray) -> np.ndarray: ...


Regression = Callable[[np.ndarray, np.ndarray], Fitted]  # features (n, p), responses (n, u)


@dataclass(frozen=True, eq=False)
class SplitScore:
    """A measure by split and unit, s splits and u units, as Brain-Score sums it up."""

    raw: np.ndarray  # (s, u)
    predicted: Sequence[np.ndarray] = ()  # s of (m, u): test rows, where something was predicted
    tests: Sequence[np.ndarray] = ()  # s of (m,): which rows

    @property
    def score(self) -> float:
        """Mean over splits of the median over units."""
        return float(np.median(self.raw, axis=1).mean())

    @property
    def error(self) -> float:
        """Standard deviation (ddof 0) of the medians over the square root of their number."""
        return float(np.median(self.raw, axis=1).std() / np.sqrt(len(self.raw)))

    @classmethod
    def of(cls, predicted: Iterable[np.ndarray], y: np.ndarray, splits: Splits) -> SplitScore:
        """Correlation over the test rows of each split: s of (m, u), (n, u) -> SplitScore."""
        predicted, tests = list(predicted), [test for _, test in splits]
        raw = [correlation(p, y[test]) for p, test in zip(predicted, tests, strict=True)]
        return cls(np.array(raw), predicted, tests)


def split_score(
    x: np.ndarray, y: np.ndarray, ids: np.ndarray, objects: np.ndarray, regression: Regression
) -> SplitScore:
    """Brain-Score's cross-validated correlation: (n, p), (n, u), (n,), (n,) -> SplitScore.

    `regression` is `ridge_one`, `least_squares`, `one_to_one` or `pls.fit_pls`. For p > n, x may be
    `decompose(gram).coordinates`, but not for `one_to_one`.
    """
    order = np.argsort(np.asarray(ids).astype(str), kind="stable")
    x, y = x[order], y[order]
    splits = brain_score_splits(np.asarray(objects)[order])
    predicted = (regression(x[train], y[train]).predict(x[test]) for train, test in splits)
    return SplitScore.of(predicted, y, splits)


def one_to_one(x: np.ndarray, y: np.ndarray, chunk: int = CHUNK) -> LinearMap:
    """For each unit the feature with the largest r over the rows: (n, p), (n, u) -> LinearMap.

    Its raw value is the prediction. r is signed; features that do not vary are never chosen unless
    none does (Brain-Score's neuron to neuron).
    """
    best, chosen = np.full(y.shape[1], -np.inf), np.zeros(y.shape[1], int)
    z = unit_columns(y)
    for first in range(0, x.shape[1], chunk):
        r = unit_columns(x[:, first : first + chunk]).T @ z
        r[~(r**2).any(axis=1)] = -np.inf
        better = r.max(axis=0) > best
        chosen[better] = first + r.argmax(axis=0)[better]
        best = np.maximum(best, r.max(axis=0))
    units = len(chosen)
    return LinearMap(chosen, np.zeros(units), np.eye(units), np.zeros(units))


def unit_columns(x: np.ndarray) -> np.ndarray:
    """Columns centered and of length 1, 0 where constant or not finite: (n, p) -> (n, p)."""
    x = np.asarray(x, np.float64)
    centered = x - x.mean(axis=0)
    length = np.linalg.norm(centered, axis=0)
    varies = length > 1e-12 * np.linalg.norm(x, axis=0)
    return np.where(varies, centered, 0) / np.where(varies, length, 1)


def ridge_one(x: np.ndarray, y: np.ndarray) -> LinearMap:
    """Ridge with alpha 1 on raw features: (n, p), (n, u) -> LinearMap."""
    decomposition = decompose_features(x)
    return fit_ridge(decomposition, y, decomposition.in_scaled_units(1.0))


def least_squares(x: np.ndarray, y: np.ndarray) -> LinearMap:
    """Least squares, of minimum norm where p >= n: (n, p), (n, u) -> LinearMap."""
    return fit_ridge(decompose_features(x), y, 0.0)


def ridgecv_split(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray
) -> tuple[float, float]:
    """Median test correlation and raw alpha of Brain-Score's ridge for given sets: (n, p), ...

    One alpha for all units, of 99, by leave-one-out mean squared error.
    """
    d = decompose_features(x)
    choice = search(d, y, d.in_scaled_units(RIDGECV_ALPHAS), per_unit=False, criterion="mse")
    score = np.median(correlation(choice.fit.predict(x_test), y_test))
    return float(score), float(choice.alpha[0] * d.scale)


def permuted_rows(n: int, seed: int, k: int = 0) -> np.ndarray:
    """An order in which responses belong to other images, the k-th of a seed: -> (n,)."""
    return numpy_stream(seed, "permutation", k).permutation(n)


def permutation_control(
    decomposition: Decomposition,
    y: np.ndarray,
    rows_test: np.ndarray,
    y_test: np.ndarray,
    seed: int,
    permutations: int = 5,
    alphas: np.ndarray = ALPHAS,
    groups: np.ndarray | None = None,
) -> pd.DataFrame:
    """Scores when responses belong to other images: columns permutation, r, ev; one row each.

    Training responses (n, u) are permuted over images, all units alike, alpha chosen anew, test
    rows (m, q) predicted; r and ev are means over units. Rows that are aligned give about 0. All
    permutations are units of one fit, since what is costly in it does not depend on responses.
    """
    orders = [permuted_rows(len(y), seed, k) for k in range(permutations)]
    together = np.hstack([y[order] for order in orders])
    every = search(decomposition, together, alphas, groups).fit.predict(rows_test)
    rows = []
    for k, predicted in enumerate(np.hsplit(every, permutations)):
        ev = np.nanmean(explained_variance(predicted, y_test))
        rows.append((k, correlation(predicted, y_test).mean(), ev))
    return pd.DataFrame(rows, columns=["permutation", "r", "ev"])


def sample_of(scored: np.ndarray, trained: np.ndarray) -> Literal["held out", "in sample"]:
    """Whether images were fitted: (m,), (n,) ids or content hashes; a mixture is refused.

    An in-sample score is no evidence: 1000 arbitrary regressors explain 1000/2592 of the variance
    of 2592 images.
    """
    seen = np.isin(scored, trained)
    if seen.any() and not seen.all():
        raise DataError(
            f"{seen.sum()} of {len(seen)} scored images were also trained on: score them apart"
        )
    return "in sample" if seen.any() else "held out"
