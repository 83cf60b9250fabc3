"""PLS against scikit-learn at convergence, in every shape regime."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LinearRegression

from src.data.errors import DataError
from src.evaluation.decomposition import decompose
from src.evaluation.pls import fit_pls

SHAPES = [(60, 20, 5), (30, 30, 5), (30, 80, 5), (60, 20, 1), (60, 8, 30), (30, 80, 200)]


def draw(n, p, u):
    rng = np.random.default_rng(n + p + u)
    x = rng.normal(size=(n + 10, p)) * np.geomspace(3, 0.3, p) + 2
    y = x @ rng.normal(size=(p, u)) + rng.normal(size=(n + 10, u)) + 5
    return x[:n], x[n:], y[:n]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("k", [1, 2, 7])
def test_equals_nipals_at_convergence(shape, k):
    x, new, y = draw(*shape)
    theirs = PLSRegression(k, scale=False, tol=1e-20, max_iter=100_000).fit(x, y)
    expected = theirs.predict(new).reshape(len(new), -1)
    np.testing.assert_allclose(fit_pls(x, y, k).predict(new), expected, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_rotation_by_a_gram_changes_nothing(shape):
    x, new, y = draw(*shape)
    both = np.concatenate([x, new])
    z = decompose(both @ both.T).coordinates
    expected = fit_pls(x, y, 6).predict(new)
    np.testing.assert_allclose(fit_pls(z[: len(x)], y, 6).predict(z[len(x) :]), expected, atol=1e-9)


def test_all_components_are_least_squares():
    x, new, y = draw(60, 8, 5)
    expected = LinearRegression().fit(x, y).predict(new)
    np.testing.assert_allclose(fit_pls(x, y, 8).predict(new), expected, atol=1e-9)


def test_stops_when_responses_are_explained():
    x, new, _ = draw(60, 20, 5)
    x = np.linalg.qr(x - x.mean(0))[0]
    y = 3 * x[:, :1] + 1
    fit = fit_pls(x, y, 15)
    np.testing.assert_allclose(fit.weights, 3 * np.eye(20)[:, :1], atol=1e-9)
    np.testing.assert_allclose(fit_pls(x, np.full((60, 2), 4.0), 3).predict(new), 4)


def test_refusals():
    x, _, y = draw(60, 20, 5)
    with pytest.raises(DataError, match=r"21 components asked of features \(60, 20\)"):
        fit_pls(x, y, 21)
    with pytest.raises(DataError, match="60 components"):
        fit_pls(np.tile(x, 4), y, 60)
    with pytest.raises(DataError, match=r"\(60, 20\) and responses \(60,\)"):
        fit_pls(x, y[:, 0])
