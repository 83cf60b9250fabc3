"""Mappings against scikit-learn, with fewer and with more features than stimuli."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV

from src.evaluation.folds import brain_score_splits
from src.evaluation.linear_scores import RIDGECV_ALPHAS, one_to_one
from src.evaluation.mapping import cross_validated

THEIRS = {
    "pls": lambda: PLSRegression(5, scale=False, tol=1e-20, max_iter=100_000),
    "ridge": lambda: Ridge(1.0),
    "linear": LinearRegression,
    "ridge_cv": lambda: RidgeCV(RIDGECV_ALPHAS),
}


@pytest.mark.parametrize("mapping", THEIRS)
@pytest.mark.parametrize("p", [15, 60, 200])
def test_predictions_are_scikit_learns(mapping, p):
    rng = np.random.default_rng(p)
    x = rng.normal(size=(80, p)) * np.geomspace(1, 0.1, p) + 1
    y = x @ rng.normal(size=(p, 6)) + rng.normal(size=(80, 6))
    splits = brain_score_splits(np.arange(80) % 4)[:2]
    found = cross_validated(x, y, splits, mapping, 5)
    for (train, test), predicted in zip(splits, found.predicted, strict=True):
        expected = THEIRS[mapping]().fit(x[train], y[train]).predict(x[test])
        np.testing.assert_allclose(predicted, expected, atol=1e-7)


def test_a_feature_that_does_not_vary_is_never_chosen():
    """Not even where all others correlate negatively."""
    y = np.random.default_rng(0).normal(size=(50, 1))
    x = np.column_stack(
        [np.full(50, 7.0), -y, -y + 0.5 * np.random.default_rng(1).normal(size=(50, 1))]
    )
    fit = one_to_one(x, y, chunk=2)
    assert fit.columns.tolist() == [2]
    np.testing.assert_array_equal(fit.predict(x), x[:, 2:])
