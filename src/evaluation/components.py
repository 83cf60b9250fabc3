"""Maps from the leading principal components of layers, which every fold finds without its rows.

Components found on all rows have seen those that are held out, and a score on them is too good
(defect D7 of the macaque IT specification).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from src.evaluation.decomposition import decompose, decompose_features, principal_components
from src.evaluation.ridge import ALPHAS, Best, best_held_out, fit_ridge

# Features (n, q) and responses (n, u) to fit, features (m, q) -> a candidate predictions (a, m, u).
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class FoldedComponents:
    """Components of i images, found on n of them, and again on these without each fold."""

    rows: np.ndarray  # (n,)
    folds: np.ndarray  # (n,)
    whole: np.ndarray  # (i, q) raw units
    without: dict[int, np.ndarray]  # (i, q) by fold

    @classmethod
    def of(
        cls, grams: Sequence[np.ndarray], rows: np.ndarray, folds: np.ndarray, k: int
    ) -> FoldedComponents:
        """Of each layer the first k or all there are, side by side: l of (i, i), (n,), (n,)."""
        without = {f: leading(grams, rows[folds != f], k) for f in np.unique(folds).tolist()}
        return cls(rows, folds, leading(grams, rows, k), without)

    def held_out(self, fit: Fit, y: np.ndarray) -> np.ndarray:
        """Predictions of each fold by a fit without it: (n, u) -> (a, n, u)."""
        found = {}
        for fold, x in self.without.items():
            out = self.folds == fold
            found[fold] = fit(x[self.rows[~out]], y[~out], x[self.rows[out]])
        candidates = next(iter(found.values())).shape[0]
        held_out = np.empty((candidates, *y.shape))
        for fold, predicted in found.items():
            held_out[:, self.folds == fold] = predicted
        return held_out

    def best(self, fit: Fit, y: np.ndarray) -> tuple[np.ndarray, Best]:
        """The candidate that suits held-out rows, by unit, for all images: (n, u) -> (i, u)."""
        best = best_held_out(self.held_out(fit, y), y)
        every = fit(self.whole[self.rows], y, self.whole)
        return every[best.index, :, np.arange(y.shape[1])].T, best


def leading(grams: Sequence[np.ndarray], rows: np.ndarray, k: int) -> np.ndarray:
    """All images on the first k axes of the rows, or all there are: l of (i, i) -> (i, q)."""
    axes = [decompose(gram, rows) for gram in grams]
    kept = [principal_components(found, min(k, len(found.values))) for found in axes]
    return np.hstack([found.project(gram) for found, gram in zip(kept, grams, strict=True)])


def ridge_candidates(
    x: np.ndarray, y: np.ndarray, to: np.ndarray, alphas: Sequence[float] = ALPHAS
) -> np.ndarray:
    """Ridge with every alpha, scaled units, 0 for least squares: a Fit."""
    decomposition = decompose_features(x)
    return np.array([fit_ridge(decomposition, y, alpha).predict(to) for alpha in alphas])
