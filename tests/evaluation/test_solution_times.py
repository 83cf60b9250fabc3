"""Object solution times: interpolation by hand, and data in which objects appear at known times."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression

from src.data.errors import DataError
from src.evaluation import solution_times as module
from src.evaluation.solution_times import (
    SolutionTimes,
    classify,
    score_solution_times,
    solution_times,
)


def test_times_are_interpolated_from_the_best_earlier_bin():
    times = np.array([70.0, 80, 90, 100])
    i1 = np.array(
        [
            [0.0, 1, 3, 9],  # reaches 2 half way from 80 to 90
            [1.5, 0.5, 2.5, 0],  # the best earlier bin is the first: half way from 70 to 90
            [2.0, 0, 0, 0],  # at once: no earlier bin
            [1.0, 1, 1, 1.9],  # never
            [np.nan, np.nan, 2, 3],  # nothing known before
        ]
    )
    found = solution_times(i1, np.full(5, 2.0), times)
    np.testing.assert_allclose(found, [85, 80, 70, np.nan, 90])


@pytest.fixture(scope="module")
def emerging():
    """240 images of 4 objects over 5 bins; an image's object shows from its own bin on."""
    rng = np.random.default_rng(0)
    objects, onset = rng.integers(4, size=240), rng.integers(1, 4, size=240)
    bins = np.stack([70 + 10 * np.arange(5), 80 + 10 * np.arange(5)], axis=1)
    shown = np.arange(5)[None] >= onset[:, None]
    pattern = np.eye(4)[objects]
    x = rng.normal(size=(240, 300, 5))
    x[:, :200] += np.tile(2 * pattern, 50)[:, :, None] * shown[:, None]
    return x, np.array(list("abcd"))[objects], bins, 70.0 + 10 * onset


@pytest.fixture
def three_splits(monkeypatch):
    """Ten take a while."""
    assert module.SPLITS == 10
    monkeypatch.setattr(module, "SPLITS", 3)


def test_known_times_are_found(emerging, three_splits):
    x, objects, bins, true = emerging
    found = score_solution_times(x, objects, bins, np.full(240, 0.5), true)
    assert found.raw.shape == (3,) and found.score > 0.6 and found.error < 0.1
    rows = np.concatenate(found.tests)
    late = np.concatenate(found.times) - true[rows]
    assert abs(np.nanmedian(late)) < 10
    wanted = [
        spearmanr(times[known], true[test][known]).statistic
        for test, times in zip(found.tests, found.times, strict=True)
        for known in [~np.isnan(times)]
    ]
    np.testing.assert_allclose(found.raw, wanted)
    assert np.isnan(late).mean() < 0.5


def test_what_is_never_solved_has_no_score(emerging, three_splits):
    x, objects, bins, true = emerging
    found = score_solution_times(x[..., :1], objects, bins[:1], np.full(240, 9.0), true)
    assert np.isnan(found.score) and np.isnan(found.error)
    assert np.isnan(np.concatenate(found.times)).all()
    with pytest.raises(DataError, match=r"features are \(240, 300\) of 240 images in 5 bins"):
        score_solution_times(x[..., 0], objects, bins, true, true)
    some = SolutionTimes(np.array([0.2, np.nan, 0.4]), (), ())
    assert some.score == pytest.approx(0.3)


def test_the_classifier_nears_the_penalized_optimum(emerging):
    """In the limit it is logistic regression whose penalty also holds the bias."""
    x, objects, _, _ = emerging
    _, truth = np.unique(objects, return_inverse=True)
    last = x[None, ..., -1]
    p = classify(last[:, :180], truth[:180], last[:, 180:], 4, seed=0)[0]
    np.testing.assert_allclose(p.sum(axis=1), 1)
    z = (last[0] - last[0, :180].mean(0)) / last[0, :180].std(0)
    theirs = LogisticRegression(C=1 / (0.463 * 180)).fit(z[:180], truth[:180])
    assert (p.argmax(1) == truth[180:]).mean() > 0.95
    assert np.corrcoef(p.ravel(), theirs.predict_proba(z[180:]).ravel())[0, 1] > 0.95


def test_bins_are_fitted_each_by_itself(emerging):
    x, objects, _, _ = emerging
    _, truth = np.unique(objects, return_inverse=True)
    bins = np.moveaxis(x[:100], 2, 0)
    together = classify(bins, truth[:100], bins, 4, seed=0)
    alone = classify(bins[2:3], truth[:100], bins[2:3], 4, seed=0)
    np.testing.assert_allclose(together[2], alone[0], atol=1e-6)
