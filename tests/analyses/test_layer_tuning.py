"""Tuning to layers against masks of weights, hand-computed spreads and planted layers."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from src.analyses.layer_tuning import (
    MASKS,
    LayerTuning,
    area_shares,
    layer_tuning,
    session_tuning,
    spread,
    tuning_samples,
    unit_tuning,
)
from src.config import PoolingReadoutConfig
from src.evaluation.bootstrap import Resamples
from src.evaluation.ceilings import noise_ceiling, signal_explained
from src.models.gnet import layer_channels
from src.models.pooling_readout import PoolingReadout
from src.seeds import stream


def drawn(images, count, over="images"):
    return Resamples.make(images, count, np.random.default_rng(1), over)


def readout_and_maps():
    shapes = (16, 5, 5), (16, 3, 3)
    readout = PoolingReadout(PoolingReadoutConfig(3, init_std=1), shapes, 5, stream(0)).double()
    draw = partial(torch.randn, dtype=torch.float64, generator=stream(1))
    return readout, tuple(draw(6, *s) for s in shapes)


def test_parts_are_predictions_with_all_other_weights_zero():
    readout, maps = readout_and_maps()
    groups = list(layer_channels(8).values())
    assert sum(g.stop - g.start for g in groups) == 32
    parts = readout.parts(maps, groups)
    with torch.no_grad():
        torch.testing.assert_close(parts.sum(0) + readout.bias, readout(maps))
        weights = readout.weights.clone()
        for part, group in zip(parts, groups, strict=True):
            readout.weights.zero_()
            readout.weights[:, group] = weights[:, group]
            torch.testing.assert_close(part + readout.bias, readout(maps))
            readout.weights.copy_(weights)


def test_tuning_is_the_share_of_explained_variance():
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(3, 40, 2))
    data = parts.sum(0) + rng.normal(size=(40, 2))
    found = layer_tuning(parts, data, np.eye(3))
    r, alone = pearsonr(parts.sum(0)[:, 1], data[:, 1])[0], pearsonr(parts[2, :, 1], data[:, 1])[0]
    without = pearsonr(parts[:2].sum(0)[:, 1], data[:, 1])[0]
    assert found.shared[2, 1] == pytest.approx(100 * alone**2 / r**2, rel=1e-6)
    assert found.unique[2, 1] == pytest.approx(100 * (r**2 - without**2) / r**2, rel=1e-6)
    whole = layer_tuning(parts, data, np.ones((1, 3)))
    np.testing.assert_allclose(whole.shared, 100)
    np.testing.assert_allclose(whole.unique, 100)


def test_masks_are_each_layer_and_both_maps():
    layers, maps = np.split(np.stack(list(MASKS.values())), [7])
    np.testing.assert_array_equal(layers.sum(0), np.ones(7))
    np.testing.assert_array_equal(layers.sum(1), np.ones(7))
    np.testing.assert_array_equal(maps, [[1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1]])
    groups = layer_channels(128)
    fine = np.repeat(MASKS["fine map"], [g.stop - g.start for g in groups.values()])
    np.testing.assert_array_equal(fine, np.arange(512) < 256)
    rng = np.random.default_rng(0)
    parts, data = rng.normal(size=(7, 40, 2)), rng.normal(size=(40, 2))
    found = layer_tuning(parts, data, np.stack(list(MASKS.values())))
    coarse = parts[3:].sum(0)
    np.testing.assert_allclose(found.alone[8], found.without[7])  # each is what the other lacks
    np.testing.assert_allclose(found.alone[7], found.without[8])
    assert found.alone[8, 1] == pytest.approx(pearsonr(coarse[:, 1], data[:, 1])[0], rel=1e-6)


def test_sessions_are_put_side_by_side():
    rng = np.random.default_rng(0)
    parts, data, images = rng.normal(size=(7, 40, 5)), rng.normal(size=(40, 5)), np.arange(40)
    some = [slice(2), slice(2, 5)]
    given = [parts[..., u] for u in some], [data[:, u] for u in some], [images, images]
    found, samples = session_tuning(*given, drawn(images, 20))
    masks = np.stack(list(MASKS.values()))
    expected = layer_tuning(parts, data, masks)
    again = tuning_samples(parts, data, masks, images, drawn(images, 20))
    for name in ("whole", "alone", "without"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name))
        np.testing.assert_allclose(getattr(samples, name), getattr(again, name))
        mean, sd = np.moveaxis(samples.moments[name], -1, 0)
        np.testing.assert_allclose(mean, getattr(again, name).mean(0))
        np.testing.assert_allclose(sd, getattr(again, name).std(0))
    table = unit_tuning(found, samples)
    np.testing.assert_array_equal(table["deepest"], np.square(found.alone[:7]).argmax(0) + 1)
    np.testing.assert_allclose(table["L3"], 100 * (found.alone[2] / found.whole) ** 2)
    np.testing.assert_allclose(table["unique"], 100 - 100 * (found.without[7] / found.whole) ** 2)
    np.testing.assert_allclose(table["error"], samples.unique[:, 7].std(0))


def test_errors_as_published_are_those_of_independent_correlations():
    rng = np.random.default_rng(0)
    whole, some = rng.normal(0.5, 0.006, (20000, 1)), rng.normal(0.4, 0.004, (20000, 1, 1))
    found = LayerTuning(np.array([0.5]), np.array([[0.4]]), np.array([[0.4]]))
    apart = found.errors(LayerTuning(whole, some, some))
    by_hand = 200 * (0.4**2 / 0.5**2) * np.hypot(0.006 / 0.5, 0.004 / 0.4)
    for name in ("shared", "unique"):
        assert apart[f"{name}_published"].item() == pytest.approx(by_hand, rel=0.02)
        assert apart[name].item() == pytest.approx(by_hand, rel=0.02)
    alike = found.errors(LayerTuning(whole, 0.8 * whole[:, None], 0.8 * whole[:, None]))
    assert alike["shared"].item() == pytest.approx(0, abs=1e-9)  # a fixed share varies by nothing
    assert alike["shared_published"].item() > 2


def test_shared_and_unique_of_the_specification():
    rho, alone, without = 0.5, 0.45, 0.30
    found = LayerTuning(np.array([rho]), np.array([[alone]]), np.array([[without]]))
    assert found.shared.item() == pytest.approx(81) and found.unique.item() == pytest.approx(64)


def test_the_planted_layer_is_the_largest():
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(7, 300, 7)) * (0.3 + 2 * np.eye(7))[:, None]
    data = parts.sum(0) + rng.normal(size=(300, 7))
    found = layer_tuning(parts, data, np.eye(7))
    np.testing.assert_array_equal(found.shared.argmax(0), np.arange(7))
    np.testing.assert_array_equal(found.unique.argmax(0), np.arange(7))
    images = np.repeat(np.arange(100), 3)
    samples = tuning_samples(parts, data, np.eye(7), images, drawn(images, 200))
    assert samples.shared.shape == samples.unique.shape == (200, 7, 7)
    np.testing.assert_allclose(samples.shared.mean(0), found.shared, atol=6)
    np.testing.assert_allclose(samples.whole.mean(0), found.whole, atol=0.02)
    chosen = np.arange(7) < 3
    area = area_shares(found, samples, chosen)
    by_hand = sum(found.whole[u] ** 2 * found.unique[1, u] for u in range(3))
    assert area["unique"][1] == pytest.approx(by_hand / (found.whole[:3] ** 2).sum())
    for name in ("shared", "unique"):
        assert (area[f"{name}_low"] < area[name]).all() and (
            area[name] < area[f"{name}_high"]
        ).all()
    assert np.isnan(area_shares(found, samples, chosen & ~chosen)["shared_low"]).all()
    paired, apart = (
        tuning_samples(parts, data, np.ones((1, 7)), images, drawn(images, 20, over)).shared
        for over in ("images", "trials")
    )
    np.testing.assert_allclose(paired, 100)  # a layer that is the whole shares all of it
    assert (apart.std(0) > 1).all()
    once = np.arange(300)
    single = tuning_samples(parts, data, np.eye(7), once, drawn(once, 500)).shared
    again = []
    for _ in range(300):
        fresh = rng.normal(size=(7, 300, 7)) * (0.3 + 2 * np.eye(7))[:, None]
        answers = fresh.sum(0) + rng.normal(size=(300, 7))
        again.append(layer_tuning(fresh, answers, np.eye(7)).shared[0, 0])
    assert single[:, 0, 0].std() == pytest.approx(np.std(again), rel=0.3)


@pytest.mark.parametrize(
    ("variance", "expected"),
    [
        ((0.01, 0.02, 0.09, 0.20, 0.11, 0.05, 0.03), 0.20833),
        (range(1, 8), 0.5),
        ((0, 0, 0, 1, 0, 0, 0), 1 / 12),
        ((1, 1, 0, 1, 1, 1, 1), 11 / 12),
    ],
)
def test_spread(variance, expected):
    given = np.array([variance, variance], float).T
    np.testing.assert_allclose(spread(given), expected, atol=1e-5)
    assert np.isnan(spread(np.ones((7, 1)))).all()


def test_the_noise_ceiling_of_the_specification():
    mixed = np.repeat([3, 2, 1], [400, 60, 55])
    for counts, expected in (([1], 14.995), ([3, 3], 34.606), (mixed, 29.383)):
        assert noise_ceiling(np.array(0.42), np.array(counts)) == pytest.approx(expected, abs=5e-4)


def test_the_ceiling_is_what_the_signal_itself_reaches():
    rng, ncsnr = np.random.default_rng(0), np.array([0.3, 0.6, 1.2])
    counts = rng.integers(1, 4, 60000)
    signal = rng.normal(size=(len(counts), 3))
    mean = ncsnr * signal + rng.normal(size=signal.shape) / np.sqrt(counts)[:, None]
    r = [pearsonr(a, b)[0] for a, b in zip(signal.T, mean.T, strict=True)]
    ceiling = noise_ceiling(ncsnr, counts)
    np.testing.assert_allclose(100 * np.square(r), ceiling, rtol=0.05)
    np.testing.assert_allclose(signal_explained(np.array(r), ceiling), 100, atol=5)
    assert np.isnan(signal_explained(np.array([0.1]), np.array([0.9])))
    assert np.isnan(signal_explained(np.array([0.1]), np.array([np.nan])))
