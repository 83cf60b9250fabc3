"""A small network on features: known truths, the same bytes, nothing learned from noise."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from src.config import MlpConfig
from src.correlation import explained_variance
from src.data.errors import DataError
from src.training.mlp import predict_by_mlp

RNG = np.random.default_rng(9)
X = RNG.normal(size=(500, 20)) * np.linspace(3, 0.3, 20) + 5
LINEAR = X @ RNG.normal(size=(20, 6)) / 5 + 0.5 * RNG.normal(size=(500, 6)) + 2
USUAL, SHORT = MlpConfig(), MlpConfig(epochs=3)
TRAIN, REST = slice(0, 400), slice(400, 500)


def predicted(y, config=USUAL, x=X, seed=1):
    return predict_by_mlp(x[TRAIN], y[TRAIN], x[REST], config, seed)


def test_it_does_about_as_well_as_ridge_where_the_truth_is_linear():
    theirs = RidgeCV(np.logspace(-3, 4, 8)).fit(X[TRAIN], LINEAR[TRAIN]).predict(X[REST])
    ridge = explained_variance(theirs, LINEAR[REST]).mean()
    ours = explained_variance(predicted(LINEAR), LINEAR[REST]).mean()
    assert ridge > 0.8 and abs(ours - ridge) < 0.05


def test_it_reads_what_no_line_can():
    z = X - X.mean(0)
    y = np.abs(z[:, :1]) + 0.1 * RNG.normal(size=(500, 1))
    theirs = RidgeCV(np.logspace(-3, 4, 8)).fit(X[TRAIN], y[TRAIN]).predict(X[REST])
    assert explained_variance(theirs.reshape(-1, 1), y[REST])[0] < 0.1
    assert explained_variance(predicted(y), y[REST])[0] > 0.5


def test_nothing_is_learned_from_noise():
    """A tenth of the rows has a say in the epoch, so a little of it stays."""
    noise = RNG.normal(size=(500, 30)) * 4 + 1
    found = predicted(noise)
    assert explained_variance(found, noise[REST]).mean() < 0.01


def test_the_mean_stays_where_no_epoch_is_better():
    """Features that do not vary say nothing; of a constant unit the constant is learned."""
    y = np.column_stack([RNG.normal(size=500), np.full(500, 7.0)])
    found = predicted(y, x=np.ones((500, 3)))
    np.testing.assert_allclose(found, np.tile(y[TRAIN].mean(0), (100, 1)), atol=1e-6)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    found = predicted(LINEAR, SHORT)
    assert found.tobytes() == predicted(LINEAR, SHORT).tobytes()
    assert found.tobytes() != predicted(LINEAR, SHORT, seed=2).tobytes()


def test_units_of_measurement_do_not_matter():
    """Powers of two, so that no digit is lost."""
    found = predicted(1024 * LINEAR, SHORT, 256 * X)
    np.testing.assert_allclose(found, 1024 * predicted(LINEAR, SHORT), rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        *({"hidden": 8}, {"dropout": 0.0}, {"learning_rate": 0.01}),
        *({"weight_decay": 5.0}, {"epochs": 2}, {"batch_size": 16}),
    ],
)
def test_every_setting_has_an_effect(change):
    assert (
        np.abs(predicted(LINEAR, replace(SHORT, **change)) - predicted(LINEAR, SHORT)).max() > 0.01
    )


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(DataError, match=r"\(9, 20\) and \(100, 20\), responses \(9, 6\): give"):
        predict_by_mlp(X[:9], LINEAR[:9], X[REST], MlpConfig(), 1)
    with pytest.raises(DataError, match=r"\(400, 20\) and \(100, 19\)"):
        predict_by_mlp(X[TRAIN], LINEAR[TRAIN], X[REST, 1:], MlpConfig(), 1)
    with pytest.raises(FloatingPointError, match="the loss is not finite: lower"):
        predicted(LINEAR, replace(USUAL, learning_rate=1e30))
