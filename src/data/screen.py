"""How large an image is on the retina of whoever looks, and where the eye is.

Images were shown to monkeys at 8 degrees; a network's input stands for a field of its own size.
Brain-Score pastes the image on mid gray where the field is larger, and cuts its middle out where
it is smaller. Eyes are never still: small shifts (micro-saccades) are several looks at an image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import shift

from src.data.errors import DataError

GRAY = 128
GOLDEN = np.pi * (3 - np.sqrt(5))  # angle between neighbors of Vogel's spiral


@dataclass(frozen=True)
class Screen:
    """Degrees of image and field, and looks at it within a radius."""

    shown: float = 8.0  # width of the image
    field: float = 8.0  # width of what the network sees
    looks: int = 1  # shifts whose features are averaged
    radius: float = 0.05  # of the shifts

    def __post_init__(self) -> None:
        if min(self.shown, self.field, self.looks) <= 0 or self.radius < 0:
            raise DataError(
                f"an image of {self.shown:g} degrees in a field of {self.field:g}, {self.looks} "
                f"looks within {self.radius:g}: all must be positive"
            )

    def views(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """What is seen at each look: (h, w, 3) uint8 -> `looks` times (h', w', 3) uint8."""
        placed = on_canvas(image, self.field / self.shown)
        scale = placed.shape[1] / self.field  # pixels a degree
        for x, y in spiral(self.looks, self.radius) * scale:
            yield shifted(placed, x, y) if x or y else placed


def on_canvas(image: np.ndarray, ratio: float) -> np.ndarray:
    """An image in a field `ratio` times as wide: (h, w, 3) -> (ratio h, ratio w, 3), rounded."""
    sides = [max(1, round(ratio * n)) for n in image.shape[:2]]  # half to even, as Brain-Score
    offsets = [round(abs(side - n) / 2) for side, n in zip(sides, image.shape[:2], strict=True)]
    inner = [slice(o, o + min(s, n)) for o, s, n in zip(offsets, sides, image.shape, strict=False)]
    if ratio < 1:
        return image[tuple(inner)]
    canvas = np.full((*sides, *image.shape[2:]), GRAY, image.dtype)
    canvas[tuple(inner)] = image
    return canvas


def spiral(looks: int, radius: float) -> np.ndarray:
    """Points evenly spread over a disc, the first in its middle: -> (looks, 2) (Vogel 1979)."""
    k = np.arange(looks)
    reach = radius * np.sqrt(k / max(looks - 1, 1))
    return np.stack([reach * np.cos(k * GOLDEN), reach * np.sin(k * GOLDEN)], axis=1)


def shifted(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """An image moved by x pixels to the right and y down: bilinear, its border repeated."""
    moved = shift(image.astype(np.float64), (y, x, 0), order=1, mode="nearest")
    return np.rint(moved).astype(image.dtype)
