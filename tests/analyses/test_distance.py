"""Similarity by distance against scipy, closed forms, and the simulator's length constant."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import curve_fit
from scipy.spatial.distance import cdist, pdist
from scipy.stats import binned_statistic

from src.analyses import distance as distances
from src.analyses.distance import Pairs, Population
from src.evaluation.bootstrap import Draws
from src.seeds import numpy_stream
from src.simulate.config import PRESETS, SimulatedMouse
from src.simulate.cortex import grow_cortex
from src.simulate.images import draw_images, retinal

EDGES = np.array([0, 100, 200, 300, 450, 600])
LENGTH = PRESETS["demo"].similarity_um


def rng(seed=0):
    return np.random.default_rng(seed)


def population(units=40, images=15, seed=0):
    random = rng(seed)
    return Population(random.random((images, units)), 500 * random.random((units, 3)))


def test_the_curve_of_a_session_is_the_binned_mean_of_all_pairs():
    one = population()
    pairs = Pairs.of(one.places, None, EDGES, rng())
    apart, r = pdist(one.places), 1 - pdist(one.responses.T, "correlation")
    assert_allclose(
        pairs.curve(one.responses), binned_statistic(apart, r, bins=EDGES)[0], atol=1e-6
    )
    assert_array_equal(pairs.counts, np.histogram(apart, EDGES)[0])
    assert_allclose(pairs.distance, binned_statistic(apart, apart, bins=EDGES)[0])


def test_the_curve_of_two_sessions_is_that_of_all_pairs_across():
    a, b = population(), population(30, seed=1)
    pairs = Pairs.of(a.places, b.places, EDGES, rng())
    apart = cdist(a.places, b.places).ravel()
    r = (1 - cdist(a.responses.T, b.responses.T, "correlation")).ravel()
    expected = binned_statistic(apart, r, bins=EDGES)[0]
    assert_allclose(pairs.curve(a.responses, b.responses), expected, atol=1e-6)


@pytest.mark.parametrize("other", [None, 1])
def test_of_many_pairs_a_sample_is_taken_in_each_bin(monkeypatch, other):
    a = population(300)
    b = None if other is None else population(200, seed=other)
    full = Pairs.of(a.places, b and b.places, EDGES, rng())
    monkeypatch.setattr(distances, "CANDIDATES", 20_000)
    some = Pairs.of(a.places, b and b.places, EDGES, rng(), per_bin=200)
    assert_array_equal(some.counts, 200)
    expected, found = (p.curve(a.responses, b and b.responses) for p in (full, some))
    assert_allclose(found, expected, atol=0.08)
    assert b is not None or (some.first < some.second).all()


def test_a_bin_without_pairs_has_no_value():
    pairs = Pairs.of(population(10).places / 10, None, EDGES, rng())
    assert pairs.counts[-1] == 0
    assert np.isnan(pairs.distance[-1]) and np.isnan(pairs.curve(population(10).responses)[-1])


def test_resampled_units_scatter_as_other_units_do():
    """Spread of the bootstrap of one population against that of many populations."""
    edges = np.array([0, 900])
    parts = [population(30, seed=s) for s in range(150)]
    parts = [replace(p, responses=p.responses + p.responses[:, :1].mean()) for p in parts]
    shared = [rng(s).random((15, 1)) * rng(s + 999).exponential(1, 30) for s in range(150)]
    parts = [replace(p, responses=p.responses + s) for p, s in zip(parts, shared, strict=True)]
    pairs = [Pairs.of(p.places, None, edges, rng()) for p in parts]
    truth = np.std([q.curve(p.responses) for p, q in zip(parts, pairs, strict=True)])
    found = [
        distances.unit_samples(q, p, None, distances.draw_units([p], rng(1), 100)).std()
        for p, q in zip(parts[:20], pairs, strict=False)
    ]
    assert 0.5 < np.mean(found) / truth < 1.5


def test_unit_samples_are_curves_of_drawn_units():
    a, b = population(), population(30, seed=1)
    pairs = Pairs.of(a.places, b.places, EDGES, rng())
    drawn = distances.draw_units([a, b, a], rng(3), 4)
    for k, curve in enumerate(distances.unit_samples(pairs, a, b, drawn)):
        rows, columns = (np.repeat(np.arange(drawn[p].shape[1]), drawn[p][k]) for p in (a, b))
        apart = cdist(a.places[rows], b.places[columns]).ravel()
        r = 1 - cdist(a.responses.T[rows], b.responses.T[columns], "correlation").ravel()
        assert_allclose(curve, binned_statistic(apart, r, bins=EDGES)[0], atol=1e-6)


def test_image_samples_are_curves_of_drawn_images():
    a, b = population(), population(30, seed=1)
    pairs = Pairs.of(a.places, b.places, EDGES, rng())
    draws = Draws.make(np.arange(15), 5, rng(3))
    found = distances.image_samples(pairs, a, b, draws)
    for weights, curve in zip(draws.weights, found, strict=True):
        rows = np.repeat(np.arange(15), weights)
        assert_allclose(curve, pairs.curve(a.responses[rows], b.responses[rows]), atol=1e-6)


def test_shuffles_keep_the_level_and_lose_the_slope():
    soma = 500 * rng().random((120, 3))
    waves = rng(1).normal(size=(60, 3)) / 150
    near_alike = Population(np.cos(waves @ soma.T + 6.3 * rng(2).random((60, 1))), soma)
    result = distances.distance_curve([(near_alike, None)], EDGES, rng(), 50, 50)
    assert result.r[0] > 2 * result.null[:, 0].max() and result.r[0] > result.r[2] + 0.2
    assert_allclose(result.null.mean(0), np.average(result.r, weights=result.pairs), atol=0.03)
    table = result.table
    assert ((table["low"] < table["r"]) & (table["r"] < table["high"])).all()


def test_cells_are_shuffled_as_units_before_they_are_interpolated():
    one = population(20)
    mixing = rng(5).random((20, 50))
    cells = Population(one.responses, 500 * rng(6).random((50, 3)), lambda x: x @ mixing)
    pairs = Pairs.of(cells.places, None, EDGES, rng())
    order = rng(8).permutation(20)
    expected = pairs.curve(one.responses[:, order] @ mixing)
    assert_allclose(distances.shuffled_curves(pairs, cells, None, rng(8), 1)[0], expected)
    assert np.isfinite(distances.distance_curve([(cells, None)], EDGES, rng(), 9, 9).samples).all()


def test_sessions_are_pooled_by_their_pairs():
    curves = [np.array([[1.0, 2.0]]), np.array([[4.0, np.nan]])]
    counts = [np.array([1, 5]), np.array([3, 0])]
    assert_allclose(distances.pooled(curves, counts), [[13 / 4, 2.0]])
    assert_allclose(distances.pooled([c[0] for c in curves], counts), [13 / 4, 2.0])


@pytest.mark.parametrize("length", [30.0, 60.0, 200.0])
def test_the_length_of_an_exponential_is_found(length):
    apart, counts = np.arange(20, 600, 40.0), np.arange(1, 16)
    exact = 0.4 * np.exp(-apart / length) + 0.1
    noisy = exact + 0.01 * rng().normal(size=(4, 15))
    assert_allclose(distances.length_constant(apart, exact, counts), length, rtol=0.01)
    for curve, found in zip(noisy, distances.length_constant(apart, noisy, counts), strict=True):
        model = lambda d, a, L, c: a * np.exp(-d / L) + c  # noqa: E731
        sigma = 1 / np.sqrt(counts)
        (_, expected, _), _ = curve_fit(model, apart, curve, (0.4, length, 0.1), sigma=sigma)
        assert_allclose(found, expected, rtol=0.02)


def test_a_curve_that_does_not_fall_has_no_length():
    apart = np.arange(20, 600, 40.0)
    rising = np.stack([apart / 600, 1 - np.exp(-apart / 60)])
    assert np.isnan(distances.length_constant(apart, rising, np.ones(15))).all()
    only_the_nearest = (apart == apart[0]).astype(float)
    assert np.isnan(distances.length_constant(apart, only_the_nearest, np.ones(15)))


def simulated(key, units=300):
    """Expected responses of linear units in a cortex of the demo's kind, without behavior.

    Energy models are alike where their receptive fields overlap, however they are tuned.
    """
    config = replace(
        PRESETS["demo"],
        **dict.fromkeys(("behavior_additive", "behavior_gain", "pupil_shift"), 0.0),
        energy_fraction=0.0,
        mice=(SimulatedMouse(key, units=units),),
    )
    images, boxes = draw_images(numpy_stream(1, "seen"), 60, 1.0, 0.7)
    cortex = grow_cortex(config, config.mice[0], seed=7)
    still = np.zeros((60, 3)), np.zeros((60, 2))
    return Population(cortex.expected(retinal(images), boxes, *still), cortex.positions)


def test_the_planted_length_constant_is_recovered():
    """Within 20 %, by the curve of true expected responses; shuffled units have no slope."""
    edges = np.r_[np.arange(0, 301, 20), 400, 500]
    parts = [(simulated(key), None) for key in "abcd"]
    result = distances.distance_curve(parts, edges, rng(), 20, 5)
    length, low, high = result.length
    assert_allclose(length, LENGTH, rtol=0.2)
    assert low < length < high
    assert np.ptp(result.null.mean(0)) < 0.1 * np.ptp(result.r)
