"""Fields against planted ones, and the window's Gram against its definition."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from src.data.errors import DataError
from src.evaluation.fields import choose_fields, window_grams
from src.evaluation.metrics import correlation
from src.evaluation.ridge import ALPHAS
from src.models.windows import WindowGrid

GRID = WindowGrid(3, 0.6, (0.2, 0.4))


def maps(images=120, channels=(6, 4), sizes=(8, 4), seed=0):
    rng = np.random.default_rng(seed)
    return [
        rng.normal(size=(images, c, s, s)).astype(np.float16) * rng.uniform(0.1, 5, (c, 1, 1))
        for c, s in zip(channels, sizes, strict=True)
    ]


def seen(layer, rows, weights):
    """Standardized channels, averaged with the weights, by loops."""
    x = layer.astype(np.float64)
    for c in range(x.shape[1]):
        x[:, c] = (x[:, c] - x[rows, c].mean()) / x[rows, c].std()
    return np.einsum("nchw,hw->nc", x, weights)


def center(gram, rows):
    n = np.eye(len(gram))
    n[:, rows] -= 1 / len(rows)
    return n @ gram @ n.T


def center_scale(gram, rows):
    gram = center(gram, rows)
    return gram / gram[rows, rows].mean()


@pytest.mark.parametrize("window", [0, 4, 13, 18])
def test_gram_of_a_window_is_that_of_its_means_and_of_the_whole_maps(window):
    layers, rows = maps(40), np.arange(5, 30)
    expected = 0
    for layer in layers:
        inside = seen(layer, rows, GRID.weights(*layer.shape[2:])[window].astype(np.float64))
        flat = layer.reshape(40, -1).astype(np.float64)
        expected = expected + sum(center_scale(x @ x.T, rows) for x in (inside, flat))
    found = list(window_grams(layers, rows, GRID))
    assert len(found) == 19
    np.testing.assert_allclose(center(found[window], rows), expected, atol=1e-5)


@pytest.fixture(scope="module")
def planted():
    """Units that look through known windows of a map, half of the variance noise."""
    (layer,) = maps(500, (12,), (8,), seed=1)
    rng, rows = np.random.default_rng(2), np.arange(350)
    windows = rng.integers(0, 9, 20)  # small ones
    inside = np.stack([seen(layer, rows, w) for w in GRID.weights(8, 8).astype(float)[windows]], 1)
    signal = np.einsum("nuc,uc->nu", inside, rng.normal(size=(20, 12)))
    y = signal / signal.std(0) + rng.normal(size=signal.shape)
    return layer, rows, windows, y, choose_fields([layer], rows, y[rows], GRID)


def test_planted_windows_are_found(planted):
    *_, windows, _, choice = planted
    assert np.mean(choice.window == windows) > 0.8
    assert (choice.edge == 0).all()


def test_a_field_predicts_better_than_the_whole_map(planted):
    layer, rows, _, y, choice = planted
    test = np.setdiff1d(np.arange(500), rows)
    ours = correlation(choice.predicted[test], y[test]).mean()
    flat = layer.reshape(500, -1).astype(float)
    whole = Ridge(np.median(choice.alpha) * 100).fit(flat[rows], y[rows]).predict(flat[test])
    assert ours > correlation(whole, y[test]).mean() + 0.05
    assert ours == pytest.approx(correlation(choice.held_out, y[rows]).mean(), abs=0.06)
    assert ours > 0.9 * np.sqrt(0.5)


def test_choices_do_not_look_at_images_that_are_not_for_training(planted):
    layer, rows, _, y, choice = planted
    other = layer.copy()
    other[350:] = np.random.default_rng(5).normal(size=other[350:].shape)
    again = choose_fields([other], rows, y[rows], GRID)
    np.testing.assert_array_equal(again.window, choice.window)
    np.testing.assert_allclose(again.held_out, choice.held_out, atol=1e-8)
    np.testing.assert_allclose(again.predicted[rows], choice.predicted[rows], atol=1e-8)


def test_features_without_maps_are_refused():
    flat = np.zeros((10, 5), np.float32)
    with pytest.raises(DataError, match=r"\(10, 5\).*maps"):
        choose_fields([flat], np.arange(5), np.zeros((5, 2)), GRID, ALPHAS)
