"""Simulated images of 64 objects: a smooth shape of its category's family on a texture, in gray.

Categories differ in outline and surface, objects of a category a little, and images of an object
in position, size, rotation and background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from src.data.objects import CATEGORIES, OBJECTS, categories_of, numbers_of
from src.seeds import numpy_stream

BATCH = 64

# Lobes of the outline and how deep, width / height, cycles of stripes and their angle.
FAMILIES = {
    "airplanes": (4, 0.45, 1.6, 1.0, 0.0),
    "animals": (5, 0.25, 1.3, 2.5, 0.8),
    "cars": (2, 0.10, 2.0, 2.0, 0.0),
    "chairs": (4, 0.20, 0.7, 3.0, 1.6),
    "faces": (1, 0.05, 0.8, 1.5, 1.6),
    "fruits": (3, 0.06, 1.0, 0.5, 0.4),
    "ships": (2, 0.30, 1.8, 3.5, 1.2),
    "tables": (6, 0.30, 1.4, 1.0, 0.8),
}


@dataclass(frozen=True)
class Scenes:
    """What n images show; positions and sizes are shares of the image."""

    objects: np.ndarray  # (n,) str
    variation: np.ndarray  # (n,) 0: centered, upright, of one size; 3: all of them vary
    position: np.ndarray  # (n, 2) x, y of the center, -0.5..0.5
    size: np.ndarray  # (n,) radius
    rotation: np.ndarray  # (n,) radians


def lay_out(per_object: int, seed: int) -> Scenes:
    """Scenes in random order, a fifth of each object's of variation 0: -> 64 * per_object."""
    rng = numpy_stream(seed, "scenes")
    n = len(OBJECTS) * per_object
    order = rng.permutation(n)
    still = (np.arange(n) % per_object < max(1, per_object // 5))[order]
    return Scenes(
        objects=np.repeat(OBJECTS, per_object)[order],
        variation=np.where(still, 0, 3),
        position=np.where(still[:, None], 0.0, rng.uniform(-0.2, 0.2, (n, 2))),
        size=np.where(still, 0.25, rng.uniform(0.16, 0.34, n)),
        rotation=np.where(still, 0.0, rng.uniform(-np.pi / 3, np.pi / 3, n)),
    )


def draw_scenes(scenes: Scenes, size: int, seed: int) -> np.ndarray:
    """Images of the scenes: -> (n, size, size) uint8."""
    looks, n = _looks(seed), len(scenes.objects)
    images = np.empty((n, size, size), np.uint8)
    kind = numbers_of(scenes.objects, OBJECTS)
    for first in range(0, n, BATCH):
        some = slice(first, first + BATCH)
        rng = numpy_stream(seed, "background", first)
        pixels = 118 + 30 * _textures(rng, len(kind[some]), size)
        mask, surface = _shapes(scenes, some, looks[kind[some]], size)
        pixels += mask * (surface - pixels)
        images[some] = np.rint(pixels).clip(0, 255)
    return images


def _looks(seed: int) -> np.ndarray:
    """Numbers that make up each object: its family's, varied: -> (64, 7)."""
    rng = numpy_stream(seed, "looks")
    family = np.array([FAMILIES[c] for c in categories_of(OBJECTS)])
    family[:, 1:4] *= rng.lognormal(0, 0.2, (len(OBJECTS), 3))
    family[:, 4] += rng.normal(0, 0.3, len(OBJECTS))
    phase = rng.uniform(0, 2 * np.pi, len(OBJECTS))
    category = numbers_of(categories_of(OBJECTS), CATEGORIES)
    gray = np.linspace(95, 165, len(CATEGORIES))[category] + rng.normal(0, 12, len(OBJECTS))
    return np.column_stack([family, phase, gray])


def _shapes(
    scenes: Scenes, some: slice, looks: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Soft masks in 0..1 and gray surfaces: -> (n, size, size) twice."""
    lobes, depth, aspect, stripes, angle, phase, gray = looks.T[:, :, None, None]
    place = (np.arange(size) + 0.5) / size - 0.5
    x = place[None, None, :] - scenes.position[some, 0, None, None]
    y = place[None, :, None] - scenes.position[some, 1, None, None]
    turn = scenes.rotation[some, None, None]
    radius = scenes.size[some, None, None]
    u = (x * np.cos(turn) + y * np.sin(turn)) / radius / np.sqrt(aspect)
    v = (y * np.cos(turn) - x * np.sin(turn)) / radius * np.sqrt(aspect)
    outline = 1 + depth * np.cos(lobes * np.arctan2(v, u) + phase)
    mask = np.clip((outline - np.hypot(u, v)) * radius * size / 2 + 0.5, 0, 1)
    wave = np.cos(2 * np.pi * stripes * (u * np.cos(angle) + v * np.sin(angle)))
    return mask, gray + 35 * wave + 15 * (u - v)


def _textures(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    """1/f textures of mean 0 and variance 1: -> (n, size, size)."""
    frequency = np.hypot(*np.meshgrid(fft.fftfreq(size), fft.rfftfreq(size), indexing="ij"))
    frequency[0, 0] = np.inf
    noise = fft.rfft2(rng.standard_normal((n, size, size), np.float32))
    textures = fft.irfft2(noise / frequency.astype(np.float32), (size, size))
    return textures / textures.std(axis=(1, 2), keepdims=True)
