"""Rotated Gaussians fitted to receptive fields, every failure counted.

A field is z-scored over its pixels and its magnitude fitted by least squares with
amplitude exp(-(u / sigma_x)^2 / 2 - (v / sigma_y)^2 / 2) + offset, where (u, v) is the place of a
pixel around (x0, y0) on axes turned by theta, from x towards y, which points down.
Source: Li et al. 2023; specification 9.5.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.optimize import least_squares

from src.correlation import z_score

PARAMETERS = ("amplitude", "x0", "y0", "sigma_x", "sigma_y", "theta", "offset")
FITTED = "fitted"  # other statuses: not converged; no peak
LEVEL = 0.158  # of a fit scaled to 0..1: the published "1 sigma" contour, at 1.92 deviations
DROPPED = 0.05  # share of the largest sizes that the published mean leaves out
MOST_STEPS = 500
LOWEST = 0.01  # amplitude of a peak, in deviations of the field

Start = Literal["published", "peak"]


def magnitude(fields: np.ndarray) -> np.ndarray:
    """Absolute z-score over a field's pixels: (u, c, h, w) -> (u, h, w).

    Of several channels, the root of their mean square, so that opponent colors do not cancel.
    """
    z = z_score(fields.reshape(len(fields), -1).T).T.reshape(fields.shape)
    return np.sqrt(np.mean(z**2, axis=1))


def fit_gaussians(fields: np.ndarray, start: Start = "peak") -> pd.DataFrame:
    """A fit a unit, one row each and none dropped: (u, c, h, w) -> u rows of PARAMETERS, status."""
    return pd.DataFrame([fit_gaussian(image, start) for image in magnitude(fields)])


def fit_gaussian(image: np.ndarray, start: Start = "peak") -> dict[str, float | str]:
    """Levenberg-Marquardt from a start: (h, w) -> PARAMETERS in pixels, and the status.

    Status: fitted; not converged; no peak (a dip, or centered outside, or wider than the image).
    """
    y, x = (grid.ravel() for grid in np.indices(image.shape, np.float64))
    first, target = starting_point(image, start), image.ravel()
    found = least_squares(
        lambda p: _value(p, x, y) - target,
        *(first, lambda p: _slopes(p, x, y)),
        method="lm",
        max_nfev=MOST_STEPS,
    )
    fit = _named(found.x)
    status = FITTED if _is_peak(fit, image.shape) else "no peak"
    return fit | {"status": status if found.success else "not converged"}


def starting_point(image: np.ndarray, start: Start) -> np.ndarray:
    """Amplitude, x0, y0, a, b, c, offset to start from: (h, w) -> (7,).

    published: 3, the middle of the image, sigmas 10, offset 10, for any image. peak: the highest
    place of the smoothed image.
    """
    h, w = image.shape
    if start == "published":
        return np.array([3, w / 2, h / 2, 1 / 10, 0, 1 / 10, 10])
    width = h / 12
    row, column = np.unravel_index(gaussian_filter(image, width / 2).argmax(), image.shape)
    return np.array([3, column, row, 1 / width, 0, 1 / width, np.median(image)])


def _parts(p: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """dx, dy, s = a dx + b dy, t = c dy, exp(-(s^2 + t^2) / 2): any a, b, c make an ellipse.

    Sigmas and theta would do the same, but theta means nothing where the sigmas are equal.
    """
    dx, dy = x - p[1], y - p[2]
    s, t = p[3] * dx + p[4] * dy, p[5] * dy
    return dx, dy, s, t, np.exp(-(s * s + t * t) / 2)


def _value(p: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return p[0] * _parts(p, x, y)[4] + p[6]


def _slopes(p: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Derivatives of the value by the parameters: -> (k, 7)."""
    dx, dy, s, t, bump = _parts(p, x, y)
    s, t = p[0] * bump * s, p[0] * bump * t
    by_center = s * p[3], s * p[4] + t * p[5]
    return np.column_stack([bump, *by_center, -s * dx, -s * dy, -t * dy, np.ones_like(bump)])


def _named(p: np.ndarray) -> dict[str, float]:
    """PARAMETERS of an ellipse a, b, c; sigma_x is along the axis closer to x: |theta| <= pi/4."""
    root = np.array([[p[3], p[4]], [0, p[5]]])
    _, inverse, axes = np.linalg.svd(root)
    x, y = (0, 1) if abs(axes[0, 0]) >= abs(axes[0, 1]) else (1, 0)
    sigmas = [1 / inverse[k] if inverse[k] > 0 else np.inf for k in (x, y)]
    theta = np.arctan(axes[x, 1] / axes[x, 0])
    values = [*p[:3], *sigmas, theta, p[6]]
    return dict(zip(PARAMETERS, map(float, values), strict=True))


def _is_peak(fit: dict[str, float], shape: tuple[int, ...]) -> bool:
    h, w = shape
    inside = -0.5 <= fit["x0"] <= w - 0.5 and -0.5 <= fit["y0"] <= h - 0.5
    narrow = max(fit["sigma_x"], fit["sigma_y"]) <= max(shape)
    return fit["amplitude"] > LOWEST and inside and narrow


def sizes(fits: pd.DataFrame) -> dict[str, float | int]:
    """Published summary: mean and sd of both sigmas without their largest 5 %, with all counts."""
    fitted = fits[fits["status"] == FITTED]
    row: dict[str, float | int] = {"units": len(fits), "fitted": len(fitted)}
    for name in ("sigma_x", "sigma_y"):
        kept = fitted[name][fitted[name] <= fitted[name].quantile(1 - DROPPED)]
        row |= {f"{name}_mean": kept.mean(), f"{name}_sd": kept.std(ddof=0)}
        row[f"{name}_dropped"] = len(fitted) - len(kept)
    return row


def contour(fit: pd.Series, level: float = LEVEL, points: int = 100) -> np.ndarray:
    """Where a fit, scaled to 0..1, has this level: one row of fits -> (points, 2) pixels x, y."""
    turn = np.linspace(0, 2 * np.pi, points)
    radius, cos, sin = np.sqrt(-2 * np.log(level)), np.cos(fit["theta"]), np.sin(fit["theta"])
    u, v = radius * fit["sigma_x"] * np.cos(turn), radius * fit["sigma_y"] * np.sin(turn)
    return np.column_stack([fit["x0"] + u * cos - v * sin, fit["y0"] + u * sin + v * cos])
