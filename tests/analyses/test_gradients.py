"""Score by place: binned means against scipy, intervals by coverage, trends against their null."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.stats import binned_statistic, pearsonr

from src.analyses.gradients import binned_means, trend


def rng(seed=0):
    return np.random.default_rng(seed)


def test_binned_means_are_those_of_scipy():
    place, score = rng().uniform(-300, 300, (2, 80))
    table = binned_means(place, score, 6, rng())
    expected, edges, _ = binned_statistic(place, score, bins=6)
    assert_allclose(table["score"], expected)
    assert_allclose(table["place"], (edges[1:] + edges[:-1]) / 2)
    assert table["units"].sum() == 80


def test_empty_bins_are_left_out_and_a_lone_unit_has_no_interval():
    table = binned_means(np.array([0.0, 0, 1, 10]), np.array([1.0, 3, 5, 7]), 10, rng())
    assert table["units"].tolist() == [2, 1, 1] and table["score"].tolist() == [2, 5, 7]
    assert table[["low", "high"]].isna().all(axis=1).tolist() == [False, True, True]


def test_intervals_cover_the_mean():
    covered = 0
    for seed in range(60):
        place, score = rng(seed).random(120), rng(seed + 1000).normal(2, 1, 120)
        table = binned_means(place, score, 2, rng(seed), 400)
        covered += ((table["low"] < 2) & (table["high"] > 2)).sum()
    assert 0.88 < covered / 120 <= 1


def test_a_trend_is_pearson_within_sessions():
    place, score = rng().random((2, 90))
    session = np.repeat(["b", "a", "c"], 30)
    r, p = trend(place, score + place, session, rng(), 499)
    centered = [np.concatenate([x[s] - x[s].mean() for s in np.split(np.arange(90), 3)])
                for x in (place, score + place)]  # fmt: skip
    assert_allclose(r, pearsonr(*centered)[0], atol=1e-6)
    assert r > 0.4 and p == 1 / 500


def test_a_difference_between_sessions_is_no_trend():
    session = np.repeat([0, 1], 60)
    place = rng(1).random(120) + 5 * session
    score = rng(2).normal(size=120) + 5 * session
    assert pearsonr(place, score)[0] > 0.8
    r, p = trend(place, score, session, rng(), 499)
    assert abs(r) < 0.2 and p > 0.05


def test_units_are_shuffled_within_their_session():
    """Four loud units in line among many quiet ones: of their 24 orders, one is as good."""
    session = np.repeat([0, 1], [4, 100])
    place, score = 0.001 * rng(3).normal(size=(2, 104))
    place[:4] = score[:4] = [0, 1, 2, 3]
    r, p = trend(place, score, session, rng(), 999)
    assert r > 0.99 and 0.02 < p < 0.1


def test_without_a_trend_p_is_uniform():
    session = np.repeat([0, 1], 15)
    found = [trend(*rng(s).random((2, 30)), session, rng(s), 99)[1] for s in range(100)]
    assert 0.35 < np.mean(found) < 0.65 and np.mean(np.array(found) <= 0.1) < 0.2
