"""Bilinear reading of feature maps, one position a unit: the inner loop of the Gaussian readout."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import scipy.sparse
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

BLOCK = 16384  # positions at a time: what is needed beyond inputs and outputs is f * BLOCK values
FEATURES = 2**26  # read at a time on accelerators: few launches, temporaries of 256 MB
RECOMPUTE = 2**27  # more features than this are not kept there: backward reads them again
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
    does the work on accelerators; on CPU `_SampleDot` does the same sums in a fraction of the time,
    and finds pixels in float64.
    """
    if x.is_cpu:
        return _SampleDot.apply(x, positions, weights, align_corners, padding)
    return _grid_sample_dot(x, positions, weights, align_corners, padding)


def _grid_sample_dot(
    x: Tensor, positions: Tensor, weights: Tensor, align_corners: bool, padding: Padding
) -> Tensor:
    y, each = [], x.shape[:2].numel()  # features of a unit
    positions, units = positions.to(x), max(1, FEATURES // each)
    for part, weight in zip(positions.split(units, 1), weights.split(units), strict=True):
        options = x, part, weight, align_corners, padding
        if torch.is_grad_enabled() and each * positions.shape[1] > RECOMPUTE:
            y.append(checkpoint(_read, *options, use_reentrant=False, preserve_rng_state=False))
        else:
            y.append(_read(*options))
    return torch.cat(y, 1)


def _read(
    x: Tensor, positions: Tensor, weights: Tensor, align_corners: bool, padding: Padding
) -> Tensor:
    grid = positions.expand(len(x), -1, -1)[:, :, None]  # (n, u, 1, 2)
    read = F.grid_sample(x, grid, padding_mode=padding, align_corners=align_corners)
    return (read[..., 0] * weights.T).sum(1)


class Neighbors(NamedTuple):
    """Low and high neighbor of positions on one axis, all (2, u, n)."""

    index: Tensor  # int32, within the map
    weight: Tensor  # share in the bilinear mean, 0 outside the map
    slope: Tensor  # derivative of the weight by the position


def neighbors(
    position: Tensor, size: int, align_corners: bool, padding: Padding, dtype: torch.dtype
) -> Neighbors:
    """The two pixels around each position in -1..1, on an axis of `size` pixels: (u, n)."""
    scale, origin = ((size - 1) / 2, 0.0) if align_corners else (size / 2, -0.5)
    pixel, moves = (position.double() + 1) * scale + origin, 1.0
    if padding == "border":
        moves = (pixel > 0) & (pixel < size - 1)
        pixel = pixel.clamp(0, size - 1)
    low = pixel.floor()
    share, index = pixel - low, torch.stack([low, low + 1])
    inside = ((index >= 0) & (index < size)).to(pixel.dtype)
    weight = torch.stack([1 - share, share]) * inside
    slope = torch.stack([-scale * inside[0], scale * inside[1]]) * moves
    return Neighbors(index.clamp(0, size - 1).int(), weight.to(dtype), slope.to(dtype))


class _Block:
    """Reading some images as one sparse matrix, units by pixels of all maps: shares of pixels.

    A unit has four entries an image, those of its neighbors; what belongs to entries is (u, n * 4).
    """

    def __init__(self, maps: Tensor, positions: Tensor, options: tuple[bool, Padding]) -> None:
        n, h, w, f = maps.shape
        self.table = maps.reshape(n * h * w, f)
        x, y = positions.expand(n, -1, -1).permute(2, 1, 0).contiguous()  # (u, n)
        self.x = neighbors(x, w, *options, maps.dtype)
        self.y = neighbors(y, h, *options, maps.dtype)
        image = torch.arange(n, dtype=torch.int32)
        self.pixels = _entries((image * h + self.y.index)[:, None] * w + self.x.index)
        self.shares = _entries(self.y.weight[:, None] * self.x.weight)
        self.starts = torch.arange(0, self.pixels.numel() + 1, 4 * n, dtype=torch.int32)

    def slopes(self) -> tuple[Tensor, Tensor]:
        """Derivatives of the shares by the position's x and y: entries."""
        x, y = self.x, self.y
        return _entries(y.weight[:, None] * x.slope), _entries(y.slope[:, None] * x.weight)

    def dots(self, weights: Tensor) -> Tensor:
        """The pixels' features, weighted by the unit's: (u, f) -> entries."""
        shape = len(weights), len(self.table)
        if self.pixels.numel() > shape[0] * shape[1]:  # maps of 3 pixels and fewer: PyTorch refuses
            return (weights @ self.table.T).gather(1, self.pixels.long())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
            entries = self.starts, self.pixels.view(-1), torch.zeros_like(self.shares).view(-1)
            matrix = torch.sparse_csr_tensor(*entries, shape, check_invariants=False)
        dots = torch.sparse.sampled_addmm(matrix, weights, self.table.T, beta=0.0)
        return dots.values().view_as(self.shares)

    def gather(self, shares: Tensor) -> Tensor:
        """Matrix times table: entries -> (u, f)."""
        return F.embedding_bag(self.pixels, self.table, per_sample_weights=shares, mode="sum")

    def scatter(self, shares: Tensor, weights: Tensor) -> Tensor:
        """Transposed matrix times weights: entries, (u, f) -> table (n*h*w, f)."""
        entries = (t.numpy() for t in (shares.view(-1), self.pixels.view(-1), self.starts))
        matrix = scipy.sparse.csc_array(tuple(entries), shape=(len(self.table), len(weights)))
        return torch.from_numpy(matrix @ weights.numpy())


class _SampleDot(torch.autograd.Function):
    """Block by block of images; keeps the four products a unit and image that y is a mean of."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, positions: Tensor, weights: Tensor, *options: Any) -> Tensor:
        y, dots = x.new_empty(len(x), len(weights)), []
        for part, block in _blocks(x, positions, options):
            dots.append(block.dots(weights))
            y[part] = _sums(block.shares * dots[-1])
        ctx.save_for_backward(x, positions, weights, *dots)
        ctx.options = options
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, positions, weights, *dots = ctx.saved_tensors
        n, f, h, w = x.shape
        grad_x, grad_weights = x.new_empty(n, h, w, f), torch.zeros_like(weights)
        grad_positions = positions.new_empty(n, len(weights), 2)
        for (part, block), dot in zip(_blocks(x, positions, ctx.options), dots, strict=True):
            g = gradient[part].T.repeat_interleave(4, 1)  # entries
            shares = block.shares * g
            grad_weights += block.gather(shares)
            grad_x[part] = block.scatter(shares, weights).view(-1, h, w, f)
            moved = dot * g
            grad_positions[part] = torch.stack([_sums(moved * s) for s in block.slopes()], 2)
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


def _entries(corners: Tensor) -> Tensor:
    """Entries of a unit in a row: (2, 2, u, n) -> (u, n * 4)."""
    return corners.flatten(0, 1).permute(1, 2, 0).flatten(1).contiguous()


def _sums(entries: Tensor) -> Tensor:
    """Sums over neighbors: (u, n * 4) -> (n, u)."""
    return entries.unflatten(1, (-1, 4)).sum(2).T
