"""Modulator: behavior in, one gain a unit out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.models.layers import linear


class GainModulator(nn.Module):
    """ReLU network, then ELU + 1 (spec 5.3): behavior (n, 3) -> gain (n, u), multiplies y.

    The last layer starts at zero, so that every gain starts at exactly 1.
    """

    def __init__(self, n_units: int, generator: torch.Generator, hidden: int = 10) -> None:
        super().__init__()
        self.hidden = nn.Sequential(linear(3, hidden, generator), nn.ReLU())
        self.weight = nn.Parameter(torch.zeros(n_units, hidden))
        self.bias = nn.Parameter(torch.zeros(n_units))

    def forward(self, behavior: Tensor, units: Tensor | None = None) -> Tensor:
        keep = slice(None) if units is None else units
        return F.elu(F.linear(self.hidden(behavior), self.weight[keep], self.bias[keep])) + 1
