"""Stacking: predictions of several fits added with weights that suit each unit.

Weights are not negative and need not sum to 1; they are fitted, with an intercept, to held-out
predictions, on which a fit with more freedom has no advantage (Breiman 1996, "Stacked regressions";
as "super learner" van der Laan, Polley & Hubbard 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from src.data.errors import DataError


@dataclass(frozen=True, eq=False)
class Stack:
    """Weights of l fits for each of u units."""

    weights: np.ndarray  # (u, l) >= 0
    intercept: np.ndarray  # (u,)

    def predict(self, predictions: Sequence[np.ndarray]) -> np.ndarray:
        """The weighted sum: l of (m, u) -> (m, u)."""
        return self.intercept + np.einsum("lmu,ul->mu", np.asarray(predictions), self.weights)


def fit_stack(predictions: Sequence[np.ndarray], y: np.ndarray) -> Stack:
    """Least squares with weights >= 0, unit by unit: held out l of (n, u), (n, u) -> Stack."""
    p, y = np.asarray(predictions, np.float64), np.asarray(y, np.float64)
    if p.ndim != 3 or p.shape[1:] != y.shape:
        raise DataError(f"predictions are {p.shape}, responses {y.shape}: give l of (n, u), (n, u)")
    means, mean = p.mean(axis=1), y.mean(axis=0)
    p, y = p - means[:, None], y - mean
    weights = np.array([nnls(p[..., unit].T, y[:, unit])[0] for unit in range(y.shape[1])])
    return Stack(weights, mean - np.einsum("lu,ul->u", means, weights))


def held_out_stack(
    predictions: Sequence[np.ndarray], y: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Each group predicted with weights of the others: held out l of (n, u), (n,) -> (n, u).

    The fits behind the other groups' predictions did see this group, and so did the choice of their
    alphas. What that leaves of optimism is second order; none of it is left in a score on images
    that no fit has seen.
    """
    p, held_out = np.asarray(predictions, np.float64), np.empty(np.shape(y))
    for group in np.unique(groups):
        out = groups == group
        held_out[out] = fit_stack(p[:, ~out], y[~out]).predict(p[:, out])
    return held_out
