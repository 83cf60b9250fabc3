"""Published scorers on their stored data, and the controls on planted cases."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, RidgeCV

from src.correlation import explained_variance
from src.data.errors import DataError
from src.evaluation import linear_scores
from src.evaluation.decomposition import decompose, decompose_features
from src.evaluation.metrics import correlation, r_squared
from src.evaluation.pls import fit_pls
from src.evaluation.ridge import fit_ridge, search

SCORERS = {  # tolerance of the raw values and of the score: stored PLS stops before it converges
    "ridge": (linear_scores.ridge_one, 1e-9, 1e-9),
    "linear": (linear_scores.least_squares, 1e-9, 1e-9),
    "pls": (fit_pls, 1e-3, 1e-4),
}


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize("rotated", [False, True])
def test_published_scores(shared, name, rotated):
    stored = np.load(shared / "fixtures/brainscore/metric_outputs.npz")
    regression, raw, score = SCORERS[name]
    x, y = stored["in_features"], stored["in_repetitions"].mean(axis=0)
    if rotated:
        x = decompose(x @ x.T).coordinates
    ids, objects = stored["in_stimulus_id"], stored["in_object"]
    found = linear_scores.split_score(x, y, ids, objects, regression)
    expected = stored[f"{name}_raw_split_x_neuroid"]
    np.testing.assert_allclose(found.raw, expected, rtol=0, atol=raw)
    assert found.score == pytest.approx(float(stored[f"{name}_score"]), abs=score)
    assert found.error == pytest.approx(float(stored[f"{name}_error"]), abs=score)


def test_ridgecv_split_against_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 30)) * 20
    y = x @ rng.normal(size=(30, 6)) + rng.normal(size=(80, 6)) * np.geomspace(1, 3000, 6)
    grid = linear_scores.RIDGECV_ALPHAS
    assert len(grid) == 99 and (np.diff(grid) > 0).all()
    theirs = RidgeCV(grid).fit(x[:60], y[:60])
    score, alpha = linear_scores.ridgecv_split(x[:60], y[:60], x[60:], y[60:])
    assert alpha == pytest.approx(theirs.alpha_) and 10 < alpha < 1e6
    expected = np.median(correlation(theirs.predict(x[60:]), y[60:]))
    assert score == pytest.approx(expected, abs=1e-9)


@pytest.fixture
def aligned():
    """A Gram of 700 images that explains most of 40 units; the last 300 are for scoring."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(700, 50))
    y = x @ rng.normal(size=(50, 40)) / 7 + 0.5 * rng.normal(size=(700, 40))
    return x @ x.T, y


def test_permuted_responses_destroy_every_score(aligned):
    gram, y = aligned
    d = decompose(gram, np.arange(400))
    table = linear_scores.permutation_control(d, y[:400], gram[400:], y[400:], seed=0)
    assert len(table) == 5 and table["r"].nunique() == 5
    assert table["r"].abs().max() < 0.05 and table["ev"].abs().max() < 0.01
    straight = search(d, y[:400]).fit.predict(gram[400:])
    assert correlation(straight, y[400:]).mean() > 0.8
    again = linear_scores.permutation_control(d, y[:400], gram[400:], y[400:], seed=0)
    np.testing.assert_array_equal(again, table)
    for k, r, ev in table.itertuples(index=False):  # each as if it were fitted alone
        order = linear_scores.permuted_rows(400, 0, k)
        alone = search(d, y[order]).fit.predict(gram[400:])
        assert r == pytest.approx(correlation(alone, y[400:]).mean(), abs=1e-12)
        assert ev == pytest.approx(explained_variance(alone, y[400:]).mean(), abs=1e-12)


def test_in_sample_scores_are_labeled():
    assert linear_scores.sample_of(np.arange(400, 700), np.arange(400)) == "held out"
    assert linear_scores.sample_of(np.arange(9), np.arange(400)) == "in sample"
    with pytest.raises(DataError, match="100 of 300 scored images"):
        linear_scores.sample_of(np.arange(300, 600), np.arange(400))


def test_arbitrary_regressors_explain_their_share_in_sample():
    """1000 of 2592 rows give .386 in sample and about -1000/1591 on new rows; here a quarter."""
    rng = np.random.default_rng(0)
    n, p = 648, 250
    x, y = rng.normal(size=(2 * n, p)), rng.normal(size=(2 * n, 100))
    fit = linear_scores.least_squares(x[:n], y[:n])
    in_sample, new = fit.predict(x[:n]), fit.predict(x[n:])
    assert r_squared(in_sample, y[:n]).mean() == pytest.approx(1000 / 2592, abs=0.005)
    assert r_squared(new, y[n:]).mean() == pytest.approx(-p / (n - p - 1), abs=0.03)
    expected = LinearRegression().fit(x[:n], y[:n]).predict(x[n:])
    np.testing.assert_allclose(new, expected, atol=1e-9)
    np.testing.assert_allclose(
        fit_ridge(decompose_features(x[:n]), y[:n], 1e12).predict(x[n:]),
        np.tile(y[:n].mean(0), (n, 1)),
        atol=1e-9,
    )
