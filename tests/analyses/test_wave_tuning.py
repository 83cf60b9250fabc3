"""Preferred waves: planted weights by hand, and simulated voxels of one grating each."""

import numpy as np
import pytest

from src.analyses.wave_tuning import wave_curves, wave_tuning
from src.data.gaussian_fields import field_grid
from src.evaluation.field_ridge import fit_fields
from src.models.activations import activations, prepare
from src.models.gabor import gabor_network
from src.simulate.nsd import draw_scenes
from src.simulate.nsd_cortex import FREQUENCIES, ORIENTATIONS, Voxels, signals

LAYERS = tuple(f"gabor/f{f:04.1f}" for f in FREQUENCIES)


def test_curves_are_means_over_the_other_one():
    weights = np.arange(36.0).reshape(2, 18)
    frequency, orientation = wave_curves(weights)
    np.testing.assert_allclose(frequency[1], [20.5, 26.5, 32.5])
    np.testing.assert_allclose(orientation[0], [6, 7, 8, 9, 10, 11])


def test_one_channel_alone_is_the_preferred_one():
    weights = np.zeros((1, 18))
    weights[0, 6 + 4] = 2.0
    found = wave_tuning(weights, LAYERS).iloc[0]
    assert (found.frequency, found.orientation) == (6.0, 120.0)
    assert found.orientation_spread == pytest.approx(0.1)  # one of six: half a step of 1/5


def test_voxels_of_one_grating_are_recognized():
    rng = np.random.default_rng(0)
    images = draw_scenes(rng, 300, 64)
    voxels = Voxels.draw(5, "gabor", 0, "a")
    y = signals(images, voxels, "gabor", 0)
    network = gabor_network(64, tuple(map(float, FREQUENCIES)))
    given = prepare(images.transpose(0, 3, 1, 2), network.record)
    maps = [m.numpy() for m in activations(network, given, network.record.layers).values()]
    y += 0.3 * rng.normal(size=y.shape)
    rows = np.arange(300), np.arange(0)
    fit = fit_fields(maps, y, field_grid(0.06, 1.5, 0.2, 3), *rows, np.logspace(0, 3, 4))
    found, true = wave_tuning(fit.weights, LAYERS), voxels.weights.argmax(1)
    angle = 30.0 * (true % ORIENTATIONS)
    away = np.abs((found.orientation - angle + 90) % 180 - 90)
    assert (away < 1).mean() >= 0.8
    assert (found.frequency == np.array(FREQUENCIES)[true // ORIENTATIONS]).mean() >= 0.8
