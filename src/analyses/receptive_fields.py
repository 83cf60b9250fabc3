"""Artificial receptive fields: what white noise, or a gradient, says a network's units look for.

A unit's field is the covariance of its response with the pixels of white noise (`noise_sums`), or
the gradient of its response at the mean image. Counterpart: Li et al. 2023; specification 9.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from src.analyses.noise_sums import MIDDLE, SPREAD
from src.config import BaselineCoreConfig, ModelConfig, WideCoreConfig
from src.data.batch import Batch
from src.data.sensorium import FULL_FRAME
from src.models.encoder import Encoder
from src.training.device import pick_device

Respond = Callable[..., Tensor]  # noise (n, c, h, w) -> (n, u), or (n, k) of `units` (k,)
UNITS_AT_ONCE = 32


def as_seen(noise: Tensor, upsample: int = 1) -> Batch:
    """Noise as a model's input: (n, c, h, w) in 0..1 -> Batch of standardized images.

    Each pixel becomes upsample x upsample. Behavior and pupil are at rest (0) and the box is the
    full frame; a model takes of these what it needs.
    """
    images = (noise - MIDDLE) / SPREAD
    if upsample > 1:
        images = images.repeat_interleave(upsample, 2).repeat_interleave(upsample, 3)
    n = len(images)
    side = {"behavior": noise.new_zeros(n, 3), "pupil": noise.new_zeros(n, 2)}
    return Batch(images, boxes=noise.new_tensor(FULL_FRAME).expand(n, -1), **side)


def responses_of(
    members: Sequence[Encoder], session: str, upsample: int = 1, device: str = "cpu"
) -> Respond:
    """How the units of a session respond to noise: the members' mean, after the nonlinearity."""
    place = pick_device(device)
    members = [member.to(place).eval() for member in members]

    def respond(noise: Tensor, units: Tensor | None = None) -> Tensor:
        batch = as_seen(noise.to(place), upsample)
        return torch.stack([member(batch, session, units=units) for member in members]).mean(0)

    return respond


def beside_null(respond: Respond) -> Respond:
    """The responses, then those of the same units to another image of the batch: -> (n, 2 u)."""

    def both(noise: Tensor) -> Tensor:
        a = respond(noise)
        return torch.cat([a, a.roll(1, 0)], 1)

    return both


def gradients(respond: Respond, n_units: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Change of each response with each pixel at the mean image: (c, h, w) -> (u, c h w)."""
    rows = []
    for units in torch.arange(n_units).split(UNITS_AT_ONCE):
        noise = torch.full((len(units), *shape), MIDDLE, requires_grad=True)
        own = respond(noise, units).diagonal().sum()  # image i is seen by the i-th unit alone
        rows.append(torch.autograd.grad(own, noise)[0].flatten(1))
    return torch.cat(rows).numpy()


def pixels_read(
    mu: ArrayLike, config: ModelConfig, shape: tuple[int, int], upsample: int = 1
) -> np.ndarray:
    """Noise pixel at the middle of what a unit reads: mu (u, 2) in -1..1 -> x, y (u, 2).

    shape: (h, w) of the image as the model receives it. Follows the first convolution and pooling;
    later layers may pull the field to one side by a few pixels.
    """
    windows, size, step, start = _windows(config), np.array(shape[::-1]), 1, 0.0
    for kernel, stride in windows:
        size, start = (size - kernel) // stride + 1, start + step * (kernel - 1) / 2
        step *= stride
    share = (np.asarray(mu, np.float64) + 1) / 2
    at = share * (size - 1) if config.readout.align_corners else share * size - 0.5
    return (start + step * at - (upsample - 1) / 2) / upsample


def _windows(config: ModelConfig) -> list[tuple[int, int]]:
    """(kernel, stride) of the steps that leave out edges or pixels."""
    match config.core:
        case BaselineCoreConfig() as core:
            return [(core.input_kernel, core.input_stride), (core.pool, core.pool)]
        case WideCoreConfig() as core:
            stem = (core.stem_kernel, core.stem_stride), (core.pool, core.pool)
            return [*stem, (core.input_kernel, 1)]
    raise TypeError(f"where the units of a {type(config.core).__name__} read is not known")


def shuffled_distances(
    centers: np.ndarray, places: np.ndarray, generator: np.random.Generator, shuffles: int = 1000
) -> np.ndarray:
    """Median distance of fields from the places of other units: (u, 2), (u, 2) -> (shuffles,)."""
    order = np.argsort(generator.random((shuffles, len(places))), axis=1)
    return np.median(np.linalg.norm(centers - places[order], axis=2), axis=1)
