"""Pearson correlation against scipy and against the published metrics."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from src.correlation import pearson, shuffled_limit


def test_pearson_equals_scipy():
    rng = np.random.default_rng(0)
    p = rng.normal(2, 3, (40, 5))
    r = 0.5 * p + rng.normal(size=(40, 5))
    expected = [pearsonr(a, b).statistic for a, b in zip(p.T, r.T, strict=True)]
    np.testing.assert_allclose(pearson(p, r), expected, atol=1e-7)


def test_shuffled_pairs_stay_below_the_limit():
    assert shuffled_limit(3000) == pytest.approx(0.0548, abs=1e-4)  # .055 of the specification
    rng = np.random.default_rng(0)
    r = pearson(rng.normal(size=(200, 20000)), rng.normal(size=(200, 20000)))
    assert 3 * r.std() == pytest.approx(shuffled_limit(200), rel=0.02)


def test_pearson_of_a_constant_is_zero():
    r = np.random.default_rng(0).normal(size=(40, 3))
    np.testing.assert_allclose(pearson(np.full((40, 3), 0.1), r), 0, atol=1e-6)


def test_pearson_sums_in_float64():
    rng = np.random.default_rng(0)
    p = (1e4 + rng.normal(size=(40, 2))).astype(np.float32)
    np.testing.assert_array_equal(pearson(p, p), pearson(p.astype(float), p.astype(float)))


def test_pearson_equals_the_published_single_trial_correlation(shared):
    fixture = np.load(shared / "fixtures/sensorium2022/winner_pipeline.npz")
    ours = pearson(fixture["metrics/pred"], fixture["metrics/resp"])
    published = fixture["metrics/Single Trial Correlation"]
    np.testing.assert_allclose(ours, published, rtol=0, atol=1e-12)


def test_pearson_names_both_shapes():
    with pytest.raises(ValueError, match=r"\(4, 2\).*\(4, 3\)"):
        pearson(np.zeros((4, 2)), np.zeros((4, 3)))
