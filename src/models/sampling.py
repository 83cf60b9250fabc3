"""Bilinear reading of feature maps, one position a unit: the inner loop of the Gaussian readout."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 1024  # units at a time: bounds memory at n * f * CHUNK values


def sample_dot(
    x: Tensor,
    positions: Tensor,
    features: Tensor,
    align_corners: bool = True,
    padding: Literal["zeros", "border"] = "zeros",
) -> Tensor:
    """Weighted sum of the features read at each unit's position.

    (n, f, h, w), (n|1, u, 2), (f, u) -> (n, u).

    Positions are (x, y) in -1..1, x along the width, with the semantics of `grid_sample`.
    """
    grid = positions.expand(len(x), -1, -1)[:, :, None]  # (n, u, 1, 2)
    parts = []
    for part, weight in zip(grid.split(CHUNK, 1), features.split(CHUNK, 1), strict=True):
        read = F.grid_sample(x, part, padding_mode=padding, align_corners=align_corners)
        parts.append(torch.einsum("nfu,fu->nu", read[..., 0], weight))
    return torch.cat(parts, 1)
