"""Ridge on lagged frames against scikit-learn, a planted filter, and a real LGN neuron."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from src.correlation import pearson
from src.evaluation.lag_ridge import fit_lag_ridge


def lagged(x, lags):
    """All lags of a piece, for the frames that have them: (t, p) -> (t - lags + 1, lags * p)."""
    return np.hstack([x[lags - 1 - a : len(x) - a] for a in range(lags)])


def test_equals_ridge_of_scikit_learn_on_lagged_copies():
    draw = np.random.default_rng(0)
    pieces = [(draw.normal(size=(n, 3, 4)), draw.normal(size=(n, 2))) for n in (90, 5, 140)]
    lags, alpha = 6, np.array([0.3])
    fit = fit_lag_ridge(pieces, pieces, lags, alpha)
    frame = np.concatenate([m.reshape(-1, 12) for m, _ in pieces]).mean(0)
    kept = [
        (lagged(m.reshape(len(m), -1) - frame, lags), r[lags - 1 :])
        for m, r in pieces
        if len(m) > lags
    ]
    x, y = (np.concatenate(part) for part in zip(*kept, strict=True))
    ridge = Ridge(alpha=0.3 * np.mean((x**2).sum(0)), fit_intercept=False).fit(x, y - y.mean(0))
    np.testing.assert_allclose(fit.weights.reshape(-1, 2), ridge.coef_.T, atol=1e-9)
    movie = pieces[2][0]
    wanted = ridge.predict(lagged(movie.reshape(len(movie), -1) - frame, lags)) + y.mean(0)
    np.testing.assert_allclose(fit.predict(movie)[lags - 1 :], wanted, atol=1e-9)


def test_finds_a_planted_filter_and_weighs_noise_down():
    draw = np.random.default_rng(1)
    movie = draw.normal(size=(4000, 4, 4))
    r = np.roll(movie[:, 1, 2], 3)[:, None] + 0.5 * draw.normal(size=(4000, 1))
    fit = fit_lag_ridge([(movie[:3000], r[:3000])], [(movie[3000:], r[3000:])], lags=5)
    assert np.unravel_index(np.abs(fit.weights).argmax(), (5, 16, 1)) == (3, 6, 0)
    assert pearson(fit.predict(movie[3000:])[5:], r[3005:])[0] > 0.85


def test_an_lgn_neuron_is_predicted_as_in_the_reference(shared):
    """Ridge on 12 lags of 256 pixels, first 80 %: held-out r .747; here few pixels, so less."""
    path = shared / "data/lgn_movie/c2p3.mat"
    if not path.is_file():
        pytest.skip("no LGN recording")
    from src.data.movie_recording import RecordedMovie, load_mat

    found = RecordedMovie("lgn", load_mat(path, "stim", "counts"))
    movie = found.movie.astype(np.float32)[:, 3:13, 3:13]
    edges = np.array([0, 0.7, 0.8, 1]) * len(movie)
    train, oracle, test = (
        (movie[a:b], found.responses[a:b].astype(float))
        for a, b in zip(edges[:-1].astype(int), edges[1:].astype(int), strict=True)
    )
    fit = fit_lag_ridge([train], [oracle], 8)
    assert pearson(fit.predict(test[0])[8:], test[1][8:])[0] > 0.7
