"""Retinotopic maps: colors read back from their legend, planted affine maps recovered."""

from time import process_time

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from src.analyses import retinotopy
from src.evaluation.permutation import p_value

LOW, HIGH = np.array([-0.4, -0.3]), np.array([0.2, 0.5])
MATRIX = np.array([[4e-4, 1e-4], [-1e-4, 5e-4]])


def cortex(units=300, jitter=0.01, seed=0):
    """Somata in micrometers and their planted positions in the image."""
    rng = np.random.default_rng(seed)
    soma = rng.uniform(-800, -200, size=(units, 2))
    return soma, 0.1 + soma @ MATRIX + jitter * rng.normal(size=soma.shape)


def test_corners_have_their_colors():
    corners = [(x, y) for y in (LOW[1], HIGH[1]) for x in (LOW[0], HIGH[0])]
    expected = [to_rgb(c) for c in ("#ef476f", "#ffd166", "#118ab2", "#073b4c")]
    np.testing.assert_allclose(retinotopy.position_colors(corners, LOW, HIGH), expected)


def test_color_between_corners_is_a_smoothstep():
    t = 0.3
    point = LOW + (HIGH - LOW) * [t, 0]
    step = 3 * t**2 - 2 * t**3
    left, right = np.array(to_rgb("#ef476f")), np.array(to_rgb("#ffd166"))
    color = retinotopy.position_colors(point, LOW, HIGH)
    np.testing.assert_allclose(color, (1 - step) * left + step * right)


def test_legend_shows_the_color_of_every_position():
    size = 32
    legend = retinotopy.legend_image(LOW, HIGH, size)
    points = np.random.default_rng(0).uniform(LOW, HIGH, size=(500, 2))
    column, row = (size * (points - LOW) / (HIGH - LOW)).astype(int).T
    centers = LOW + (HIGH - LOW) * (np.column_stack([column, row]) + 0.5) / size
    np.testing.assert_allclose(
        legend[row, column], retinotopy.position_colors(centers, LOW, HIGH), atol=1e-12
    )
    difference = legend[row, column] - retinotopy.position_colors(points, LOW, HIGH)
    assert np.abs(difference).max() < 0.05  # half a pixel away


def test_colors_of_a_whole_brain_take_no_loop():
    points = np.random.default_rng(0).uniform(-0.4, 0.5, (200_000, 2))
    before = process_time()
    colors = retinotopy.position_colors(points, LOW, HIGH)
    assert process_time() - before < 1  # a loop in Python takes several seconds
    alone = [retinotopy.position_colors(point, LOW, HIGH) for point in points[:5]]
    np.testing.assert_array_equal(colors[:5], alone)


def test_positions_outside_take_the_color_of_the_edge():
    colors = retinotopy.position_colors([LOW - 1, LOW], LOW, HIGH)
    np.testing.assert_array_equal(*colors)


def test_limits_enclose_all_positions():
    _, mu = cortex()
    low, high = retinotopy.limits(mu)
    assert (low < mu.min(axis=0)).all() and (high > mu.max(axis=0)).all()


def test_planted_map_is_recovered():
    soma, mu = cortex(jitter=0)
    fitted = retinotopy.fit_affine(soma, mu)
    np.testing.assert_allclose(fitted.matrix, MATRIX, atol=1e-10)
    np.testing.assert_allclose(fitted.offset, 0.1, atol=1e-8)
    np.testing.assert_allclose(fitted(soma), mu, atol=1e-10)
    assert fitted.r2 == pytest.approx(1)


def test_r2_is_that_of_scikit_learn():
    soma, mu = cortex(jitter=0.1)
    model = LinearRegression().fit(soma, mu)
    expected = r2_score(mu, model.predict(soma), multioutput="variance_weighted")
    assert retinotopy.fit_affine(soma, mu).r2 == pytest.approx(expected)


def test_held_out_r2_is_that_of_scikit_learn():
    soma, mu = cortex(units=53, jitter=0.1)
    fold = np.random.default_rng(4).permutation(53) % 5
    predicted = np.empty_like(mu)
    for k in range(5):
        model = LinearRegression().fit(soma[fold != k], mu[fold != k])
        predicted[fold == k] = model.predict(soma[fold == k])
    expected = r2_score(mu, predicted, multioutput="variance_weighted")
    ours = retinotopy.held_out_r2(soma, mu, np.random.default_rng(4), folds=5)
    assert ours == pytest.approx(expected)


def test_many_maps_at_once_equal_one_at_a_time():
    soma, mu = cortex(units=40, jitter=0.2)
    stacked = np.stack([mu, mu[::-1], 2 * mu])
    together = retinotopy.held_out_r2(soma, stacked, np.random.default_rng(0))
    alone = [retinotopy.held_out_r2(soma, x, np.random.default_rng(0)) for x in stacked]
    np.testing.assert_allclose(together, alone)


def test_retinotopy_stands_out_of_its_null_and_noise_does_not():
    soma, mu = cortex(jitter=0.04)
    rng = np.random.default_rng(1)
    observed = retinotopy.held_out_r2(soma, mu, rng)
    null = retinotopy.shuffled_null(soma, mu, rng, shuffles=199)
    assert observed > 0.8 and null.shape == (199,) and np.abs(null.mean()) < 0.05
    assert null.max() < observed
    assert p_value(observed, null) == 1 / 200
    noise = rng.normal(size=mu.shape)
    found = retinotopy.held_out_r2(soma, noise, rng)
    assert p_value(found, retinotopy.shuffled_null(soma, noise, rng, 199)) > 0.05


def test_published_positions_are_a_map_of_cortex(shared):
    """Positions of the published model over its own soma coordinates (a network of them)."""
    folder = shared / "fixtures/sensorium2022"
    state = torch.load(folder / "sensorium_sota_model.pth", map_location="cpu", weights_only=True)
    soma = next(v for k, v in state.items() if k.endswith("source_grid")).numpy()
    mu = np.load(folder / "upstream_checkpoint_outputs.npz")["sota/mu"]
    rng = np.random.default_rng(0)
    assert retinotopy.held_out_r2(soma, mu, rng) > 0.95
    assert np.abs(retinotopy.shuffled_null(soma, mu, rng, shuffles=20)).max() < 0.01
