"""Simulated natural images: 1/f noise, and on some a bright object whose box is known."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import fft

from src.data.box_files import has_object
from src.data.sensorium import FULL_FRAME

HEIGHT, WIDTH = 144, 256
OBJECT_STEP = 60.0  # gray levels an object is brighter than what it covers


@cache
def _amplitude(exponent: float) -> np.ndarray:
    """Amplitude spectrum f ** -exponent, f in cycles a pixel, 0 at f = 0: -> (144, 256)."""
    frequency = np.hypot(*np.meshgrid(fft.fftfreq(HEIGHT), fft.fftfreq(WIDTH), indexing="ij"))
    frequency[0, 0] = np.inf
    return (frequency**-exponent).astype(np.float32)


def _textures(rng: np.random.Generator, n: int, exponent: float) -> np.ndarray:
    """Gaussian textures of mean 0 and variance 1: -> (n, 144, 256) float32.

    The real and the imaginary part of one complex field are two independent textures.
    """
    half = (n + 1) // 2
    noise = rng.standard_normal((half, HEIGHT, 2 * WIDTH), np.float32).view(np.complex64)
    field = fft.ifft2(noise * _amplitude(exponent), overwrite_x=True)
    textures = np.concatenate([field.real, field.imag])[:n]
    return textures / textures.std(axis=(1, 2), keepdims=True)


def _boxes(rng: np.random.Generator, n: int, fraction: float) -> np.ndarray:
    """Boxes x, y, w, h in 0..1; full-frame where there is no object: -> (n, 4)."""
    size = rng.uniform(0.2, 0.6, (n, 2))
    center = size / 2 + rng.random((n, 2)) * (1 - size)
    here = rng.random(n) < fraction
    return np.where(here[:, None], np.hstack([center, size]), FULL_FRAME)


def _objects(boxes: np.ndarray) -> np.ndarray:
    """Soft-edged ellipses that fill their boxes, 0..1: (n, 4) -> (n, 144, 256) float32."""
    x, y, w, h = boxes.astype(np.float32).T[:, :, None, None]
    column = (np.arange(WIDTH, dtype=np.float32) + 0.5) / WIDTH
    row = (np.arange(HEIGHT, dtype=np.float32)[:, None] + 0.5) / HEIGHT
    radius = np.sqrt(((column - x) * 2 / w) ** 2 + ((row - y) * 2 / h) ** 2)
    return np.clip((1 - radius) * 5, 0, 1)


def draw_images(
    rng: np.random.Generator, n: int, exponent: float, object_fraction: float
) -> tuple[np.ndarray, np.ndarray]:
    """Images of various brightness and contrast, and boxes: -> (n, 144, 256) uint8, (n, 4)."""
    images = _textures(rng, n, exponent)
    brightness = rng.normal(118, 18, (n, 1, 1)).astype(np.float32)
    contrast = rng.lognormal(np.log(45), 0.25, (n, 1, 1)).astype(np.float32)
    boxes = _boxes(rng, n, object_fraction)
    here = has_object(boxes)
    images = brightness + contrast * images
    images[here] += OBJECT_STEP * _objects(boxes[here])
    return np.rint(np.clip(images, 0, 255)).astype(np.uint8), boxes


def retinal(images: np.ndarray) -> np.ndarray:
    """What the simulated cortex sees: mean of the central 2x2 of every 4x4 block, about -2..2.

    (n, 144, 256) uint8 -> (n, 36, 64) float32.
    """
    blocks = images.reshape(-1, HEIGHT // 4, 4, WIDTH // 4, 4)[:, :, 1:3, :, 1:3]
    return (blocks.sum(axis=(2, 4), dtype=np.float32) / 4 - 127.5) / 64


def moved(images: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Images read at x + shift (image half-width 1), periodic: (n, h, w), (n, 2) -> (n, h, w)."""
    if not shift.any():
        return images
    _, h, w = images.shape
    dx, dy = (shift * [(w - 1) / 2, (h - 1) / 2]).T[:, :, None, None]
    phase = 2 * np.pi * (fft.fftfreq(h)[:, None] * dy + fft.rfftfreq(w) * dx)
    return fft.irfft2(fft.rfft2(images) * np.exp(1j * phase), s=(h, w)).astype(np.float32)
