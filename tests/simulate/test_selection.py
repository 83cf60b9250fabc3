"""The best of many equal models looks good where it was chosen, and nowhere else."""

import numpy as np
import pytest
from scipy.stats import norm

from src.seeds import numpy_stream
from src.simulate.selection import equal_models, selection_gain


def gains(models, images, r, dimensions=4, draws=30):
    streams = (numpy_stream(1, "selection", k) for k in range(draws))
    worlds = [equal_models(s, models, images, r, dimensions) for s in streams]
    return np.mean([selection_gain(*world) for world in worlds])


def test_two_hundred_configurations_on_288_pictures():
    """D4, specification 14.5: with as many pictures and the score that was published, .05."""
    assert gains(200, 288, 0.56) == pytest.approx(0.05, abs=0.01)


def test_models_without_skill_gain_the_expected_maximum():
    """r of noise has variance 1 / (n - 1); the largest of k normal draws by integration."""
    models, images, dimensions = 100, 200, 5
    x = np.linspace(-8, 8, 4001)
    largest = np.trapezoid(x * models * norm.pdf(x) * norm.cdf(x) ** (models - 1), x)
    expected = largest / np.sqrt((images - 1) * dimensions)
    assert gains(models, images, 0.0, dimensions) == pytest.approx(expected, rel=0.1)


def test_all_models_have_the_correlation_asked_for():
    chosen, fresh = equal_models(numpy_stream(1, "all"), 50, 4000, 0.4)
    assert chosen.shape == fresh.shape == (50,)
    np.testing.assert_allclose(chosen, 0.4, atol=0.03)
    np.testing.assert_allclose(fresh, 0.4, atol=0.03)


def test_a_single_model_gains_nothing():
    assert abs(gains(1, 288, 0.5, draws=100)) < 0.01
    assert selection_gain(np.array([0.1, 0.5, 0.3]), np.array([0.9, 0.2, 0.8])) == 0.3
