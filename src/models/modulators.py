"""Modulators: behavior in, one gain or one offset a unit out."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.models.layers import linear


class Modulator(nn.Module):
    """ReLU network of behavior: (n, 3) -> (n, u), which multiplies y (gain) or adds to it (offset).

    A gain is ELU + 1 of the network (spec 5.3). The last layer starts at zero, so that every gain
    starts at exactly 1 and every offset at 0.
    """

    def __init__(
        self,
        n_units: int,
        generator: torch.Generator,
        kind: Literal["gain", "offset"] = "gain",
        inputs: int = 3,
        hidden: int = 10,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.hidden = nn.Sequential(linear(inputs, hidden, generator), nn.ReLU())
        self.weight = nn.Parameter(torch.zeros(n_units, hidden))
        self.bias = nn.Parameter(torch.zeros(n_units))

    def forward(self, behavior: Tensor, units: Tensor | None = None) -> Tensor:
        keep = slice(None) if units is None else units
        z = F.linear(self.hidden(behavior), self.weight[keep], self.bias[keep])
        return F.elu(z) + 1 if self.kind == "gain" else z
