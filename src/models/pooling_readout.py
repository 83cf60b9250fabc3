"""Pooling readout: a field of its own for every unit and map, and a weight for every channel.

    y_v = b_v + sum_f w_vf act(sum_s g_vs act(x_fs)),   g_v = softmax of a free map of the unit

Source: St-Yves et al. 2023; specification nsd_gnet, 5.2. Pooled channels of all units would fill
gigabytes: they are made a few units and images at a time, and again in the backward pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from src.config import PoolingReadoutConfig
from src.data.gaussian_fields import middles
from src.models.readouts import Readout

START = 0.25  # image widths, of a Gaussian that has learned nothing
IMAGES = 32  # pooled at once on an accelerator; one on CPUs, so that all of it stays in cache


class PoolingReadout(Readout):
    """Maps of any number and size to units: m maps (n, f, h, w) -> (n, u)."""

    def __init__(
        self,
        config: PoolingReadoutConfig,
        map_shapes: Sequence[tuple[int, int, int]],
        n_units: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.config, self.map_shapes = config, tuple(map(tuple, map_shapes))
        shapes = {
            "maps": [shape[1:] for shape in self.map_shapes],
            "one": [(config.places, config.places)],
            "gaussian": [],
        }[config.field]
        self.logits = nn.ParameterList(torch.ones(n_units, *shape) for shape in shapes)
        if config.field == "gaussian":  # x, y upwards, and the logarithm of sigma, image widths
            start = torch.tensor([0.0, 0.0, log(START)])
            self.gaussians = nn.Parameter(start.repeat(n_units, 1))
        channels = sum(f for f, _, _ in self.map_shapes)
        self.weights = nn.Parameter(torch.empty(n_units, channels))
        self.bias = nn.Parameter(torch.empty(n_units))
        for parameter in (self.weights, self.bias):
            nn.init.normal_(parameter, 0, config.init_std, generator=generator)

    @property
    def fields(self) -> tuple[Tensor, ...]:
        """Where each unit pools, of sum 1: m times (u, h, w)."""
        found = zip(self._flat(slice(None)), self.map_shapes, strict=True)
        return tuple(g.view(-1, h, w) for g, (_, h, w) in found)

    def _flat(self, keep: slice | Tensor) -> list[Tensor]:
        """Fields of some units over the places of each map: m times (u, h w)."""
        if self.config.field == "gaussian":
            return [_gaussian(self.gaussians[keep], h, w) for _, h, w in self.map_shapes]
        fields = [v[keep].flatten(1).softmax(1) for v in self.logits]
        if self.config.field == "maps":
            return fields
        one = fields[0].unflatten(1, (self.config.places,) * 2)
        return [_at_size(one, h, w) for _, h, w in self.map_shapes]

    def forward(
        self,
        x: Tensor | tuple[Tensor, ...],
        shift: Tensor | None = None,
        _generator: torch.Generator | None = None,
        units: Tensor | None = None,
    ) -> Tensor:
        """m maps (n, f, h, w) -> (n, u); `units` (indices) reads only some, in that order."""
        if shift is not None:
            raise ValueError("a pooling readout has no positions to shift: use shifter=False")
        maps = (x,) if isinstance(x, Tensor) else x
        if (found := tuple(tuple(m.shape[1:]) for m in maps)) != self.map_shapes:
            raise ValueError(f"maps are {found}, the readout is built for {self.map_shapes}")
        keep = slice(None) if units is None else torch.as_tensor(units, device=maps[0].device)
        fields = self._flat(keep)
        shown = [act(m.permute(0, 2, 3, 1).flatten(1, 2)) for m in maps]  # (n, s, f)
        weights = self.weights[keep]
        return _Pool.apply(self.config.chunk, weights, *fields, *shown) + self.bias[keep]

    @torch.no_grad()
    def parts(self, maps: Sequence[Tensor], groups: Sequence[slice]) -> Tensor:
        """What groups of channels add to a prediction: m maps (n, f, h, w) -> (k, n, u).

        With groups that hold every channel once they sum to the prediction without its bias.
        """
        found = self.weights.new_zeros(len(groups), len(maps[0]), len(self.bias))
        fields = self._flat(slice(None))
        shown = [act(m.permute(0, 2, 3, 1).flatten(1, 2)) for m in maps]
        for g, x, channels in _by_map(fields, shown):
            for u, n in _blocks(self.weights, x, self.config.chunk):
                value = act(g[u] @ x[n]).mul_(self.weights[u, channels])
                for part, group in zip(found, groups, strict=True):
                    here = slice(
                        max(group.start - channels.start, 0), max(group.stop - channels.start, 0)
                    )
                    part[n, u] += value[..., here].sum(2)
        return found

    def penalty(self) -> Tensor:
        """feature_l1 * sum |w|."""
        return self.config.feature_l1 * self.weights.abs().sum()


def area_matrix(n: int, m: int) -> Tensor:
    """How much of each of n cells lies in each of m along one axis: -> (m, n), columns sum to 1."""
    edges = torch.arange(m + 1, dtype=torch.float64) * n / m
    cells = torch.arange(n, dtype=torch.float64)
    low = torch.maximum(edges[:-1, None], cells)
    return (torch.minimum(edges[1:, None], cells + 1) - low).clamp(min=0)


def _at_size(field: Tensor, h: int, w: int) -> Tensor:
    """A field on a map of another size, of the same sum: (u, p, p) -> (u, h w).

    A larger map is averaged over the cells of the field, a smaller one gets the sums of it.
    """
    sides = []
    for size in (h, w):
        p = field.shape[-1]
        inside = area_matrix(size, p)
        share = (inside / inside.sum(1, keepdim=True)).T if size > p else area_matrix(p, size)
        sides.append(share.to(field))
    return torch.einsum("hp,upq,wq->uhw", sides[0], field, sides[1]).flatten(1)


def _gaussian(parameters: Tensor, h: int, w: int) -> Tensor:
    """Isotropic Gaussians over the places of a map, of sum 1: (u, 3) -> (u, h w)."""
    x, y, size = parameters[:, :, None, None].unbind(1)
    across, down = (torch.from_numpy(middles(n) / 2).to(parameters) for n in (w, h))
    away = (across - x) ** 2 + (-down[:, None] - y) ** 2
    return (-away / (2 * (2 * size).exp())).flatten(1).softmax(1)


def act(x: Tensor) -> Tensor:
    """log(1 + |x|) tanh(x), elementwise; keeps nothing but x for its gradient."""
    return _Act.apply(x)


def _value_and_slope(x: Tensor) -> tuple[Tensor, Tensor]:
    """act(x) and its derivative |tanh x| / (1 + |x|) + log(1 + |x|) (1 - tanh(x)^2)."""
    size, tanh = x.abs(), x.tanh()
    log = size.log1p()
    slope = torch.addcdiv((1 - tanh * tanh).mul_(log), tanh.abs(), size.add_(1))
    return log.mul_(tanh), slope


class _Act(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.abs().log1p_().mul_(x.tanh())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _value_and_slope(ctx.saved_tensors[0])[1].mul_(gradient)


class _Pool(torch.autograd.Function):
    """y[n, u] = sum over maps and channels of w act(g @ x): (u, f), m (u, s), m (n, s, f)."""

    @staticmethod
    def forward(ctx: Any, chunk: int, weights: Tensor, *both: Tensor) -> Tensor:
        fields, maps = both[: len(both) // 2], both[len(both) // 2 :]
        ctx.chunk = chunk
        ctx.save_for_backward(weights, *both)
        y = weights.new_zeros(len(maps[0]), len(weights))
        for g, x, channels in _by_map(fields, maps):
            for u, n in _blocks(weights, x, chunk):
                pooled = g[u] @ x[n]  # (n, u, f)
                value = pooled.abs().log1p_().mul_(pooled.tanh_())
                y[n, u] += value.mul_(weights[u, channels]).sum(2)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weights, *both = ctx.saved_tensors
        fields, maps = both[: len(both) // 2], both[len(both) // 2 :]
        of_weights, of_both = torch.zeros_like(weights), [torch.zeros_like(v) for v in both]
        of_fields, of_maps = of_both[: len(fields)], of_both[len(fields) :]
        learned = any(ctx.needs_input_grad[2 + len(fields) :])  # not the maps of what is frozen
        for i, (g, x, channels) in enumerate(_by_map(fields, maps)):
            for u, n in _blocks(weights, x, ctx.chunk):
                value, slope = _value_and_slope(g[u] @ x[n])
                along = gradient[n, u, None]  # (n, u, 1)
                of_weights[u, channels] += value.mul_(along).sum(0)
                slope.mul_(weights[u, channels]).mul_(along)
                of_fields[i][u] += torch.einsum("nuf,nsf->us", slope, x[n])
                if learned:
                    of_maps[i][n] += g[u].T @ slope
        return None, of_weights, *of_both


def _by_map(
    fields: Sequence[Tensor], maps: Sequence[Tensor]
) -> Iterator[tuple[Tensor, Tensor, slice]]:
    """Fields and values of each map, and where its channels stand among all."""
    first = 0
    for g, x in zip(fields, maps, strict=True):
        yield g, x, slice(first, first := first + x.shape[2])


def _blocks(weights: Tensor, x: Tensor, chunk: int) -> Iterator[tuple[slice, slice]]:
    """Some units and some images at a time."""
    images = 1 if x.is_cpu else IMAGES
    for unit in range(0, len(weights), chunk):
        for image in range(0, len(x), images):
            yield slice(unit, unit + chunk), slice(image, image + images)
