"""One map in a few words, against scikit-learn; a word without effect is refused."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline

from src.config import MlpConfig
from src.correlation import explained_variance
from src.data.errors import DataError
from src.evaluation.decomposition import decompose_features
from src.evaluation.one_map import OneMap, fit_one_map
from src.evaluation.probes import ImageResponses
from src.evaluation.ridge import search

RNG = np.random.default_rng(8)
X = RNG.normal(size=(200, 300)) * np.logspace(1, -1, 300)
RATES = X[:, :4] @ RNG.normal(size=(4, 5)) / 10 + 0.3 * RNG.normal(size=(200, 5))
ROWS = np.arange(0, 200, 2)
IMAGES = ImageResponses(ROWS, RATES[ROWS], None)
GRAM = X @ X.T


def fitted(**words):
    return fit_one_map(OneMap(**words), GRAM, IMAGES, 3)


@pytest.mark.parametrize(
    ("words", "model", "axes"),
    [
        ({"features": "all"}, LinearRegression(), 99),
        ({"features": "pca"}, make_pipeline(PCA(50), LinearRegression()), 50),
        ({"features": "pca", "components": 7}, make_pipeline(PCA(7), LinearRegression()), 7),
    ],
)
def test_linear_maps_are_those_of_scikit_learn(words, model, axes):
    found = fitted(readout="linear", **words)
    assert found.inputs == axes
    np.testing.assert_allclose(
        found.predicted, model.fit(X[ROWS], RATES[ROWS]).predict(X), atol=1e-6
    )
    out = np.arange(100) % 5 == 2  # without objects, every fifth image is a fold
    model.fit(X[ROWS[~out]], RATES[ROWS[~out]])
    np.testing.assert_allclose(found.held_out[out], model.predict(X[ROWS[out]]), atol=1e-6)


def test_ridge_on_all_axes_is_ridge_on_all_features():
    found, decomposition = fitted(), decompose_features(X[ROWS])
    choice = search(decomposition, RATES[ROWS], groups=np.arange(100) % 5)
    expected = Ridge(choice.alpha * decomposition.scale).fit(X[ROWS], RATES[ROWS]).predict(X)
    np.testing.assert_allclose(found.predicted, expected, atol=1e-6)


def test_a_network_does_about_as_well_as_ridge_where_the_truth_is_linear():
    """A hundred images are two steps an epoch, so it takes more epochs than usual."""
    maps = fitted(features="pca", readout="mlp", lr=0.003, epochs=80), fitted(features="pca")
    mlp, ridge = (explained_variance(m.predicted[1::2], RATES[1::2]).mean() for m in maps)
    assert ridge > 0.8 and abs(mlp - ridge) < 0.12


def test_the_network_is_trained_as_asked():
    asked = OneMap("pca", readout="mlp", lr=0.01, epochs=3)
    assert asked.mlp == MlpConfig(learning_rate=0.01, epochs=3)
    words = {"features": "pca", "components": 7, "readout": "mlp", "lr": 0.01, "epochs": 3}
    assert replace(asked, components=7).words == words
    assert OneMap(readout="mlp").mlp == MlpConfig()
    short, usual = fitted(readout="mlp", epochs=1), fitted(readout="mlp")
    assert np.abs(short.predicted - usual.predicted).max() > 0.1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"readout": "svm"}, "readout 'svm' is not one of linear, ridge, mlp"),
        ({"features": "some"}, "features 'some' is not one of all, pca"),
        (
            {"lr": 0.1},
            "lr=0.1 with readout 'ridge': give a number above 0 with readout='mlp', or 0",
        ),
        ({"epochs": 5, "readout": "linear"}, "epochs=5 with readout 'linear'"),
        ({"components": 5}, "components=5 with features 'all'"),
        ({"components": -5, "features": "pca"}, "components=-5"),
    ],
)
def test_a_word_that_is_unknown_or_without_effect_is_refused(words, message):
    with pytest.raises(DataError, match=message):
        OneMap(**words)


def test_what_has_no_bearing_on_the_map_is_empty_in_its_table():
    known = {name: word for name, word in OneMap().words.items() if word is not None}
    assert known == {"features": "all", "readout": "ridge"}
