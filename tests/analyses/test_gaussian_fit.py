"""Gaussian fits: planted parameters recovered, derivatives checked, failures counted."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime, curve_fit

from src.analyses import gaussian_fit
from src.analyses.gaussian_fit import FITTED, PARAMETERS

H, W = 36, 64
Y, X = np.indices((H, W), np.float64)
PLANTED = np.array(
    [
        [6, 30, 18, 5, 3, 0.4, 0.8],
        [4, 22.5, 13.3, 2.5, 4, -0.7, 0.5],
        [8, 42, 24, 4, 7, 0.1, 1],
        [3, 38, 10, 3.5, 3, 0.5, 0.8],
    ]
)


def rotated(p, x, y):
    """The published form: axes turned by theta from x towards y."""
    amplitude, x0, y0, sigma_x, sigma_y, theta, offset = p
    turned = np.exp(-1j * theta) * ((x - x0) + 1j * (y - y0))
    return (
        amplitude * np.exp(-((turned.real / sigma_x) ** 2 + (turned.imag / sigma_y) ** 2) / 2)
        + offset
    )


def image(p, noise=0.0):
    return rotated(p, X, Y) + noise * np.random.default_rng(0).normal(size=(H, W))


def test_slopes_are_those_of_finite_differences():
    x, y = X.ravel()[::37], Y.ravel()[::37]
    for p in (np.array([3, 30, 18, 0.2, 0.1, -0.3, 1]), np.array([-2, 9.5, 30, 0.1, 0, 0.1, 0])):
        expected = [
            approx_fprime(p, lambda q, at=at: gaussian_fit._value(q, *at))
            for at in zip(x, y, strict=True)
        ]
        np.testing.assert_allclose(gaussian_fit._slopes(p, x, y), expected, atol=1e-5)


@pytest.mark.parametrize("start", ["published", "peak"])
@pytest.mark.parametrize("p", PLANTED)
def test_planted_parameters_are_recovered(p, start):
    found = gaussian_fit.fit_gaussian(image(p), start)
    assert found["status"] == FITTED
    assert [found[name] for name in PARAMETERS] == pytest.approx(p, rel=1e-4)


def test_round_fields_are_fitted_from_the_round_published_start():
    """Where both sigmas are equal theta means nothing, and must not stop the fit."""
    found = gaussian_fit.fit_gaussian(image([4, 30, 20, 6, 6, 0, 1]), "published")
    assert found["status"] == FITTED
    assert [found["sigma_x"], found["sigma_y"]] == pytest.approx([6, 6], rel=1e-4)


def test_a_field_far_from_the_middle_is_found_from_its_peak_only():
    far = image([4, 5, 4, 2, 2.5, 0.2, 0.8])
    assert gaussian_fit.fit_gaussian(far, "peak")["status"] == FITTED
    assert gaussian_fit.fit_gaussian(far, "published")["status"] != FITTED


def test_noise_moves_the_fit_no_more_than_it_must():
    p = PLANTED[0]
    noisy = image(p, 0.5)
    found = gaussian_fit.fit_gaussian(noisy)
    pixels = np.vstack([X.ravel(), Y.ravel()])
    expected, covariance = curve_fit(lambda xy, *q: rotated(q, *xy), pixels, noisy.ravel(), p)
    fitted = np.array([found[name] for name in PARAMETERS])
    np.testing.assert_allclose(fitted, expected, rtol=1e-3)
    assert (np.abs(fitted - p) < 4 * np.sqrt(np.diag(covariance))).all()


def test_published_start():
    start = gaussian_fit.starting_point(np.zeros((36, 64)), "published")
    sigmas = 1 / start[[3, 5]]
    assert [*start[:3], *sigmas, *start[[4, 6]]] == [3, 32, 18, 10, 10, 0, 10]


def test_magnitude_is_the_absolute_z_score_and_opponent_colors_do_not_cancel():
    field = np.random.default_rng(0).normal(2, 3, size=(2, 1, H, W))
    z = (field[:, 0] - field.mean((1, 2, 3))[:, None, None]) / field.std((1, 2, 3))[:, None, None]
    np.testing.assert_allclose(gaussian_fit.magnitude(field), np.abs(z), atol=1e-6)
    blob = image([5, 30, 18, 3, 3, 0, 0])
    opponent = gaussian_fit.magnitude(np.stack([blob, 0 * blob, -blob])[None])[0]
    assert np.unravel_index(opponent.argmax(), (H, W)) == (18, 30)


def fields_of(*images):
    return np.stack(images)[:, None]


def test_failures_stay_in_the_table_with_their_reason():
    sign = np.where(np.random.default_rng(1).random((H, W)) > 0.5, 1, -1)
    good, flat = image([9, 30, 18, 3, 3, 0, 0]) * sign, np.zeros((H, W))
    outside = image([9, 75, 18, 8, 8, 0, 0]) * sign
    fits = gaussian_fit.fit_gaussians(fields_of(good, flat, outside))
    assert list(fits.columns) == [*PARAMETERS, "status"] and len(fits) == 3
    assert fits["status"].tolist() == [FITTED, "no peak", "no peak"]


def test_fits_that_do_not_converge_say_so(monkeypatch):
    monkeypatch.setattr(gaussian_fit, "MOST_STEPS", 2)
    assert gaussian_fit.fit_gaussian(image(PLANTED[1]))["status"] == "not converged"


def table(sigma, status=FITTED):
    return pd.DataFrame({"sigma_x": sigma, "sigma_y": 2 * sigma, "status": status})


def test_only_the_reported_mean_leaves_out_the_largest_sizes():
    fits = pd.concat([table(np.arange(1.0, 41)), table(np.full(3, 1e6), "no peak")])
    row = gaussian_fit.sizes(fits)
    assert (row["units"], row["fitted"]) == (43, 40)
    assert (row["sigma_x_dropped"], row["sigma_y_dropped"]) == (2, 2)
    kept = np.arange(1.0, 39)
    assert row["sigma_x_mean"] == kept.mean() and row["sigma_x_sd"] == pytest.approx(kept.std())
    assert row["sigma_y_mean"] == 2 * kept.mean()
    assert len(fits) == 43


def test_sizes_of_no_fit_are_unknown():
    row = gaussian_fit.sizes(table(np.ones(3), "no peak"))
    assert row["fitted"] == 0 and np.isnan(row["sigma_x_mean"])


@pytest.mark.parametrize("level", [0.158, np.exp(-0.5)])
def test_the_fit_has_its_level_on_the_contour(level):
    for p in PLANTED:
        line = gaussian_fit.contour(pd.Series(dict(zip(PARAMETERS, p, strict=True))), level)
        scaled = (rotated(p, *line.T) - p[6]) / p[0]
        np.testing.assert_allclose(scaled, level)
