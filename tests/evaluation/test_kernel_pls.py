"""PLS of all splits from one Gram, against the fit of each split and scikit-learn."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from src.data.errors import DataError
from src.evaluation.kernel_pls import pls_over_splits
from src.evaluation.pls import fit_pls

SHAPES = [(80, 20, 5), (80, 80, 5), (60, 300, 5), (60, 300, 1), (60, 200, 90)]


def draw(n, p, u):
    rng = np.random.default_rng(n + p + u)
    x = rng.normal(size=(n, p)) * np.geomspace(3, 0.3, p) + 2
    y = x @ rng.normal(size=(p, u)) + rng.normal(size=(n, u)) + 5
    orders = [rng.permutation(n) for _ in range(3)]
    return x, y, [(order[: n - 9], order[n - 9 :]) for order in orders]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("k", [1, 2, 15])
def test_every_split_is_fitted_as_alone(shape, k):
    x, y, splits = draw(*shape)
    for (train, test), found in zip(splits, pls_over_splits(x @ x.T, y, splits, k), strict=True):
        expected = fit_pls(x[train], y[train], k).predict(x[test])
        np.testing.assert_allclose(found, expected, atol=1e-8)
        theirs = PLSRegression(k, scale=False, tol=1e-20, max_iter=100_000).fit(x[train], y[train])
        expected = theirs.predict(x[test]).reshape(len(test), -1)
        np.testing.assert_allclose(found, expected, atol=1e-7)


def test_a_large_common_offset_keeps_the_digits():
    x, y, splits = draw(60, 300, 5)
    far = x + 1000
    found = pls_over_splits(far @ far.T, y, splits, 10)
    for one, other in zip(found, pls_over_splits(x @ x.T, y, splits, 10), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_it_stops_when_nothing_is_left_to_explain():
    x, _, splits = draw(60, 300, 5)
    train, _ = splits[0]
    x[train] = np.linalg.qr(x[train] - x[train].mean(0))[0] @ np.eye(51, 300)
    y = 3 * x[:, :1] + 1
    found = pls_over_splits(x @ x.T, y, splits[:1], 20)[0]
    np.testing.assert_allclose(found, y[splits[0][1]], atol=1e-8)
    constant = pls_over_splits(x @ x.T, np.full((60, 2), 4.0), splits, 3)
    np.testing.assert_array_equal(constant, 4.0)


def test_the_arrays_given_are_left_as_they_are():
    x, y, splits = draw(60, 20, 5)
    gram, before = x @ x.T, y.copy()
    kept = gram.copy()
    pls_over_splits(gram, y, splits, 5)
    np.testing.assert_array_equal(gram, kept)
    np.testing.assert_array_equal(y, before)


def test_refusals():
    x, y, splits = draw(60, 20, 5)
    with pytest.raises(DataError, match="51 components asked of 51 training rows"):
        pls_over_splits(x @ x.T, y, splits, 51)
    with pytest.raises(DataError, match=r"a Gram \(60, 20\) and responses \(60, 5\)"):
        pls_over_splits(x, y, splits)
