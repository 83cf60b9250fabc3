"""Augmentation: what may change in an image without changing the responses to it."""

from __future__ import annotations

from dataclasses import fields, replace
from math import exp, log, sqrt

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

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
    return replace(batch, images=batch.images.roll(shift.tolist(), (-2, -1)))


def rotate(batch: Batch, generator: torch.Generator | None) -> Batch:
    """A batch of films turned by a random number of quarter turns, all alike: Batch -> same."""
    return rotated(batch, int(torch.randint(4, (), generator=generator)))


def rotated(batch: Batch, turns: int) -> Batch:
    """Films (n, c, t, h, w) turned left, the pupil's center by the same matrix: Batch -> same.

    The display is turned as a square whose sides run from -1 to 1: after a quarter turn the frame
    is stretched back to its shape, so that nothing is cut off or filled in, as it was in published
    code (specification sensorium2023, defect 15).
    """
    images, pupil = batch.images.rot90(turns, (-2, -1)), batch.pupil
    if images.shape != batch.images.shape:
        size, flat = batch.images.shape, images.flatten(0, 2)[:, None]
        images = F.interpolate(flat, size[-2:], mode="bilinear").reshape(size)
    for _ in range(turns % 4 if pupil is not None else 0):  # (x, y) -> (y, -x), y points down
        pupil = torch.stack([pupil[..., 1], -pupil[..., 0]], dim=-1)
    return replace(batch, images=images, pupil=pupil)


def mix(batch: Batch, share: float, generator: torch.Generator | None, way: str = "blend") -> Batch:
    """A batch in which, with probability `share`, each trial is mixed with another: Batch -> same.

    blend: images, behavior, pupil and responses are weighted means with one random weight (mixup,
    Zhang et al. 2018). cut: images have a rectangle of the other's, in all frames, whose share of
    the area is the weight of all else (CutMix, Yun et al. 2019, as the winner of SENSORIUM 2023).
    """
    if way not in ("blend", "cut"):
        raise ValueError(f"mixing_way {way!r} is not one of blend, cut")
    if not share or torch.rand((), generator=generator) >= share:
        return batch
    weight = torch.rand((), generator=generator).item()
    order = torch.randperm(len(batch), generator=generator).to(batch.images.device)
    values = {f.name: getattr(batch, f.name) for f in fields(batch)}
    other = {}
    if way == "cut":
        other["images"], weight = _pasted(batch.images, order, weight, generator)
    mixed = {k: v.lerp(v[order.to(v.device)], weight) for k, v in values.items() if v is not None}
    return replace(batch, **mixed | other)


def _pasted(
    images: torch.Tensor, order: torch.Tensor, share: float, generator: torch.Generator | None
) -> tuple[torch.Tensor, float]:
    """Images with a rectangle of those in another order, and its true share: (n, ..., h, w).

    Its middle lies anywhere and its sides are of the image's shape; what sticks out is left out.
    """
    spans = []
    for size in images.shape[-2:]:
        middle = torch.rand((), generator=generator).item() * size
        half = sqrt(share) * size / 2
        spans.append(slice(round(max(middle - half, 0)), round(min(middle + half, size))))
    made, here = images.clone(), (..., *spans)
    made[here] = images[order][here]
    return made, made[here][0].numel() / made[0].numel()


def random_crop(image: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """A random part of an image, mirrored every other time: (h, w, 3) -> (size, size, 3) uint8.

    8 % to all of its area, 3:4 to 4:3 in shape (Szegedy et al. 2015), stretched to the square by
    PIL's bilinear filter. Where ten such parts do not fit, the largest in the middle that does.
    """
    h, w = image.shape[:2]
    left, top, wide, high = _part(h, w, random)
    part = np.ascontiguousarray(image[top : top + high, left : left + wide])
    pixels = np.asarray(Image.fromarray(part).resize((size, size), Image.Resampling.BILINEAR))
    return pixels[:, ::-1] if random.integers(2) else pixels


def _part(h: int, w: int, random: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, width and height of a random part."""
    for _ in range(10):
        area, shape = h * w * random.uniform(0.08, 1), exp(random.uniform(log(3 / 4), log(4 / 3)))
        wide, high = round(sqrt(area * shape)), round(sqrt(area / shape))
        if 0 < wide <= w and 0 < high <= h:
            return (
                int(random.integers(w - wide + 1)),
                int(random.integers(h - high + 1)),
                wide,
                high,
            )
    wide, high = min(w, round(h * 4 / 3)), min(h, round(w * 4 / 3))
    return (w - wide) // 2, (h - high) // 2, wide, high
