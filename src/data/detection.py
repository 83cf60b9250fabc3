"""One box an image from any detector: a function of images, its boxes merged and kept on disk.

Source of the union rule: SENSORIUM 2022 winner (specification 4.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src import manifest
from src.data.errors import DataError
from src.data.progress import counting
from src.data.sensorium import FULL_FRAME

Detector = Callable[[np.ndarray], Sequence[np.ndarray]]
"""Images (b, h, w, 3) uint8 -> of each its boxes (k, 4), corners x0, y0, x1, y1 in pixels."""


@dataclass(frozen=True)
class NamedDetector:
    """A detector with a name for tables, and with what its boxes depend on."""

    find: Detector
    name: str
    identity: str  # with another one, everything is detected again


def union(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """The smallest box around all: corners (k, 4) in pixels -> x, y, w, h in 0..1, (4,).

    The full frame where k is 0.
    """
    if not len(boxes):
        return np.array(FULL_FRAME)
    low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    return np.concatenate([(low + high) / 2, high - low]) / (width, height, width, height)


def together(*detectors: Detector) -> Detector:
    """A detector that finds what any of several finds."""

    def detect(images: np.ndarray) -> list[np.ndarray]:
        found = (detector(images) for detector in detectors)
        return [np.concatenate(boxes) for boxes in zip(*found, strict=True)]

    return detect


def detect_boxes(
    images: np.ndarray,
    detector: NamedDetector,
    folder: Path,
    label: str = "boxes",
    batch: int = 32,
) -> tuple[np.ndarray, np.ndarray]:
    """One box an image and how many made it: (i, h, w) or (i, c, h, w) -> (i, 4), (i,).

    What is known of an image is kept in `folder` by its content, a batch at a time, so a killed run
    continues and ends in the same bytes.
    """
    path = Path(folder) / f"{manifest.fingerprint(detector.identity)[:16]}.npz"
    known = _load(path)
    contents = [_content(image) for image in images]
    first = np.sort(np.unique(contents, return_index=True)[1])
    new = [i for i in first if contents[i] not in known]
    with counting(len(new), label, "image") as done:
        for start in range(0, len(new), batch):
            some = new[start : start + batch]
            rows = _merged(detector.find, images[some])
            known |= {contents[i]: row for i, row in zip(some, rows, strict=True)}
            _store(path, known)
            done(len(some))
    rows = np.stack([known[content] for content in contents])
    return rows[:, :4], rows[:, 4].astype(int)


def as_pictures(images: np.ndarray) -> np.ndarray:
    """8-bit color images, gray ones repeated: (b, h, w) or (b, c, h, w) -> (b, h, w, 3)."""
    if images.ndim == 3:
        images = images[:, None]
    if images.dtype != np.uint8:
        images = np.clip(images, 0, 255).astype(np.uint8)
    return np.repeat(images, 3 // images.shape[1], axis=1).transpose(0, 2, 3, 1)


def _merged(detector: Detector, images: np.ndarray) -> np.ndarray:
    """x, y, w, h and the number of boxes merged: (b, ...) -> (b, 5)."""
    pictures = as_pictures(images)
    height, width = pictures.shape[1:3]
    found = [np.asarray(boxes, np.float64) for boxes in detector(pictures)]
    shapes = [boxes.shape for boxes in found]
    if len(found) != len(pictures) or any(len(s) != 2 or s[1] != 4 for s in shapes):
        raise DataError(
            f"the detector gave {len(found)} arrays of shapes {shapes[:3]} for {len(pictures)} "
            "images: return corners (k, 4) for each, (0, 4) where it finds nothing"
        )
    frame = [width, height, width, height]
    found = [np.clip(boxes, 0, frame) for boxes in found]
    return np.array([[*union(boxes, height, width), len(boxes)] for boxes in found])


def _content(image: np.ndarray) -> str:
    shape = f"{image.dtype} {image.shape} ".encode()
    return hashlib.blake2b(shape + image.tobytes(), digest_size=16).hexdigest()


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as stored:
        return dict(zip(stored["content"].tolist(), stored["rows"], strict=True))


def _store(path: Path, known: dict[str, np.ndarray]) -> None:
    with manifest.replacing(path, note=False) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, content=list(known), rows=np.stack(list(known.values())))
