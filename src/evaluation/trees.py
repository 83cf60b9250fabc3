"""Gradient-boosted trees, one model a unit: what a map that need not be linear reads of features.

Friedman 2001; trees on histograms as in LightGBM (Ke et al. 2017), by scikit-learn.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

STEP = 10
TREES = np.arange(0, 101, STEP)  # candidates; 0 is the mean


def tree_candidates(x: np.ndarray, y: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Predictions after each number of TREES, a Fit: (n, q), (n, u), (m, q) -> (a, m, u).

    Trees are small and nothing is drawn at random; one thread, so that bytes agree.
    """
    with threadpool_limits(1, "openmp"):
        return np.stack([_boosted(x, values, to) for values in y.T], axis=-1)


def _boosted(x: np.ndarray, y: np.ndarray, to: np.ndarray) -> np.ndarray:
    """One unit: (n, q), (n,), (m, q) -> (a, m)."""
    model = HistGradientBoostingRegressor(
        max_iter=TREES[-1],
        learning_rate=0.2,
        max_leaf_nodes=4,
        max_bins=31,
        early_stopping=False,
        random_state=0,
    )
    stages = model.fit(x, y).staged_predict(to)
    return np.array([np.full(len(to), y.mean()), *islice(stages, STEP - 1, None, STEP)])
