"""Depth-separable convolution of the SENSORIUM 2022 cores: 1x1, depthwise kxk, 1x1."""

from __future__ import annotations

import torch
from torch import nn


class Separable(nn.Module):
    """1x1 -> depthwise kxk (padding k//2) -> 1x1: (n, c, h, w) -> (n, f, h, w).

    No bias and no nonlinearity in between (spec 5.1; keys as in the published checkpoints).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.in_depth_conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.spatial_conv = nn.Conv2d(
            out_channels, out_channels, kernel, padding=kernel // 2, groups=out_channels, bias=False
        )
        self.out_depth_conv = nn.Conv2d(out_channels, out_channels, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out_depth_conv(self.spatial_conv(self.in_depth_conv(x)))
