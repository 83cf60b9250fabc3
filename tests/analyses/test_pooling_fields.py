"""Gaussians through planted pooling fields: where, how large, which way."""

import numpy as np
import pytest

from src.analyses.pooling_fields import (
    in_image,
    outlines,
    place_agreement,
    pooling_fits,
    radial_tilt,
)
from src.data.gaussian_fields import field_weights, middles


def planted(x, y, long, short, angle, size=25):
    """A turned Gaussian, of sum 1; y points up."""
    across, down = np.meshgrid(middles(size) / 2, -middles(size) / 2)
    u = np.cos(angle) * (across - x) + np.sin(angle) * (down - y)
    v = -np.sin(angle) * (across - x) + np.cos(angle) * (down - y)
    field = np.exp(-((u / long) ** 2 + (v / short) ** 2) / 2)
    return field / field.sum()


def test_places_and_sizes_are_those_of_the_house():
    fields = np.array([[0.2, 0.1, 0.08], [-0.15, -0.25, 0.12]])
    found = in_image(pooling_fits(field_weights(fields, 25, 25)), 25, 25)
    np.testing.assert_allclose(found[["x", "y", "sigma"]], fields, atol=2e-3)
    np.testing.assert_allclose(found["eccentricity"], np.hypot(*fields[:, :2].T), atol=2e-3)
    np.testing.assert_allclose(found["tilt"], radial_tilt(found["x"], found["y"], found["angle"]))


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.2, -0.7])
def test_the_long_axis_points_where_it_was_planted(angle):
    field = planted(0.15, 0.1, 0.14, 0.07, angle)
    found = in_image(pooling_fits(field[None]), 25, 25).iloc[0]
    off = (found.angle - angle + np.pi / 2) % np.pi - np.pi / 2
    assert off == pytest.approx(0, abs=0.01)
    assert found.sigma == pytest.approx(np.sqrt(0.14 * 0.07), abs=2e-3)


def test_tilt_is_zero_along_the_radius_and_folds():
    x, y = np.array([1.0, 0.0, -1.0]), np.array([1.0, 1.0, 0.0])
    along = np.arctan2(y, x)
    np.testing.assert_allclose(radial_tilt(x, y, along), 0, atol=1e-12)
    np.testing.assert_allclose(radial_tilt(x, y, along + np.pi), 0, atol=1e-12)
    assert np.abs(radial_tilt(x, y, along + np.pi / 2)) == pytest.approx(np.pi / 2)


def test_an_even_field_is_no_fit_and_says_so():
    even = np.full((5, 5), 1 / 25)
    fits = pooling_fits(np.stack([even, planted(0, 0, 0.2, 0.2, 0, 5)]))
    assert fits["status"].tolist() == ["even", "fitted"]
    assert in_image(fits, 5, 5).iloc[0].isna().all()
    nothing, line = outlines(fits)
    assert nothing is None
    away = np.hypot(*(line - fits.loc[1, ["x0", "y0"]].to_numpy(float)).T)
    np.testing.assert_allclose(away, 1.0, rtol=0.02)


def test_places_agree_with_their_own_and_not_with_those_of_others():
    rng = np.random.default_rng(0)
    area = rng.permutation(np.repeat(["V1", "V2"], 40))
    there = rng.uniform(-0.4, 0.4, (80, 2))
    here = there + rng.normal(0, 0.02, there.shape)
    found = place_agreement(here, there, area, 200, rng)
    assert found["score"] == np.median(np.hypot(*(here - there).T))
    assert found["low"] < found["score"] < found["high"] < 0.05 < found["null_low"]
    lonely = place_agreement(here, there, np.arange(80), 20, rng)
    assert lonely["null_low"] == lonely["null_high"] == found["score"]
    assert np.isnan(place_agreement(here[:0], there[:0], area[:0], 9, rng)["score"])
