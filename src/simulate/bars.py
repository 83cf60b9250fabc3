"""A simulated recording of moving bars: voxels of known fields, slow blood, and noise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.data.bars import SECONDS, BarRecording, delayed, double_gamma, frame_times
from src.seeds import numpy_stream

PIXELS, EXTENT = (40, 24), (8.0, 4.8)  # of a screen, and half its size in degrees
SWEEP, REST, WIDTH = 26, 10, 2.5  # frames of a sweep and of the pause before it; degrees of a bar


def moving_bars() -> tuple[np.ndarray, np.ndarray]:
    """A bar goes left, down, right and up, with pauses: -> frames (t, p), pixels (p, 2)."""
    x, y = (np.linspace(-e, e, n) for e, n in zip(EXTENT, PIXELS, strict=True))
    pixels = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
    frames = [np.zeros((REST, len(pixels)))]
    for axis, sign in ((0, -1), (1, -1), (0, 1), (1, 1)):
        places = sign * np.linspace(-EXTENT[axis], EXTENT[axis], SWEEP)
        bars = np.abs(pixels[:, axis] - places[:, None]) < WIDTH / 2
        frames += [bars.astype(float), np.zeros((REST, len(pixels)))]
    return np.concatenate(frames), pixels


def simulate_bars(voxels: int, seed: int, noise: float = 1.0) -> BarRecording:
    """`voxels` fields that grow with their distance from the middle; noise in standard deviations.

    A tenth of the voxels respond to nothing, and have no field in `known`.
    """
    rng = numpy_stream(seed, "bars")
    frames, pixels = moving_bars()
    distance, angle = rng.uniform(0.5, 6, voxels), rng.uniform(-np.pi, np.pi, voxels)
    center = np.column_stack([distance * np.cos(angle), 0.6 * distance * np.sin(angle)])
    size = (0.5 + 0.2 * distance) * rng.uniform(0.8, 1.25, voxels)
    away = ((pixels[:, None] - center) ** 2).sum(2)
    movie = delayed(frames, double_gamma(frame_times(SECONDS)))
    signal = movie @ np.exp(-away / (2 * size**2))
    signal = (signal - signal.mean(0)) / signal.std(0)
    silent = np.arange(voxels) % 10 == 9
    errors = noise * rng.standard_normal(signal.shape)
    known = pd.DataFrame({"x": center[:, 0], "y": center[:, 1], "sd": size})
    known["r2"] = 1 / (1 + noise**2)
    known[silent] = np.nan
    responses = np.where(silent, 0, signal) + errors
    return BarRecording(frames, pixels, SECONDS, responses, known)
