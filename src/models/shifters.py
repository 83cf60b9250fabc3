"""Shifter: pupil position in, shift of all receptive fields of a session out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from src.models.layers import exactly, linear


class Shifter(nn.Module):
    """Three small layers, tanh after each (spec 5.3): standardized pupil (n, 2) -> shift (n, 2).

    The shift is in readout units, where the feature map spans -1 to 1. Layers start as PyTorch
    starts them: the published initializer matches no layer (D21). Then shifts start at random,
    different for each trial, and blur what units see until they are unlearned; `still` starts at 0.
    """

    def __init__(self, generator: torch.Generator, still: bool = False, hidden: int = 5) -> None:
        super().__init__()
        sizes = ((2, hidden), (hidden, hidden), (hidden, 2))
        self.mlp = nn.Sequential(*(m for s in sizes for m in (linear(*s, generator), nn.Tanh())))
        if still:
            nn.init.zeros_(self.mlp[4].weight)
            nn.init.zeros_(self.mlp[4].bias)

    def forward(self, pupil: Tensor) -> Tensor:
        return exactly(self.mlp, pupil)
