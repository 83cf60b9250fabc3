"""A simulated cortex against least squares, exp(-d / length), and Monte-Carlo moments."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import curve_fit
from scipy.spatial.distance import pdist

from src.seeds import numpy_stream
from src.simulate.cortex import GRID, grow_cortex, raw_drive
from src.simulate.images import draw_images, moved, retinal


@pytest.fixture(scope="module")
def grown(one_mouse):
    """Function: a cortex; another key is another mouse."""

    def grow(units=60, **changes):
        config = one_mouse(units, **changes)
        return grow_cortex(config, config.mice[0], seed=7)

    return grow


@pytest.fixture(scope="module")
def seen():
    """Images at 36 x 64, boxes, behavior and pupil of 300 trials."""
    images, boxes = draw_images(numpy_stream(1, "seen"), 300, 1.0, 0.7)
    rng = np.random.default_rng(1)
    return retinal(images), boxes, rng.standard_normal((300, 3)), rng.standard_normal((300, 2))


def design(cortex):
    return np.column_stack([cortex.positions[:, :2], np.ones(len(cortex.positions))])


def test_receptive_fields_follow_the_affine_map(grown):
    exact = grown(rf_jitter=0.0)
    assert_allclose(np.linalg.lstsq(design(exact), exact.rf_centers)[0].T, exact.affine, atol=1e-9)
    cortex = grown(200, rf_jitter=0.03)
    assert_allclose((cortex.rf_centers - design(cortex) @ cortex.affine.T).std(), 0.03, rtol=0.1)
    assert np.abs(cortex.rf_centers).max() < 0.6


def test_filters_are_normal_and_sit_at_the_receptive_field(grown):
    cortex = grown()
    energy = cortex.kinds == "energy"
    assert_allclose((cortex.filters[:, 0] ** 2).sum((1, 2)), 1, rtol=1e-5)
    assert_allclose(cortex.filters.sum((2, 3)), 0, atol=1e-3)
    assert not cortex.filters[~energy, 1].any() and cortex.filters[energy, 1].any((1, 2)).all()
    envelope = (cortex.filters[energy] ** 2).sum(1)
    weight = envelope / envelope.sum((1, 2), keepdims=True)
    x, y = np.linspace(-1, 1, GRID[1]), np.linspace(-1, 1, GRID[0])
    middle = np.column_stack([(weight * x).sum((1, 2)), (weight * y[:, None]).sum((1, 2))])
    assert_allclose(middle, cortex.rf_centers[energy], atol=0.03)


def test_only_energy_models_ignore_contrast_polarity(grown, seen):
    cortex = grown()
    one, other = (raw_drive(s * seen[0], cortex.filters, cortex.kinds) for s in (1, -1))
    energy = cortex.kinds == "energy"
    assert_allclose(one[:, energy], other[:, energy], rtol=1e-5)
    assert_allclose(one[:, ~energy], -other[:, ~energy], rtol=1e-5)


def test_drive_is_standardized_over_images(grown, seen):
    cortex = grown(energy_fraction=0.0)
    drive = raw_drive(seen[0], cortex.filters, cortex.kinds)
    z = (drive - cortex.drive_mean) / cortex.drive_std
    assert_allclose(z.mean(), 0, atol=0.08)
    assert_allclose(z.std(0).mean(), 1, atol=0.08)


def test_kinds_come_in_the_fractions_asked_for(grown):
    kinds = grown(50, noise_fraction=0.2, energy_fraction=0.25).kinds
    assert [int((kinds == k).sum()) for k in ("noise", "energy", "filter")] == [10, 10, 30]
    assert set(grown(50, noise_fraction=0.0, energy_fraction=0.0).kinds) == {"filter"}


def binned(distance, similarity, edges):
    which = np.digitize(distance, edges)
    return np.array([similarity[which == i].mean() for i in range(1, len(edges))])


def test_units_share_a_module_with_probability_exp_of_distance(grown):
    edges, shared, middle = np.arange(0, 200, 20), [], []
    for key in "abcdefgh":
        cortex = grown(300, key=key, similarity_um=60.0)
        distance = pdist(cortex.positions)
        same = pdist(cortex.modules[:, None].astype(float)) == 0
        shared.append(binned(distance, same, edges))
        middle.append(binned(distance, distance, edges))
    assert_allclose(np.mean(shared, 0), np.exp(-np.mean(middle, 0) / 60), atol=0.06)
    assert len(np.unique(grown(60, similarity_um=0.0).modules)) == 60


def test_signal_correlation_has_the_planted_length_constant(grown, seen):
    edges, curves = np.arange(0, 300, 20), []
    for key in "abcdefgh":
        cortex = grown(250, key=key, energy_fraction=0.0, noise_fraction=0.0)
        expected = cortex.expected(*seen[:2], 0 * seen[2], 0 * seen[3])
        distance = pdist(cortex.positions)
        curves.append(binned(distance, 1 - pdist(expected.T, "correlation"), edges))
    middle = (edges[1:] + edges[:-1]) / 2
    decay = lambda d, a, length, c: a * np.exp(-d / length) + c  # noqa: E731
    (_, length, _), _ = curve_fit(decay, middle, np.mean(curves, 0), p0=(1, 80, 0))
    assert_allclose(length, 60, rtol=0.2)


@pytest.mark.parametrize("family", ["gamma", "poisson"])
def test_noise_has_the_variance_it_says(grown, family):
    cortex = grown(20, noise_family=family)
    expected = np.repeat([[0.5], [2.0]], 20_000, axis=0) * np.ones(20)
    responses = cortex.respond(expected, np.random.default_rng(0)).reshape(2, 20_000, 20)
    assert (responses >= 0).all()
    mean, variance = np.array([[0.5], [2.0]]), np.array([[0.5], [2.0]]) * cortex.fano
    error = np.sqrt(variance / 20_000)
    assert (np.abs(responses.mean(1) - mean) < 5 * error).all()
    assert_allclose((responses.var(1) / variance).mean(1), 1, atol=0.05)
    if family == "poisson":
        counts = responses / cortex.fano
        assert_allclose(counts, np.rint(counts), atol=1e-6)


def test_without_noise_a_response_is_its_expectation(grown):
    expected = np.array([[1.0] * 20])
    assert_array_equal(grown(20, noise=0.0).respond(expected, np.random.default_rng(0)), expected)


EFFECTS = {"behavior_additive": 2, "behavior_gain": 2, "pupil_shift": 3, "box_effect": 1}


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_planted_effect_acts_and_its_absence_is_exact(grown, still, seen, effect):
    none = {**still, "box_effect": 0.0}
    varied = list(seen)
    varied[EFFECTS[effect]] = np.roll(seen[EFFECTS[effect]], 1, axis=0)
    for size in (0.0, 0.3):
        cortex = grown(**{**none, effect: size})
        before, after = cortex.expected(*seen), cortex.expected(*varied)
        visual = cortex.kinds != "noise"
        assert_array_equal(before[:, ~visual], after[:, ~visual])
        changed = (before != after).mean(0)[visual]
        assert (changed > 0.5).all() if size else not changed.any()


def test_the_pupil_moves_receptive_fields_together(grown, seen):
    cortex = grown()
    shift = np.tile([2 / 31.5, -1 / 17.5], (300, 1))  # 2 pixels right, 1 up
    by_image = raw_drive(moved(seen[0], shift), cortex.filters, cortex.kinds)
    filters = np.roll(cortex.filters, (-1, 2), axis=(2, 3))
    by_filter = raw_drive(seen[0], filters, cortex.kinds)
    assert_allclose(by_image, by_filter, atol=1e-2)
    one = replace(cortex, pupil_map=np.diag([2 / 31.5, -1 / 17.5]))
    moving = one.expected(seen[0], seen[1], 0 * seen[2], np.ones((300, 2)))
    still = replace(cortex, filters=filters).expected(*seen[:2], 0 * seen[2], 0 * seen[3])
    assert_allclose(moving, still, rtol=1e-3, atol=1e-3)


def test_noise_units_see_nothing(grown, seen):
    cortex = grown()
    expected = cortex.expected(*seen)[:, cortex.kinds == "noise"]
    assert_array_equal(expected, np.broadcast_to(expected[0], expected.shape))


def test_output_is_elu_plus_one(grown, still, seen):
    cortex = grown(**still)
    drive = raw_drive(seen[0], cortex.filters, cortex.kinds)
    y = cortex.slope * (drive - cortex.drive_mean) / cortex.drive_std + cortex.offset
    expected = cortex.scale * np.where(y > 0, y + 1, np.exp(y.clip(max=0)))
    assert_allclose(cortex.expected(*seen), expected, rtol=1e-5)
