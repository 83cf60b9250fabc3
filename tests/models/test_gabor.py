"""Gabor energy: sizes as specified, gratings find their layer and channel, planted fields too."""

import numpy as np
import pytest
import torch

from src.data.gaussian_fields import field_grid
from src.evaluation.field_ridge import fit_fields, widest_channels
from src.models.activations import activations, prepare
from src.models.gabor import FREQUENCIES, PERIOD, SIGMA, GaborNetwork, gabor_network
from src.simulate.nsd import draw_scenes
from src.simulate.nsd_cortex import Voxels, signals

SIZES = [12, 17, 22, 29, 39, 53, 70, 94, 125, 167, 223, 297]


def test_frequencies_have_the_specified_sizes():
    network = GaborNetwork()
    assert [level.size for level in network.levels] == SIZES
    few = gabor_network(96, FREQUENCIES[:3])
    found = activations(few, torch.rand(1, 3, 96, 96), few.record.layers)
    assert [tuple(v.shape) for v in found.values()] == [(1, 6, s + 1, s + 1) for s in SIZES[:3]]
    assert [layer.name for layer in few.record.layers] == ["f03.0", "f04.0", "f05.3"]


def test_filters_are_waves_in_an_envelope():
    filters = GaborNetwork().levels[0].filters.numpy()
    assert filters.shape == (12, 1, 12, 12)
    place = np.linspace(-6, 6, 12)
    row, column = 3, 8
    x, y = place[column], -place[row]
    envelope = np.exp(-(x**2 + y**2) / (2 * SIGMA**2)) / (2 * np.pi * SIGMA**2)
    for k in range(6):
        along = np.cos(np.pi * k / 6) * x + np.sin(np.pi * k / 6) * y
        wave = envelope * np.cos(2 * np.pi * along / PERIOD)
        assert filters[k, 0, row, column] == pytest.approx(wave, rel=1e-5)


def test_gratings_are_strongest_in_their_own_channel():
    network = gabor_network(128, FREQUENCIES[:6])
    grid = (np.arange(128) + 0.5) / 128 - 0.5
    x, y = np.meshgrid(grid, -grid)
    for f, frequency in enumerate(FREQUENCIES[:6]):
        for k in range(6):
            along = np.cos(np.pi * k / 6) * x + np.sin(np.pi * k / 6) * y
            gray = np.rint(127 + 100 * np.cos(2 * np.pi * frequency * along)).astype(np.uint8)
            given = prepare(gray[None], network.record)
            found = activations(network, given, network.record.layers)
            middle = [v[0, :, v.shape[2] // 2, v.shape[3] // 2] for v in found.values()]
            assert torch.stack(middle[f:]).argmax() == k  # coarser levels see it as another


def test_planted_fields_and_orientations_are_found():
    rng = np.random.default_rng(0)
    images = draw_scenes(rng, 400, 64)
    voxels = Voxels.draw(5, "gabor", 0, "a")
    y = signals(images, voxels, "gabor", 0)
    y += 0.3 * rng.normal(size=y.shape)
    network = gabor_network(64, (3.0, 6.0, 12.0))
    given = prepare(images.transpose(0, 3, 1, 2), network.record)
    maps = [v.numpy() for v in activations(network, given, network.record.layers).values()]
    rows = np.arange(320), np.arange(320, 400)
    fit = fit_fields(maps, y, field_grid(0.05, 1.5, 0.2, 4), *rows, np.logspace(0, 3, 4))
    apart = np.hypot(*(fit.fields[fit.field_index] - voxels.fields)[:, :2].T)
    assert (apart < 2 * voxels.fields[:, 2]).mean() >= 0.8
    strongest = fit.weights.argmax(1)
    assert (strongest == voxels.weights.argmax(1)).mean() >= 0.8


def test_the_channels_that_vary_most_are_kept_in_order():
    rng = np.random.default_rng(0)
    layer = rng.normal(size=(20, 6, 4, 4)) * np.array([1, 5, 0, 3, 2, 4])[:, None, None]
    layer[15:, 0] *= 100  # not for training
    assert widest_channels(layer, np.arange(15), 3).tolist() == [1, 3, 5]
    assert widest_channels(layer[:, :, 0, 0], np.arange(15)).tolist() == list(range(6))
