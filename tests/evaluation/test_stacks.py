"""Stacks against scikit-learn, and on layers of which the truth is known."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from src.correlation import explained_variance
from src.data.errors import DataError
from src.evaluation.decomposition import decompose_features
from src.evaluation.ridge import search
from src.evaluation.stacks import fit_stack, held_out_stack

RNG = np.random.default_rng(5)
N, TRAIN = 400, slice(0, 300)
HALVES = RNG.normal(size=(2, N, 10))  # of the code that units read
NOISE = RNG.normal(size=(N, 10))
CODE = HALVES.transpose(1, 0, 2).reshape(N, 20)
RATES = CODE @ RNG.normal(size=(20, 8)) + RNG.normal(size=(N, 8)) + 3
FOLDS = np.arange(300) % 5


def ridges(y):
    """Ridge from each half of the code and from noise: held out and for all, (3, n, u) each."""
    fits = [search(decompose_features(x[TRAIN]), y, groups=FOLDS) for x in (*HALVES, NOISE)]
    every = [f.fit.predict(x) for f, x in zip(fits, (*HALVES, NOISE), strict=True)]
    return np.array([f.held_out for f in fits]), np.array(every)


@pytest.fixture(scope="module")
def layers():
    return ridges(RATES[TRAIN])


def test_weights_are_least_squares_that_are_not_negative(layers):
    held_out, every = layers
    stack = fit_stack(held_out, RATES[TRAIN])
    for unit in range(8):
        model = LinearRegression(positive=True)
        model.fit(held_out[..., unit].T, RATES[TRAIN, unit])
        np.testing.assert_allclose(stack.weights[unit], model.coef_, atol=1e-9)
        predicted = stack.predict(every)[:, unit]
        np.testing.assert_allclose(predicted, model.predict(every[..., unit].T), atol=1e-9)
    assert (stack.weights >= 0).all() and (stack.weights == 0).any()


def test_layers_that_hold_half_of_the_code_are_added_and_noise_is_not(layers):
    """Halves are independent, so each weight is 1, and what the halves explain adds up."""
    held_out, every = layers
    stack = fit_stack(held_out, RATES[TRAIN])
    np.testing.assert_allclose(stack.weights[:, :2], 1, atol=0.25)
    np.testing.assert_allclose(stack.weights[:, :2].mean(), 1, atol=0.05)
    assert stack.weights[:, 2].max() < 0.4 and stack.weights[:, 2].mean() < 0.1
    alone = [explained_variance(p[300:], RATES[300:]).mean() for p in every]
    together = explained_variance(stack.predict(every)[300:], RATES[300:]).mean()
    assert together > 0.9 > max(alone) + 0.2


def test_a_group_has_weights_of_the_others(layers):
    held_out, _ = layers
    found = held_out_stack(held_out, RATES[TRAIN], FOLDS)
    for out in np.arange(5)[:, None] == FOLDS:
        model = LinearRegression(positive=True)
        model.fit(held_out[:, ~out, 3].T, RATES[TRAIN][~out, 3])
        expected = model.predict(held_out[:, out, 3].T)
        np.testing.assert_allclose(found[out, 3], expected, atol=1e-9)


def test_pure_noise_explains_nothing_held_out_but_something_in_sample():
    predictions, y = RNG.normal(size=(20, 60, 12)), RNG.normal(size=(60, 12))
    inside = fit_stack(predictions, y).predict(predictions)
    assert explained_variance(inside, y).mean() > 0.1
    held_out = held_out_stack(predictions, y, np.arange(60) % 5)
    assert explained_variance(held_out, y).mean() < 0


def test_permuted_rates_are_not_predicted():
    order = RNG.permutation(300)
    held_out, every = ridges(RATES[TRAIN][order])
    stack = fit_stack(held_out, RATES[TRAIN][order])
    assert explained_variance(stack.predict(every)[300:], RATES[300:]).mean() < 0.01
    inside = held_out_stack(held_out, RATES[TRAIN][order], FOLDS)
    assert explained_variance(inside, RATES[TRAIN][order]).mean() < 0.01


def test_other_shapes_are_refused():
    with pytest.raises(DataError, match=r"\(3, 10, 4\), responses \(10, 5\): give l of"):
        fit_stack(np.zeros((3, 10, 4)), np.zeros((10, 5)))
