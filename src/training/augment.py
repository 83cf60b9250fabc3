"""Augmentation: what may change in an image without changing the responses to it."""

from __future__ import annotations

from dataclasses import replace

import torch

from src.data.batch import Batch


def jitter(batch: Batch, pixels: int, generator: torch.Generator | None) -> Batch:
    """The images of a batch moved round by one random shift: (n, c, h, w) -> the same.

    Up to `pixels` up or down and left or right, each equally likely. It makes up for the small
    movements of the eyes that a recording without eye tracking leaves in the responses, and keeps a
    small recording from being learned by heart. Boxes are not moved.
    """
    if not pixels:
        return batch
    shift = torch.randint(-pixels, pixels + 1, (2,), generator=generator)
    return replace(batch, images=batch.images.roll(shift.tolist(), (2, 3)))
