"""Read-outs of one mask and one set of channels a unit, against planted ones."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from src.data.errors import DataError
from src.evaluation.folds import brain_score_splits
from src.evaluation.mapping import Predictors, cross_validated
from src.evaluation.mask_regression import STRENGTH, fit_mask
from src.evaluation.metrics import correlation

N, C, S, U = 160, 8, 25, 10


@pytest.fixture(scope="module")
def planted():
    """Maps of 5 x 5 places and units that each look at a few of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2 * N, C, S))
    masks = np.exp(-((np.arange(S) - rng.integers(0, S, (U, 1))) ** 2) / 4)
    channels = rng.normal(size=(U, C))
    y = np.einsum("ncs,us,uc->nu", x, masks, channels)
    y = y / y.std(axis=0) + 0.5 * rng.normal(size=y.shape) + 3
    return x + 2, y, masks


def test_planted_masks_are_found_and_predict_what_ridge_cannot(planted):
    """Fewer images than features, of which a unit has 33 free ones, not 200."""
    x, y, masks = planted
    fit = fit_mask(x[:N], y[:N])
    cosine = np.abs((fit.masks * masks).sum(1)) / np.linalg.norm(masks, axis=1)
    assert cosine.min() > 0.95
    r = correlation(fit.predict(x[N:]), y[N:])
    flat = x.reshape(len(x), -1)
    theirs = Ridge(100).fit(flat[:N], y[:N]).predict(flat[N:])
    assert np.median(r) > 0.85 > np.median(correlation(theirs, y[N:])) + 0.08


def test_one_channel_is_a_ridge_regression_on_places(planted):
    x, y, _ = planted
    found = fit_mask(x[:, :1], y).predict(x[:, :1])
    a = x[:, 0] - x[:, 0].mean(0)
    theirs = Ridge(STRENGTH * np.square(a).sum() / S).fit(a, y).predict(a)
    assert correlation(found, theirs).min() > 1 - 1e-9


def test_it_is_one_of_the_mappings(planted):
    x, y, _ = planted
    splits = brain_score_splits(np.zeros(len(y)))[:2]
    flat = x.reshape(len(x), -1)
    found = cross_validated(Predictors(flat, (C, 5, 5)), y, splits, "mask_regression")
    train, test = splits[0]
    expected = fit_mask(x[train], y[train]).predict(x[test])
    np.testing.assert_allclose(found.predicted[0], expected)
    with pytest.raises(DataError, match=r"features \(320, 200\) have no places"):
        cross_validated(flat, y, splits, "mask_regression")


def test_a_map_that_never_changes_predicts_the_mean(planted):
    _, y, _ = planted
    fit = fit_mask(np.ones((len(y), C, S)), y)
    np.testing.assert_allclose(fit.predict(np.zeros((2, C, S))), [y.mean(0)] * 2)
