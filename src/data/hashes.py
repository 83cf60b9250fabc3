"""What proves which image a row belongs to: the hash of its bytes."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np

HASHED = 64  # images read at once


class Images(Protocol):
    """Images by slice, (m, [c,] h, h) uint8: an array, mapped or not, or what reads them."""

    def __len__(self) -> int: ...

    def __getitem__(self, where: slice) -> np.ndarray: ...


def image_sha256(images: Images) -> list[str]:
    """sha256 of the bytes of each image: (n, ...) -> n."""
    blocks = (images[i : i + HASHED] for i in range(0, len(images), HASHED))
    return [hashlib.sha256(np.ascontiguousarray(x)).hexdigest() for block in blocks for x in block]


def movie_sha256(frames: np.ndarray) -> str:
    """sha256 of a film's dtype, shape and frames: (t, h, w) -> text."""
    digest = hashlib.sha256(f"{frames.dtype} {frames.shape}".encode())
    digest.update(np.ascontiguousarray(frames))
    return digest.hexdigest()


def trial_sha256(session: Any, trials: np.ndarray) -> np.ndarray:
    """sha256 of the image or film that each trial shows: Session, (n,) -> (n,) str."""
    if (known := getattr(session, "video_sha256", None)) is not None:
        return known[trials]
    rows, place = np.unique(session.image_index[trials], return_inverse=True)
    return np.array([image_sha256(session.images[i : i + 1])[0] for i in rows])[place]
