"""What simulated voxels see: a stack of random convolutions, and a Gaussian field on one stage.

hierarchical: V1 to hV4 read stages 1 to 4 of one stack, so that later areas are made of earlier
ones. branched: each area reads the last stage of a stack of its own, as deep as its place, so that
none is made of another. gabor: energy of gratings of one orientation and frequency, V1-like in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.data.gaussian_fields import field_weights
from src.data.nsd import EARLY
from src.seeds import numpy_stream, stream

Generator = Literal["hierarchical", "branched", "gabor"]
RETINA = 48  # pixels a side of what a stack sees
CHANNELS = 16
BATCH = 64
FREQUENCIES, ORIENTATIONS = (3, 6, 12), 6  # cycles an image; k pi / 6


class Stack(nn.Module):
    """Random convolutions, each standardized over its first images and rectified."""

    def __init__(self, seed: int, name: str, stages: int) -> None:
        super().__init__()
        self.filters = nn.ParameterList()
        for i in range(stages):
            shape = (CHANNELS, CHANNELS if i else 3, 5 if i == 0 else 3, 5 if i == 0 else 3)
            drawn = torch.randn(shape, generator=stream(seed, "stack", name, i))
            drawn -= drawn.mean((1, 2, 3), keepdim=True) if i == 0 else 0
            self.filters.append(nn.Parameter(drawn, requires_grad=False))
        self.moments: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(n, 3, h, w) in 0..1 -> each stage (n, 16, h', w')."""
        x, stages = F.interpolate(pictures, (RETINA,) * 2, mode="area"), []
        for i, filters in enumerate(self.filters):
            x = F.conv2d(x, filters, padding=filters.shape[-1] // 2)
            axes = (0, 2, 3)
            known = (x.mean(axes, keepdim=True), x.std(axes, keepdim=True))
            mean, std = self.moments.setdefault(i, known)
            x = F.relu((x - mean) / std)
            x = F.avg_pool2d(x, 2) if i in (0, 2) else x
            stages.append(x)
        return stages


def gratings(pictures: Tensor) -> Tensor:
    """Energy by frequency and orientation: (n, 3, h, w) -> (n, 18, 48, 48); y upwards."""
    gray = F.interpolate(pictures.mean(1, keepdim=True), (RETINA,) * 2, mode="area")
    middle = torch.arange(-8, 9, dtype=torch.float32)
    filters = []
    for frequency in FREQUENCIES:
        envelope = torch.exp(
            -((middle[:, None] ** 2 + middle**2) / (2 * (RETINA / frequency / 3) ** 2))
        )
        for k in range(ORIENTATIONS):
            angle = torch.tensor(torch.pi * k / ORIENTATIONS)
            along = torch.cos(angle) * middle - torch.sin(angle) * middle[:, None]
            phase = 2 * torch.pi * frequency / RETINA * along
            for wave in (torch.cos(phase), torch.sin(phase)):
                filters.append(envelope * (wave - (envelope * wave).sum() / envelope.sum()))
    found = F.conv2d(gray, torch.stack(filters)[:, None], padding=8)
    return found.unflatten(1, (-1, 2)).square().sum(2).sqrt().log1p()


@dataclass(frozen=True, eq=False)
class Voxels:
    """What u voxels of one subject read."""

    area: np.ndarray  # (u,) place of the area in EARLY
    fields: np.ndarray  # (u, 3)
    weights: np.ndarray  # (u, c) of the channels of its stage

    @classmethod
    def draw(cls, per_area: int, generator: Generator, seed: int, key: str) -> Voxels:
        """Fields grow from area to area; a voxel of gratings reads one channel."""
        rng = numpy_stream(seed, "voxels", key)
        area = np.repeat(np.arange(len(EARLY)), per_area)
        sigma = (0.05 + 0.03 * area) * rng.uniform(0.8, 1.2, len(area))
        fields = np.column_stack([rng.uniform(-0.3, 0.3, (len(area), 2)), sigma])
        if generator == "gabor":
            count = len(FREQUENCIES) * ORIENTATIONS
            return cls(area, fields, np.eye(count)[rng.integers(0, count, len(area))])
        return cls(area, fields, rng.standard_normal((len(area), CHANNELS)))


@torch.inference_mode()
def signals(
    images: np.ndarray, voxels: Voxels, generator: Generator, seed: int, first: int = BATCH
) -> np.ndarray:
    """Responses without noise, of mean 0 and variance 1: (n, h, w, 3) uint8 -> (n, u).

    Stacks are standardized over the `first` images, the same for all subjects.
    """
    looked = _looked(images, generator, seed, first)
    found = np.concatenate([_read([stages[-1] for stages in areas], voxels) for areas in looked])
    return (found - found.mean(0)) / found.std(0)


@torch.inference_mode()
def trunk_maps(
    images: np.ndarray, generator: Generator, seed: int, first: int = BATCH
) -> list[list[np.ndarray]]:
    """What a perfect trunk of each area would offer: (n, h, w, 3) uint8 -> 4 lists of (n, c, h, w).

    All stages up to the one its voxels read: of the one stack, or of the area's own.
    """
    parts = list(_looked(images, generator, seed, first))
    return [
        [np.concatenate([stage.numpy() for stage in stages]) for stages in zip(*area, strict=True)]
        for area in zip(*parts, strict=True)
    ]


def _looked(
    images: np.ndarray, generator: Generator, seed: int, first: int
) -> Iterator[list[list[Tensor]]]:
    """Stages of each area's stack up to the one it reads, the first images and then batches."""
    depths = range(1, len(EARLY) + 1)
    sizes = {"hierarchical": depths[-1:], "branched": depths, "gabor": ()}
    stacks = [Stack(seed, f"{generator} {n}", n) for n in sizes[generator]]
    for some in np.split(images, [first, *range(first + BATCH, len(images), BATCH)]):
        x = torch.from_numpy(some).permute(0, 3, 1, 2).float() / 255
        match generator:
            case "hierarchical":
                stages = stacks[0](x)
                yield [stages[:n] for n in depths]
            case "branched":
                yield [stack(x) for stack in stacks]
            case "gabor":
                yield [[gratings(x)]] * len(EARLY)


def _read(maps: list[Tensor], voxels: Voxels) -> np.ndarray:
    """Weighted channels of each voxel through its field: 4 maps (n, c, h, w) -> (n, u)."""
    found = np.empty((len(maps[0]), len(voxels.area)))
    for i, stage in enumerate(maps):
        here = voxels.area == i
        fields = torch.from_numpy(field_weights(voxels.fields[here], *stage.shape[2:]))
        pooled = torch.einsum("nchw,uhw->nuc", stage, fields).double().numpy()
        found[:, here] = (pooled * voxels.weights[here]).sum(2)
    return found
