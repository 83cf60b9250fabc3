"""Bilinear reading of feature maps, one position a unit: the inner loop of the Gaussian readout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 16384  # positions at a time: what is needed beyond inputs and outputs is f * BLOCK values
UNITS = 1024  # units at a time on accelerators
Padding = Literal["zeros", "border"]


def sample_dot(
    x: Tensor,
    positions: Tensor,
    weights: Tensor,
    align_corners: bool = True,
    padding: Padding = "zeros",
) -> Tensor:
    """Features at each unit's position, weighted: (n, f, h, w), (n|1, u, 2), (u, f) -> (n, u).

    Positions are (x, y) in -1..1, x along the width, with the semantics of `grid_sample`, which
    does the work on accelerators; on CPU `_SampleDot` does the same sums in a quarter of the time.
    """
    if x.is_cpu:
        return _SampleDot.apply(x, positions, weights, align_corners, padding)
    return _grid_sample_dot(x, positions, weights, align_corners, padding)


def _grid_sample_dot(
    x: Tensor, positions: Tensor, weights: Tensor, align_corners: bool, padding: Padding
) -> Tensor:
    y = []
    for part, weight in zip(positions.split(UNITS, 1), weights.split(UNITS), strict=True):
        grid = part.expand(len(x), -1, -1)[:, :, None]  # (n, u, 1, 2)
        read = F.grid_sample(x, grid, padding_mode=padding, align_corners=align_corners)
        y.append(torch.einsum("nfu,uf->nu", read[..., 0], weight))
    return torch.cat(y, 1)


class Neighbors(NamedTuple):
    """Low and high neighbor of p positions on one axis, all (2, p)."""

    index: Tensor  # int32, within the map
    weight: Tensor  # share in the bilinear mean, 0 outside the map
    slope: Tensor  # derivative of the weight by the position


def neighbors(position: Tensor, size: int, align_corners: bool, padding: Padding) -> Neighbors:
    """The two pixels around each position in -1..1, on an axis of `size` pixels: (p,)."""
    scale, origin = ((size - 1) / 2, 0.0) if align_corners else (size / 2, -0.5)
    pixel, moves = (position + 1) * scale + origin, 1.0
    if padding == "border":
        moves = (pixel > 0) & (pixel < size - 1)
        pixel = pixel.clamp(0, size - 1)
    low = pixel.floor()
    share, index = pixel - low, torch.stack([low, low + 1])
    inside = ((index >= 0) & (index < size)).to(pixel.dtype)
    weight = torch.stack([1 - share, share]) * inside
    slope = torch.stack([-scale * inside[0], scale * inside[1]]) * moves
    return Neighbors(index.clamp(0, size - 1).int(), weight, slope)


class _Block:
    """Some images: their maps as one table of pixels, and where each unit reads it."""

    def __init__(self, maps: Tensor, positions: Tensor, options: tuple[bool, Padding]) -> None:
        n, h, w, f = maps.shape
        self.table = maps.reshape(n * h * w, f)
        x, y = positions.expand(n, -1, -1).reshape(-1, 2).T
        self.x, self.y = neighbors(x, w, *options), neighbors(y, h, *options)
        image = torch.arange(n, dtype=torch.int32).repeat_interleave(positions.shape[1])
        rows = (image * h + self.y.index)[:, None] * w + self.x.index  # (2, 2, p)
        self.rows = rows.reshape(4, -1).T.contiguous()  # (p, 4)
        self.shares = self._corners(self.x.weight, self.y.weight)

    @staticmethod
    def _corners(x: Tensor, y: Tensor) -> Tensor:
        return (y[:, None] * x).reshape(4, -1).T.contiguous()  # (p, 4)

    def read(self, shares: Tensor) -> Tensor:
        """Sums of four pixels: (p, 4) -> (p, f)."""
        return F.embedding_bag(self.rows, self.table, per_sample_weights=shares, mode="sum")

    def pixels_dot(self, weights: Tensor) -> Tensor:
        """Each of the four pixels, weighted by the unit's features: (p, f) -> (p, 4)."""
        shares = self.shares.detach().requires_grad_()
        with torch.enable_grad():
            read = self.read(shares)
        return torch.autograd.grad(read, shares, weights)[0]

    def spread(self, shares: Tensor, weights: Tensor) -> Tensor:
        """The transpose of `read`: (p, 4), (p, f) -> table (n*h*w, f)."""
        starts = np.arange(0, 4 * len(shares) + 1, 4, dtype=np.int32)
        entries = shares.numpy().reshape(-1), self.rows.numpy().reshape(-1), starts
        matrix = scipy.sparse.csc_array(entries, shape=(len(self.table), len(shares)))
        return torch.from_numpy(matrix @ weights.numpy())

    def position_gradient(self, dots: Tensor) -> Tensor:
        """From the derivative by the four shares to that by the position: (p, 4) -> (p, 2)."""
        x = (self._corners(self.x.slope, self.y.weight) * dots).sum(1)
        y = (self._corners(self.x.weight, self.y.slope) * dots).sum(1)
        return torch.stack([x, y], 1)


class _SampleDot(torch.autograd.Function):
    """Block by block of images; backward reads the maps again instead of keeping what was read."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, positions: Tensor, weights: Tensor, *options: Any) -> Tensor:
        ctx.save_for_backward(x, positions, weights)
        ctx.options = options
        y = x.new_empty(len(x), len(weights))
        for part, block in _blocks(x, positions, options):
            read = block.read(block.shares).view(-1, *weights.shape)
            torch.linalg.vecdot(read, weights, out=y[part])
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, positions, weights = ctx.saved_tensors
        n, f, h, w = x.shape
        grad_x, grad_weights = x.new_empty(n, h, w, f), torch.zeros_like(weights)
        grad_positions = x.new_empty(n, len(weights), 2)
        for part, block in _blocks(x, positions, ctx.options):
            g = gradient[part].reshape(-1, 1)
            own = weights.expand(len(gradient[part]), -1, -1).reshape(-1, f)  # (p, f)
            shares = block.shares * g
            grad_weights += block.read(shares).view(-1, *weights.shape).sum(0)
            grad_x[part] = block.spread(shares, own).view(-1, h, w, f)
            moved = block.position_gradient(block.pixels_dot(own) * g)
            grad_positions[part] = moved.view(-1, len(weights), 2)
        grad_positions = grad_positions.sum_to_size(positions.shape)
        return grad_x.permute(0, 3, 1, 2), grad_positions, grad_weights, None, None


def _blocks(
    x: Tensor, positions: Tensor, options: tuple[bool, Padding]
) -> Iterator[tuple[slice, _Block]]:
    maps, step = x.permute(0, 2, 3, 1), max(1, BLOCK // positions.shape[1])
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        own = positions if len(positions) == 1 else positions[part]
        yield part, _Block(maps[part], own, options)
