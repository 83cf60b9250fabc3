"""Detected boxes against true ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from src.data.vision_operators import overlap


def corners(boxes: np.ndarray) -> np.ndarray:
    """x, y, w, h of center and size to x0, y0, x1, y1: (k, 4) -> (k, 4)."""
    center, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate([center - half, center + half], axis=1)


def recall_precision(
    found: Sequence[np.ndarray], true: Sequence[np.ndarray], least: float = 0.5
) -> tuple[float, float]:
    """Share of true boxes found, share of found boxes true: i times corners (k, 4), (m, 4).

    A found box is true if it overlaps a true one of its image, not yet taken by an earlier one, by
    at least `least` (intersection over union).
    """
    hits = sum(_hits(*pair, least) for pair in zip(found, true, strict=True))
    counts = (sum(map(len, true)), sum(map(len, found)))
    recall, precision = (hits / n if n else float("nan") for n in counts)
    return recall, precision


def _hits(found: np.ndarray, true: np.ndarray, least: float) -> int:
    free = torch.from_numpy(np.asarray(true, np.float64).reshape(-1, 4))
    hits = 0
    for box in torch.from_numpy(np.asarray(found, np.float64).reshape(-1, 4)):
        shared = overlap(box, free)
        if len(free) and shared.max() >= least:
            best = shared.argmax()
            free = torch.cat([free[:best], free[best + 1 :]])
            hits += 1
    return hits


def one_each(boxes: np.ndarray, found: np.ndarray) -> list[np.ndarray]:
    """Corners of the one box of each image, of none where nothing was found: (i, 4), (i,)."""
    return [corners(box[None])[: int(there)] for box, there in zip(boxes, found, strict=True)]
