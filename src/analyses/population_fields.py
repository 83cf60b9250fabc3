"""Population receptive fields: the Gaussian through which a voxel saw a film.

    r_v(t) = b_v + a_v sum_p exp(-|p - c_v|^2 / (2 s_v^2)) m(t, p)

m is the film after the delay of blood flow. The best of many candidate fields is where a descent
begins. Gain and baseline follow from the field by least squares, so that only x, y and the size
are searched. Source: Dumoulin & Wandell 2008, NeuroImage 39:647; variable projection: Golub &
Pereyra 1973, in the form of Kaufman 1975.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

BLOCK = 500  # fields at a time
STEPS = 40
RARER = 2.0
DAMPING = 1e-2  # of the first step, as a share of the curvature
SMALLEST = 1e-3  # change of explained variance after which a voxel is left alone, in thousandths


def field_candidates(
    pixels: np.ndarray, places: int = 21, sizes: int = 8, reach: float = 1.5
) -> np.ndarray:
    """Fields to begin with: (p, 2) -> (k, 3) of x, y, sd.

    A grid that reaches beyond the screen, and sizes from a pixel and a half to the whole height:
    smaller ones the screen could not show, and from further away nothing is seen but noise.
    """
    low, high = pixels.min(0), pixels.max(0)
    pitch = (high - low)[1] / (len(np.unique(pixels[:, 1])) - 1)
    axes = [np.linspace(reach * a, reach * b, places) for a, b in zip(low, high, strict=True)]
    sizes = np.geomspace(1.5 * pitch, (high - low)[1], sizes)
    return np.array(list(product(*axes, sizes)))


def seen(movie: np.ndarray, pixels: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """What fields see of a film: (t, p), (p, 2), (k, 3) -> (k, t)."""
    found = np.empty((len(fields), len(movie)))
    for first in range(0, len(fields), BLOCK):
        some = slice(first, first + BLOCK)
        found[some] = _gaussians(pixels, fields[some])[0] @ movie.T
    return found


def fit_fields_to_movie(
    movie: np.ndarray,
    pixels: np.ndarray,
    responses: np.ndarray,
    candidates: np.ndarray,
    steps: int = STEPS,
) -> pd.DataFrame:
    """Best field of each voxel: (t, p), (p, 2), (t, u), (k, 3) -> u rows x, y, sd, a, b, r2.

    Fields stay within what candidates span. Gain is negative, blood answering with less, only where
    no positive one explains half as much. A voxel that does not vary has r2 nan. With `steps` 0
    the best candidate is taken as it is.
    """
    y = responses.T - responses.mean(0)[:, None]
    fields = candidates[_best_candidates(seen(movie, pixels, candidates), y)]
    for first in range(0, len(y), BLOCK):
        some = slice(first, first + BLOCK)
        limits = candidates.min(0), candidates.max(0)
        fields[some] = _descend(movie, pixels, y[some], fields[some], steps, limits)
    shown = seen(movie, pixels, fields)
    gain, _, r2 = _explained(shown - shown.mean(1, keepdims=True), y)
    found = pd.DataFrame(fields, columns=["x", "y", "sd"])
    baseline = responses.mean(0) - gain * shown.mean(1)
    return found.assign(amplitude=gain, baseline=baseline, r2=r2)


def _best_candidates(shown: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The candidate of highest correlation: (k, t), centered (u, t) -> (u,).

    Of a negative one, which is rare, where it explains more than `RARER` times as much.
    """
    z = shown - shown.mean(1, keepdims=True)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    z = np.divide(z, length, out=np.zeros_like(z), where=length > 0)
    r = z @ y.T
    return np.where(r.min(0) ** 2 > RARER * r.max(0) ** 2, r.argmin(0), r.argmax(0))


def _gaussians(pixels: np.ndarray, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of pixels, and distances along x and y in units of the size: 3 times (k, p)."""
    dx, dy = ((pixels[:, i] - fields[:, i, None]) / fields[:, 2, None] for i in (0, 1))
    return np.exp(-(dx**2 + dy**2) / 2), dx, dy


def _explained(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gain, what remains, and r2, of centered rows: (u, t), (u, t) -> (u,), (u, t), (u,)."""
    power, total = (z**2).sum(1), (y**2).sum(1)
    gain = (z * y).sum(1) / np.where(power > 0, power, np.inf)
    rest = y - gain[:, None] * z
    return gain, rest, 1 - (rest**2).sum(1) / np.where(total > 0, total, np.nan)


def _descend(
    movie: np.ndarray,
    pixels: np.ndarray,
    y: np.ndarray,
    fields: np.ndarray,
    steps: int,
    limits: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Levenberg-Marquardt on x, y and log size within limits, all voxels at once: -> (u, 3)."""
    best, damping = fields.copy(), np.full(len(y), DAMPING)
    r2, slope, curvature = _model(movie, pixels, y, best)
    moving = np.isfinite(r2)
    for _ in range(steps):
        at = np.flatnonzero(moving)
        if not len(at):
            break
        ridge = np.einsum("uii->ui", curvature[at]) * damping[at, None] + 1e-12
        step = np.linalg.solve(curvature[at] + ridge[:, :, None] * np.eye(3), slope[at, :, None])
        step = np.clip(step[..., 0], -best[at, 2:], best[at, 2:])
        step[:, 2] = np.clip(step[:, 2], -0.5, 0.5)
        tried = best[at] + np.column_stack([step[:, :2], np.zeros(len(at))])
        tried[:, 2] *= np.exp(step[:, 2])
        tried = np.clip(tried, *limits)
        new, *more = _model(movie, pixels, y[at], tried)
        better = new > r2[at]
        moving[at[better]] = new[better] - r2[at][better] > SMALLEST / 1000
        damping[at] *= np.where(better, 0.3, 4.0)
        moving[at] &= damping[at] < 1e6
        won = at[better]
        best[won], r2[won] = tried[better], new[better]
        slope[won], curvature[won] = (part[better] for part in more)
    return best


def _model(
    movie: np.ndarray, pixels: np.ndarray, y: np.ndarray, fields: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """r2, and gradient and curvature of Gauss and Newton: -> (u,), (u, 3), (u, 3, 3)."""
    weights, dx, dy = _gaussians(pixels, fields)
    size = fields[:, 2, None]
    parts = weights, weights * dx / size, weights * dy / size, weights * (dx**2 + dy**2)
    z, *slopes = (part @ movie.T for part in parts)
    z = z - z.mean(1, keepdims=True)
    gain, rest, r2 = _explained(z, y)
    power = (z**2).sum(1)
    j = np.stack([s - s.mean(1, keepdims=True) for s in slopes], 1)  # (u, 3, t)
    along = np.einsum("ukt,ut->uk", j, z) / np.where(power > 0, power, np.inf)[:, None]
    j = gain[:, None, None] * (j - along[:, :, None] * z[:, None])
    return r2, np.einsum("ukt,ut->uk", j, rest), np.einsum("ukt,ult->ukl", j, j)
