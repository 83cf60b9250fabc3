"""Gabor energy at many frequencies and orientations, as a network without anything to learn.

Source: St-Yves et al. 2023; specification nsd_gnet, 5.4. Instead of filters of many sizes, images
are resized so that one pair of filters fits each frequency. As published they are not smoothed
before: a coarse level answers to fine waves too.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.models.networks import Layer, Network, NetworkRecord, Preprocessing

FREQUENCIES = tuple(np.geomspace(3, 72, 12).tolist())  # cycles an image
ORIENTATIONS = 6  # k pi / 6: where the wave goes, from x towards y, which points up
PERIOD = 4.13  # pixels of a cycle
SIGMA = 0.7 * PERIOD  # of the envelope
LUMA = (0.2126, 0.7152, 0.0722)


class GaborLevel(nn.Module):
    """One frequency: gray images (n, 1, h, w) -> log(1 + sqrt(energy)), (n, 6, h', w')."""

    def __init__(self, frequency: float, taps: int) -> None:
        super().__init__()
        self.size, self.taps = round(PERIOD * frequency), taps
        place = np.linspace(-taps / 2, taps / 2, taps)
        x, y = np.meshgrid(place, -place)
        envelope = np.exp(-(x**2 + y**2) / (2 * SIGMA**2)) / (2 * np.pi * SIGMA**2)
        angles = np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS
        phases = [2 * np.pi / PERIOD * (np.cos(a) * x + np.sin(a) * y) for a in angles]
        pairs = [envelope * wave(phase) for wave in (np.cos, np.sin) for phase in phases]
        filters = torch.from_numpy(np.array(pairs, np.float32))[:, None]
        self.register_buffer("filters", filters)

    def forward(self, gray: Tensor) -> Tensor:
        x = F.interpolate(gray, (self.size,) * 2, mode="bilinear", align_corners=False)
        even, odd = F.conv2d(x, self.filters, padding=self.taps // 2).chunk(2, 1)
        return torch.hypot(even, odd).sqrt_().log1p_()


class GaborNetwork(nn.Module):
    """All frequencies, each a layer: images in 0..1 (n, 3, h, w) -> maps of the last."""

    def __init__(self, frequencies: tuple[float, ...] = FREQUENCIES, taps: int = 12) -> None:
        super().__init__()
        self.levels = nn.ModuleList(GaborLevel(f, taps) for f in frequencies)
        self.register_buffer("luma", torch.tensor(LUMA)[:, None, None])

    def forward(self, pictures: Tensor) -> Tensor:
        gray = (pictures * self.luma).sum(1, keepdim=True)
        return [level(gray) for level in self.levels][-1]


def gabor_network(
    size: int, frequencies: tuple[float, ...] = FREQUENCIES, taps: int = 12
) -> Network:
    """The pyramid as a network whose layers can be stored, for images of `size` pixels."""
    record = NetworkRecord(
        name="gabor",
        weights=f"{len(frequencies)} frequencies, {ORIENTATIONS} orientations, {taps} taps",
        layers=tuple(Layer(f"f{f:04.1f}", f"levels.{i}") for i, f in enumerate(frequencies)),
        input_size=size,
        preprocessing=Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        license="MIT",
        citation="this repository",
        build=lambda: GaborNetwork(frequencies, taps),
    )
    return Network(record, record.build().eval(), record.weights)
