"""Boosted trees read what no line can; their stages are models of so many trees."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from src.correlation import explained_variance
from src.evaluation.decomposition import decompose_features
from src.evaluation.ridge import best_held_out, search
from src.evaluation.trees import TREES, tree_candidates

RNG = np.random.default_rng(7)
X = RNG.normal(size=(500, 4))
EXCLUSIVE = np.sign(X[:, 0] * X[:, 1])
Y = np.column_stack([EXCLUSIVE + 0.3 * RNG.normal(size=500), RNG.normal(size=500)])


@pytest.fixture(scope="module")
def stages():
    return tree_candidates(X[:400], Y[:400], X[400:])


def test_a_stage_is_a_model_of_so_many_trees(stages):
    assert stages.shape == (len(TREES), 100, 2)
    assert (TREES[0], TREES[-1]) == (0, 100)
    np.testing.assert_allclose(stages[0], np.tile(Y[:400].mean(0), (100, 1)))
    look = {"learning_rate": 0.2, "max_leaf_nodes": 4, "max_bins": 31, "early_stopping": False}
    for k in (1, 5, 10):
        model = HistGradientBoostingRegressor(max_iter=TREES[k], **look).fit(X[:400], Y[:400, 0])
        np.testing.assert_allclose(stages[k, :, 0], model.predict(X[400:]), atol=1e-12)


def test_trees_find_an_exclusive_or_that_ridge_misses(stages):
    linear = search(decompose_features(X[:400]), Y[:400]).fit.predict(X[400:])
    assert explained_variance(linear, Y[400:])[0] < 0.05
    assert explained_variance(stages[-1], Y[400:])[0] > 0.6


def test_noise_takes_no_tree_or_few(stages):
    best = best_held_out(stages, Y[400:])
    assert best.index[1] <= 1 < best.index[0]
    assert best.edge[1] == -int(best.index[1] == 0)


def test_the_same_bytes_again(stages):
    again = tree_candidates(X[:400], Y[:400], X[400:])
    assert again.tobytes() == stages.tobytes()
