"""Simulated gray films of 36 x 64 pixels at 30 Hz: natural ones, and five kinds that are not.

Valid lengths are those of SENSORIUM 2023, from which alone a reader can tell the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from src.seeds import numpy_stream
from src.simulate.images import draw_images

H, W = 36, 64
Y, X = np.mgrid[:H, :W].astype(np.float32)
NATURAL = 300  # frames


def draw_film(seed: int, kind: str, name: str) -> np.ndarray:
    """The film of a name, the same wherever it is shown: -> (t, 36, 64) uint8."""
    film = FILMS[kind](numpy_stream(seed, "film", kind, name))
    return film if film.dtype == np.uint8 else np.rint(np.clip(film, 0, 255)).astype(np.uint8)


def _natural(rng: np.random.Generator) -> np.ndarray:
    """Three scenes, in each of which the camera pans over a 1/f texture with an object."""
    scenes, _ = draw_images(rng, 3, 1.0, 0.7)
    cuts = np.sort(rng.choice(np.arange(60, NATURAL - 60), 2, replace=False))
    spans = np.diff([0, *cuts, NATURAL])
    return np.concatenate([_pan(rng, *both) for both in zip(scenes, spans, strict=True)])


def _pan(rng: np.random.Generator, scene: np.ndarray, frames: int) -> np.ndarray:
    """A window that moves over a scene at 0.5 to 2 pixels a frame, unsteadily, round its edges."""
    angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 2)
    steps = speed * np.array([np.sin(angle), np.cos(angle)]) + rng.normal(0, 0.6, (frames, 2))
    path = np.rint(rng.uniform(0, 256, 2) + steps.cumsum(0)).astype(int)
    rows = (path[:, :1] + np.arange(H)) % scene.shape[0]
    columns = (path[:, 1:] + np.arange(W)) % scene.shape[1]
    return scene[rows[:, :, None], columns[:, None, :]]


def _gabor(rng: np.random.Generator) -> np.ndarray:
    """Twelve drifting gratings, each under a Gaussian."""
    parts = []
    for _ in range(12):
        angle, wavelength, speed = rng.uniform(0, np.pi), rng.uniform(6, 16), rng.uniform(0.2, 0.8)
        x, y = rng.uniform(10, W - 10), rng.uniform(8, H - 8)
        envelope = np.exp(-((X - x) ** 2 + (Y - y) ** 2) / 2 / rng.uniform(6, 12) ** 2)
        phase = 2 * np.pi * (X * np.cos(angle) + Y * np.sin(angle)) / wavelength
        t = np.arange(25)[:, None, None]
        parts.append(127 + 110 * envelope * np.cos(phase - speed * t))
    return np.concatenate(parts)


def _dots(rng: np.random.Generator, frames: int = 315) -> np.ndarray:
    """Bright and dark Gaussian dots, new ones every nine frames, growing and fading."""
    parts = []
    for _ in range(frames // 9):
        x, y = rng.uniform(0, W, 6), rng.uniform(0, H, 6)
        sign = rng.choice([-1, 1], 6) * rng.uniform(60, 110, 6)
        away = (X[..., None] - x) ** 2 + (Y[..., None] - y) ** 2
        still = (sign * np.exp(-away / 2 / 3.0**2)).sum(-1)
        parts.append(127 + still * np.sin(np.pi * (np.arange(9) + 1) / 10)[:, None, None])
    return np.concatenate(parts)


def _rdk(rng: np.random.Generator, frames: int = 240) -> np.ndarray:
    """Dots that move together, another way every two seconds."""
    film, place = np.full((frames, H, W), 40.0), rng.uniform(0, 1, (60, 2)) * (H, W)
    for t in range(frames):
        if t % 60 == 0:
            angle = rng.uniform(0, 2 * np.pi)
        place = (place + 1.2 * np.array([np.sin(angle), np.cos(angle)])) % (H, W)
        rows, columns = place.astype(int).T
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
            film[t, (rows + dy) % H, (columns + dx) % W] = 220
    return film


def _pink(rng: np.random.Generator, frames: int = 324) -> np.ndarray:
    """Drifting waves of amplitude 1/f whose directions differ little."""
    angles = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.3, 10)
    frequency = np.geomspace(1 / 40, 1 / 5, 10)
    t, film = np.arange(frames)[:, None, None], np.full((frames, H, W), 127.0, np.float32)
    for angle, f in zip(angles, frequency, strict=True):
        phase = 2 * np.pi * f * (X * np.cos(angle) + Y * np.sin(angle)) + rng.uniform(0, 7)
        film += 1.1 / f * np.cos(phase - rng.uniform(0.1, 0.5) * t)
    return film


def _images(rng: np.random.Generator) -> np.ndarray:
    """Images of twelve frames with six frames of gray between; the length varies."""
    frames = int(rng.integers(305, 327))
    pictures, _ = draw_images(rng, 18, 1.0, 0.7)
    shown = np.repeat(pictures[:, 54:90, 96:160], 18, axis=0).astype(np.float32)
    shown[np.arange(len(shown)) % 18 >= 12] = 127
    return np.concatenate([shown, np.full((18, H, W), 127, np.float32)])[:frames]


FILMS: Mapping[str, Callable[[np.random.Generator], np.ndarray]] = MappingProxyType(
    {
        "natural": _natural,
        "gabor": _gabor,
        "dots": _dots,
        "rdk": _rdk,
        "pink": _pink,
        "images": _images,
    }
)
