"""Banded ridge against scikit-learn's ridge on columns scaled by hand."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from src.data.errors import DataError
from src.evaluation.bands import choose_bands
from src.evaluation.decomposition import decompose
from src.evaluation.metrics import r_squared
from src.evaluation.ridge import AtGridEdge, search

CANDIDATES = np.array([[1, 0], [3, 1], [0, 1]])
ALPHAS = np.logspace(-4, 3, 8)


@pytest.fixture
def problem():
    """Two feature sets; unit 0 follows the first, unit 1 the second, unit 2 both."""
    rng = np.random.default_rng(2)
    sets = [rng.normal(size=(70, 30)) * 10 + 1, rng.normal(size=(70, 90)) * 0.1]
    signal = [x[:, :3].sum(1) / x[:, :3].sum(1).std() for x in sets]
    y = np.column_stack([signal[0], signal[1], signal[0] + signal[1]])
    y = np.column_stack([y + 0.3 * rng.normal(size=y.shape), np.full(70, 3.0)])
    train, test = np.split(rng.permutation(70), [60])
    return sets, y, train, test


def by_hand(sets, weights, train):
    """Columns scaled so that each set has mean square norm `weight` on the training rows."""
    parts = [x - x[train].mean(0) for x in sets]
    scaled = [
        p * np.sqrt(w / np.mean(np.sum(p[train] ** 2, 1)))
        for p, w in zip(parts, weights, strict=True)
    ]
    return np.concatenate(scaled, axis=1)


def test_against_refits(problem):
    sets, y, train, test = problem
    grams, groups = [x @ x.T for x in sets], np.arange(60) % 5
    scores, predictions = {}, {}
    for c, weights in enumerate(CANDIDATES / CANDIDATES.sum(1, keepdims=True)):
        x = by_hand(sets, weights, train)
        for a in ALPHAS:
            held_out = np.empty((60, 4))
            for g in range(5):
                inside, out = train[groups != g], train[groups == g]
                fit = Ridge(a, solver="svd").fit(x[inside], y[inside])
                held_out[groups == g] = fit.predict(x[out])
            scores[c, a] = r_squared(held_out, y[train])
            predictions[c, a] = Ridge(a, solver="svd").fit(x[train], y[train]).predict(x[test])
    choice = choose_bands(grams, train, y[train], CANDIDATES, ALPHAS, groups)
    predicted = choice.predict([g[test] for g in grams])
    for unit in range(3):
        best = max(scores, key=lambda key: scores[key][unit])
        assert choice.score[unit] == pytest.approx(scores[best][unit], abs=1e-9)
        np.testing.assert_allclose(
            choice.weights[unit], CANDIDATES[best[0]] / sum(CANDIDATES[best[0]])
        )
        assert choice.alpha[unit] == best[1]
        np.testing.assert_allclose(predicted[:, unit], predictions[best][:, unit], atol=1e-9)
        found = r_squared(choice.held_out, y[train])[unit]
        assert found == pytest.approx(choice.score[unit], abs=1e-12)
    np.testing.assert_array_equal(choice.weights[:2], [[1, 0], [0, 1]])
    np.testing.assert_array_equal(choice.weights[2], [0.75, 0.25])
    np.testing.assert_allclose(predicted[:, 3], 3.0)


def test_parts_add_up_and_unused_sets_add_nothing(problem):
    sets, y, train, test = problem
    grams = [x @ x.T for x in sets]
    choice = choose_bands(grams, train, y[train], CANDIDATES, ALPHAS, np.arange(60) % 5)
    parts = choice.parts([g[test] for g in grams])
    np.testing.assert_allclose(
        choice.intercept + parts.sum(0), choice.predict([g[test] for g in grams])
    )
    assert not parts[1, :, 0].any() and not parts[0, :, 1].any()
    assert parts[0, :, 2].std() > 0.1 and parts[1, :, 2].std() > 0.01


def test_one_set_alone_is_ridge(problem):
    sets, y, train, test = problem
    gram = sets[0] @ sets[0].T
    with pytest.warns(AtGridEdge, match="the largest"):
        choice = choose_bands([gram], train, y[train, 1:2], np.array([[2.0]]), ALPHAS)
    alone = search(decompose(gram, train), y[train, 1:2], ALPHAS)
    expected = alone.fit.predict(gram[test])
    np.testing.assert_allclose(choice.predict([gram[test]]), expected, atol=1e-12)


def test_refusals(problem):
    sets, y, train, _ = problem
    grams = [x @ x.T for x in sets]
    with pytest.raises(DataError, match=r"\(3, 2\) for 1 Grams"):
        choose_bands(grams[:1], train, y[train], CANDIDATES)
    with pytest.raises(DataError, match="all >= 0"):
        choose_bands(grams, train, y[train], -CANDIDATES)
    with pytest.raises(DataError, match="set 1 does not vary"):
        choose_bands([grams[0], np.zeros((70, 70))], train, y[train], CANDIDATES)
