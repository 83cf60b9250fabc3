"""What a model receives: one mini-batch of one session."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch


@dataclass(frozen=True)
class Batch:
    """Normalized float32 tensors of n trials of one session; absent information is None.

    Of films, n clips of t frames: all has one more axis, and behavior no derivative.
    """

    images: torch.Tensor  # (n, c, h, w); of films (n, c, t, h, w)
    responses: torch.Tensor | None = None  # (n, u); (n, t', u) of the last frames
    behavior: torch.Tensor | None = None  # (n, 3) pupil size, its derivative, running speed;
    #                                       (n, t, 2) pupil size, running speed
    pupil: torch.Tensor | None = None  # (n, 2) horizontal, vertical; (n, t, 2)
    boxes: torch.Tensor | None = None  # (n, 4) x, y, w, h in 0..1, or (n, 5) with a has-box flag
    objects: torch.Tensor | None = None  # (n,) int64, place of the object's class in CLASSES

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on `device`."""
        moved = (getattr(self, f.name) for f in fields(self))
        return Batch(*(None if t is None else t.to(device, non_blocking=True) for t in moved))

    def part(self, rows: slice) -> Batch:
        """Some of its trials."""
        values = (getattr(self, f.name) for f in fields(self))
        return Batch(*(None if t is None else t[rows] for t in values))
