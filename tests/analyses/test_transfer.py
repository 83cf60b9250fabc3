"""Transfer matrices, alpha and the noise model against hand-computed and planted values."""

import numpy as np
import pytest

from src.analyses.noise_model import (
    descended_mixing,
    from_correlations,
    noise_covariance,
    noise_model,
)
from src.analyses.transfer import (
    BRANCHES,
    CHAIN,
    asymmetry,
    asymmetry_samples,
    transfer_matrix,
    verdict,
)
from src.correlation import pearson
from src.data.errors import DataError
from src.data.gaussian_fields import field_grid
from src.evaluation.field_ridge import fit_fields
from src.simulate.nsd import draw_scenes
from src.simulate.nsd_cortex import Voxels, signals, trunk_maps

STORED = np.array(
    [
        [0, -0.0045, -0.0092, -0.0171],
        [-0.0022, 0, -0.0025, -0.0084],
        [-0.0049, -0.0010, 0, -0.0022],
        [-0.0100, -0.0069, -0.0045, 0],
    ]
)


def test_alpha_of_the_stored_matrix():
    found = asymmetry(STORED)
    assert found.up == pytest.approx(-0.003065, abs=1e-6)
    assert found.down == pytest.approx(-0.004785, abs=1e-6)
    assert found.alpha == pytest.approx(0.2191, abs=1e-4)
    assert found.error == pytest.approx(0.0724, abs=1e-4)


def test_alpha_of_one_sided_and_of_even_matrices():
    one_sided = -np.triu(np.ones((4, 4)), 1)
    assert asymmetry(one_sided).alpha == 1 and asymmetry(one_sided.T).alpha == -1
    even = -np.abs(np.subtract.outer(np.arange(4.0), np.arange(4)))
    assert asymmetry(even).alpha == 0
    assert np.isnan(asymmetry(np.zeros((4, 4))).alpha)


def test_the_matrix_is_the_mean_gain_of_units_of_an_area():
    rng = np.random.default_rng(0)
    area = rng.integers(0, 4, 50)
    area[area == 2] = 1
    transferred, own = rng.normal(size=(4, 50)), rng.normal(size=50)
    found, counts = transfer_matrix(transferred, own, area)
    for i in range(4):
        for j in range(4):
            expected = (transferred[i] - own)[area == j].mean() if j != 2 else np.nan
            assert found[i, j] == pytest.approx(expected, nan_ok=True)
    assert counts.tolist() == np.bincount(area, minlength=4).tolist()


def test_alpha_varies_over_units_as_it_should():
    rng = np.random.default_rng(0)
    area = np.repeat(np.arange(4), 100)
    gain = STORED[:, area] + 0.005 * rng.normal(size=(4, 400))
    found = asymmetry_samples(gain, np.zeros(400), area, 200, rng)
    again = [asymmetry(STORED + 0.0005 * rng.normal(size=(4, 4))).alpha for _ in range(2000)]
    assert found[:, 2].std() == pytest.approx(np.std(again), rel=0.3)
    low, high = np.quantile(found[:, 2], [0.01, 0.99])
    assert low < asymmetry(STORED).alpha < high


def test_alpha_varies_over_images_as_it_should():
    """Units without differences between them: all that varies are the images."""
    rng = np.random.default_rng(1)
    area, own = np.arange(4), np.zeros(4)
    gains = STORED + 0.002 * rng.normal(size=(300, 4, 4))
    found = asymmetry_samples(gains[:, :, area], np.tile(own, (300, 1)), area, 300, rng)
    np.testing.assert_allclose(found[:, 2], [asymmetry(gain).alpha for gain in gains])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.75, 1.0, "chain"),
        (-0.2, 0.45, "no chain seen"),
        (0.1, 0.8, "not determined"),
        (0.6, 0.9, "not determined"),
        (np.nan, np.nan, "not determined"),
    ],
)
def test_an_interval_that_reaches_beyond_both_settles_nothing(low, high, expected):
    assert verdict(low, high) == expected


def test_the_noise_model_of_the_hand_computed_correlations():
    prediction = np.array([[1, 0.5], [0.5, 1]])
    between, data = np.array([[0.6, 0.2], [0.3, 0.4]]), np.array([[1, 0.3], [0.3, 1]])
    found = from_correlations(data, between, prediction)
    np.testing.assert_allclose(found.gain, [0.56, 0.44])
    expected = [[0.82205, 0.10314], [0.10314, 0.89205]]
    np.testing.assert_allclose(found.mixing, expected, atol=1e-5)
    assert found.clipped == 0


def test_the_noise_model_is_recovered_and_drawn_again():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(40000, 5))
    signal[:, 1] += signal[:, 0]
    signal = (signal - signal.mean(0)) / signal.std(0)
    gain = np.array([0.2, 0.3, 0.4, 0.5, 0.6])
    common = rng.normal(size=(40000, 1))
    noise = np.sqrt(0.7) * rng.normal(size=(40000, 5)) + np.sqrt(0.3) * common
    data = gain * signal + np.sqrt(1 - gain**2) * noise
    found = noise_model(data, signal)
    np.testing.assert_allclose(found.gain, gain, atol=0.02)
    covariance = np.sqrt(np.outer(1 - gain**2, 1 - gain**2)) * (0.3 + 0.7 * np.eye(5))
    np.testing.assert_allclose(found.mixing @ found.mixing.T, covariance, atol=0.02)
    drawn = found.draw(signal, rng)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(data.T), atol=0.03)
    with pytest.raises(DataError, match="give the same trials"):
        noise_model(data, signal[:-1])


def test_what_is_no_covariance_is_clipped_and_counted():
    data = np.array([[1.0, 0.99], [0.99, 1.0]])
    found = from_correlations(data, 0.9 * np.eye(2), np.eye(2))
    rest = data - 0.81 * np.eye(2)
    negative = np.linalg.eigvalsh(rest).clip(max=0).sum()
    assert found.clipped == pytest.approx(-negative) and found.clipped > 0.5
    off = np.linalg.norm(found.mixing @ found.mixing.T - rest)
    assert off <= found.clipped + 1e-12


def test_descent_is_down_the_gradient_and_ends_where_the_closed_form_is():
    """A step against finite differences; then from the published start to an error of next to 0."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 12)) @ rng.normal(size=(12, 12))
    p = x + 2 * rng.normal(size=x.shape)
    c = np.corrcoef(x.T, p.T)
    given = c[:12, :12], c[:12, 12:], c[12:, 12:]
    gain, rest = noise_covariance(*given)

    def loss(mixing):
        return ((mixing @ mixing.T - rest) ** 2).sum()

    start = descended_mixing(gain, rest, np.random.default_rng(0), steps=0)
    step = start - descended_mixing(gain, rest, np.random.default_rng(0), 1e-3, 1, 0)
    for place in ((0, 0), (3, 7)):
        moved = np.zeros((12, 12))
        moved[place] = 1e-6
        slope = (loss(start + moved) - loss(start - moved)) / 2e-6
        assert step[place] == pytest.approx(1e-3 * slope, rel=1e-5)
    closed = from_correlations(*given).mixing
    early = descended_mixing(gain, rest, np.random.default_rng(0))
    late = descended_mixing(gain, rest, np.random.default_rng(0), 1e-2, 5000, 0)
    assert loss(closed) - 1e-4 < loss(late) < loss(early) <= max(loss(start), 4.0)
    np.testing.assert_allclose(late @ late.T, closed @ closed.T, atol=0.01)


def test_a_chain_is_told_from_branches_where_trunks_are_perfect():
    """Areas that read one stack, or one each, with noise; as 08_fig_control does it, smaller."""
    pictures = draw_scenes(np.random.default_rng(0), 220, 48)
    train, none, test = np.arange(170), np.arange(0), np.arange(170, 220)
    found = {}
    for world in ("hierarchical", "branched"):
        cells = Voxels.draw(12, world, 42, "control")
        y = signals(pictures, cells, world, 42)
        y += 0.3 * np.random.default_rng(1).normal(size=y.shape)
        r = []
        for maps in trunk_maps(pictures, world, 42):
            fit = fit_fields(maps, y, field_grid(0.1, 2.0, sizes=2), train, none, [1.0, 30, 900])
            r.append(pearson(fit.predict([m[test] for m in maps]), y[test]))
        own = np.array(r)[cells.area, np.arange(48)]
        found[world] = asymmetry(transfer_matrix(np.array(r), own, cells.area)[0]).alpha
    assert found["hierarchical"] > CHAIN and found["branched"] < BRANCHES + 0.1
