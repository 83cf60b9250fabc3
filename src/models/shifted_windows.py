"""Attention inside windows of a grid of tokens that are moved by half a window (Liu et al. 2021).

A grid (t, h, w) is filled up to whole windows, rolled, and cut: what meets in a window without
being neighbors in the grid is kept apart by a mask. Words and constants: specification
sensorium2023, 5.3; token positions are in rolled coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.models.attention import attend_with_bias
from src.models.layers import dense, truncated
from src.parts import VideoCoreConfig

APART = -100.0  # added to logits between tokens of different regions, as published


@dataclass(frozen=True)
class WindowLayout:
    """How a grid of tokens is cut: all tuples are (frames, rows, columns), in tokens."""

    grid: tuple[int, ...]
    table: tuple[int, ...]  # the window whose relative positions there are weights for
    window: tuple[int, ...]  # at most the grid
    shift: tuple[int, ...]  # 0 on an axis that fits into one window
    padded: tuple[int, ...]

    @classmethod
    def of(cls, grid: Sequence[int], window: Sequence[int], shifted: bool) -> WindowLayout:
        """A window of half a window's shift; both shrink where the grid is no larger."""
        small = [size <= w for size, w in zip(grid, window, strict=True)]
        fitted = [min(pair) for pair in zip(grid, window, strict=True)]
        shift = [0 if s or not shifted else w // 2 for s, w in zip(small, fitted, strict=True)]
        padded = [-(-size // w) * w for size, w in zip(grid, fitted, strict=True)]
        return cls(*map(tuple, (grid, window, fitted, shift, padded)))

    @property
    def pieces(self) -> tuple[int, ...]:
        """Windows along each axis."""
        return tuple(p // w for p, w in zip(self.padded, self.window, strict=True))

    def cut(self, x: Tensor) -> Tensor:
        """Fill up with zeros, roll, cut: (n, *grid, f) -> (n, windows, tokens, f)."""
        more = [(p - g) for p, g in zip(self.padded, self.grid, strict=True)]
        x = F.pad(x, (0, 0, *(v for m in reversed(more) for v in (0, m))))
        x = x.roll([-s for s in self.shift], (1, 2, 3)) if any(self.shift) else x
        split = [size for pair in zip(self.pieces, self.window, strict=True) for size in pair]
        x = x.reshape(len(x), *split, x.shape[-1]).permute(0, 1, 3, 5, 2, 4, 6, 7)
        return x.reshape(len(x), prod(self.pieces), prod(self.window), x.shape[-1])

    def join(self, x: Tensor) -> Tensor:
        """The way back: (n, windows, tokens, f) -> (n, *grid, f)."""
        x = x.reshape(len(x), *self.pieces, *self.window, x.shape[-1])
        x = x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(len(x), *self.padded, x.shape[-1])
        x = x.roll(self.shift, (1, 2, 3)) if any(self.shift) else x
        t, h, w = self.grid
        return x[:, :t, :h, :w]

    def relative_index(self) -> Tensor:
        """Row of the table for each pair of tokens of a window: (tokens, tokens) int64.

        From the pair's own distance, also in a window smaller than the table's; the published code
        takes the corner of the full matrix, which belongs to other pairs (defect S23-17).
        """
        sizes, index = [2 * size - 1 for size in self.table], 0
        for axis, (size, span) in enumerate(zip(self.table, sizes, strict=True)):
            place = self._places()[axis]
            index = index * span + place[:, None] - place[None] + size - 1
        return index

    def _places(self) -> list[Tensor]:
        axes = torch.meshgrid(*map(torch.arange, self.window), indexing="ij")
        return [axis.flatten() for axis in axes]

    def mask(self, masked_padding: bool, causal: bool) -> Tensor:
        """What is added to the logits: (windows, tokens, tokens); the query comes first."""
        regions = self._cut_axes([self._regions(axis) for axis in range(3)])
        apart = (regions[:, :, None] != regions[:, None]).any(-1)
        mask = torch.where(apart, APART, 0.0)
        places = self._cut_axes([torch.arange(p).roll(-s) for p, s in self._axes()])
        if masked_padding:
            outside = (places >= torch.tensor(self.grid)).any(-1)
            mask[outside[:, None] & ~outside[:, :, None]] = -torch.inf
        if causal:
            mask[places[:, None, :, 0] > places[:, :, None, 0]] = -torch.inf
        return mask

    def _axes(self) -> list[tuple[int, int]]:
        return list(zip(self.padded, self.shift, strict=True))

    def _regions(self, axis: int) -> Tensor:
        """Region of each rolled coordinate: 0, then 1 from P - w, then 2 from P - s; (P,)."""
        p, s, w = self.padded[axis], self.shift[axis], self.window[axis]
        place = torch.arange(p)
        return (place >= p - w).long() + (place >= p - s).long() if s else torch.zeros(p).long()

    def _cut_axes(self, axes: Sequence[Tensor]) -> Tensor:
        """Values along each axis as those of each token: -> (windows, tokens, 3)."""
        parts = [a.view(n, w) for a, n, w in zip(axes, self.pieces, self.window, strict=True)]
        rows = []
        for i, j, k in product(*map(range, self.pieces)):
            chosen = torch.meshgrid(parts[0][i], parts[1][j], parts[2][k], indexing="ij")
            rows.append(torch.stack([c.flatten() for c in chosen], 1))
        return torch.stack(rows)


class WindowAttention(nn.Module):
    """Attention with a weight for each relative position: (n, *grid, f) -> the same.

    Padded tokens have the bias as query, key and value, as published; with pad_keys "masked" no
    token of the film sees them.
    """

    def __init__(
        self, config: VideoCoreConfig, layout: WindowLayout, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.layout, self.heads = layout, config.heads
        rows = prod(2 * size - 1 for size in layout.table)
        self.table = truncated(rows, config.heads, generator=generator)
        self.qkv = dense(config.width, 3 * config.width, generator)
        self.out = dense(config.width, config.width, generator)
        mask = layout.mask(config.pad_keys == "masked", config.causal)
        self.register_buffer("mask", mask, persistent=False)
        self.register_buffer("index", layout.relative_index(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.layout.cut(x)).unflatten(3, (3, self.heads, -1))
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5).unbind()  # (n, windows, heads, tokens, d)
        bias = self.table[self.index].permute(2, 0, 1)  # (heads, tokens, tokens)
        y = attend_with_bias(q, k, v, bias, self.mask.to(bias.dtype))
        return self.layout.join(self.out(y.transpose(2, 3).flatten(3)))
