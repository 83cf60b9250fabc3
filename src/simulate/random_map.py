"""The fixed random convolutional map that simulated IT sites read, as a network of two layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.seeds import stream

RETINA = 32  # pixels a side of what the map sees


class RandomMap(nn.Module):
    """Gray images to 24 channels on a 4 x 4 grid: (n, 1 or 3, h, w) -> (n, 24, 4, 4) float64.

    Two layers of random filters without bias, rectified. Images are first brought to 32 x 32, so
    that a map sees the same at any size; of three channels, which are equal, it sees one.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        first, second = _filters(seed, 1, (16, 1, 5, 5)), _filters(seed, 2, (24, 16, 3, 3))
        self.layer1 = nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(second, nn.ReLU(), nn.AdaptiveAvgPool2d(4))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layer2(self.layer1(F.adaptive_avg_pool2d(pictures[:, :1].double(), RETINA)))


def _filters(seed: int, layer: int, shape: tuple[int, int, int, int]) -> nn.Conv2d:
    """A convolution of random filters that sum to 0."""
    f, c, k, _ = shape
    conv = nn.utils.skip_init(nn.Conv2d, c, f, k, bias=False, dtype=torch.float64)
    generator = stream(seed, "map", layer)
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        conv.weight.copy_(drawn - drawn.mean((1, 2, 3), keepdim=True))
    return conv
