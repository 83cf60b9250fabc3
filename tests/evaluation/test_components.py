"""Components that every fold finds by itself, against scikit-learn."""

from functools import partial

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from src.correlation import explained_variance
from src.evaluation.components import FoldedComponents, leading, ridge_candidates

RNG = np.random.default_rng(6)
N, K = 90, 6
ROWS, FOLDS = np.sort(RNG.permutation(N)[:60]), np.arange(60) % 5
SETS = [RNG.normal(size=(N, 40)) * np.logspace(0, -1, 40) + 2, RNG.normal(size=(N, 4))]
GRAMS = [x @ x.T for x in SETS]
Y = RNG.normal(size=(60, 3)) + SETS[0][ROWS, :3]
ALPHAS = np.array([1e-3, 1e-1, 10.0])


def by_hand(rows):
    """All images on the axes of some: the smaller layer has no more than 4."""
    return np.hstack([PCA(min(K, x.shape[1])).fit(x[rows]).transform(x) for x in SETS])


def ridge_by_hand(x, y, to):
    scale = np.sum((x - x.mean(0)) ** 2) / len(x)
    return np.array([Ridge(a * scale).fit(x, y).predict(to) for a in ALPHAS])


@pytest.fixture(scope="module")
def found():
    return FoldedComponents.of(GRAMS, ROWS, FOLDS, K)


def test_leading_components_are_those_of_scikit_learn():
    ours, theirs = leading(GRAMS, ROWS, K), by_hand(ROWS)
    assert ours.shape == theirs.shape == (N, K + 4)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-8)


def test_held_out_rows_have_no_part_in_their_components(found):
    held_out = found.held_out(partial(ridge_candidates, alphas=ALPHAS), Y)
    assert held_out.shape == (3, 60, 3)
    for out in np.arange(5)[:, None] == FOLDS:
        x = by_hand(ROWS[~out])
        expected = ridge_by_hand(x[ROWS[~out]], Y[~out], x[ROWS[out]])
        np.testing.assert_allclose(held_out[:, out], expected, atol=1e-8)


def test_each_unit_has_the_candidate_that_predicts_held_out_rows_best(found):
    fit = partial(ridge_candidates, alphas=ALPHAS)
    errors = ((found.held_out(fit, Y) - Y) ** 2).mean(axis=1)
    predicted, best = found.best(fit, Y)
    np.testing.assert_array_equal(best.index, errors.argmin(axis=0))
    x = by_hand(ROWS)
    expected = ridge_by_hand(x[ROWS], Y, x)[best.index, :, np.arange(3)].T
    np.testing.assert_allclose(predicted, expected, atol=1e-8)
    assert predicted.shape == (N, 3)


def test_a_candidate_alone_is_no_edge(found):
    _, best = found.best(partial(ridge_candidates, alphas=(0.0,)), Y)
    np.testing.assert_array_equal(best.edge, 0)


def test_noise_is_not_explained_held_out(found):
    """The best of 25 alphas for noise is nearly the mean."""
    noise = RNG.normal(size=(60, 50))
    _, best = found.best(ridge_candidates, noise)
    assert explained_variance(best.held_out, noise).mean() < 0.05
    x = found.whole[ROWS]
    assert explained_variance(ridge_candidates(x, noise, x, (0.0,))[0], noise).mean() > 0.1
