"""Batch normalization and ELU in one step, with exact sums: what follows every convolution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from src.models.separable import cached
from src.models.sharing import batch_sum, current, places

PIXELS = (0, 2, 3)  # the axes that are normalized over


class BatchNorm(nn.BatchNorm2d):
    """Batch norm, then ELU unless `linear`: (n, c, h, w) -> (n, c, h, w).

    PyTorch's CPU kernels add up a channel of channels-last maps value by value in float32: at 128
    images the variance is off by 6e-5 and gradients by 1e-4. In training on CPU this sums in parts.
    """

    def __init__(self, channels: int, momentum: float, linear: bool) -> None:
        super().__init__(channels, momentum=momentum)
        self.linear = linear

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """`kept` multiplies the result: (n, c, h, w), (n, c, 1, 1) -> (n, c, h, w).

        In a share statistics are those of the whole batch, on every device.
        """
        if self.training and (current() or (x.is_cpu and x.dtype == self.weight.dtype)):
            return _normalized(self, x, self.linear, kept)
        y = super().forward(x)
        y = y if self.linear else F.elu(y, inplace=True)
        return y if kept is None else y * kept

    @torch.no_grad()
    def standardized(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """The same without scale, offset and ELU, for maps on CPU that get no gradient."""
        if not self.training:
            y = F.batch_norm(x, self.running_mean, self.running_var, eps=self.eps)
            return y if kept is None else y.mul_(kept)
        one, zero = torch.ones_like(self.weight), torch.zeros_like(self.bias)
        y, mean, variance = _Normalize.apply(x, one, zero, self.eps, True, kept)
        _remember(self, mean, variance, _count(x))
        return y


@contextmanager
def sharing_norms(network: nn.Module) -> Iterator[None]:
    """Inside the block PyTorch's own batch norms, of any dimension, share a batch as ours do."""
    plain = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
    norms = [m for m in network.modules() if isinstance(m, plain) and not isinstance(m, BatchNorm)]
    for norm in norms:
        norm.forward = partial(_shared, norm)
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _shared(norm: nn.Module, x: Tensor) -> Tensor:
    """A batch norm of PyTorch, in training with the statistics of the whole batch: any -> same."""
    if not (norm.training and current()):
        return type(norm).forward(norm, x)
    return _normalized(norm, x.reshape(*x.shape[:2], -1, 1)).view_as(x)


def _normalized(
    norm: nn.Module, x: Tensor, linear: bool = True, kept: Tensor | None = None
) -> Tensor:
    """Maps as `norm` makes them in training, which remembers their statistics."""
    given = x.to(norm.weight.dtype)  # autocast has maps of less precision
    y, mean, variance = _Normalize.apply(given, norm.weight, norm.bias, norm.eps, linear, kept)
    _remember(norm, mean, variance, _count(x))
    return y.to(x.dtype)


def _count(x: Tensor) -> int:
    """Values of a channel in the whole batch: (n, c, h, w)."""
    return places(len(x))[1] * x[0, 0].numel()


@torch.no_grad()
def _remember(norm: nn.Module, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running statistics towards those of a batch; momentum None is a plain mean."""
    norm.num_batches_tracked.add_(1)
    share = 1 / int(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean), share)
    norm.running_var.lerp_((variance * count / (count - 1)).to(norm.running_var), share)


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of each channel: (n, c, h, w) -> (c,), (c,) float64.

    In a share, of the whole batch.
    """
    means, squares, counts = [], [], []
    for (part,) in cached(x):
        mean = part.mean(PIXELS, keepdim=True)
        means.append(mean.flatten())
        squares.append((part - mean).square_().mean(PIXELS))
        counts.append(len(part))
    weight = torch.tensor(counts, dtype=torch.float64, device=x.device)[:, None]
    weight /= places(len(x))[1]
    means, squares = torch.stack(means).double(), torch.stack(squares).double()
    mean = batch_sum(weight * means)
    return mean, batch_sum(weight * (squares + (means - mean).square()))


class _Normalize(torch.autograd.Function):
    """y = ELU(weight * (x - mean) / sqrt(variance + eps) + bias) kept, and x's mean and variance.

    The gradient with `kept`, 0 or a constant a map, is for `linear` only.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        linear: bool,
        kept: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = statistics(x)
        ctx.mark_non_differentiable(mean, variance)
        center, scale = mean.to(x), (variance + eps).rsqrt().to(x)
        slope = weight * scale
        offset, y = _along(bias - center * slope), torch.empty_like(x)
        for x_part, y_part, k in _parts(kept, x, y):
            torch.addcmul(offset, x_part, _along(slope), out=y_part)
            if not linear:
                F.elu_(y_part)
            if k is not None:
                y_part.mul_(k)
        ctx.save_for_backward(x, y, weight, center, scale, kept)
        ctx.linear, ctx.share, ctx.count = linear, current(), _count(x)
        return y, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: None) -> tuple[Tensor | None, ...]:
        x, y, weight, center, scale, kept = ctx.saved_tensors
        sums, grad_x = torch.zeros(2, len(weight), dtype=torch.float64), torch.empty_like(x)
        sums = sums.to(x.device)
        for x_part, y_part, g, grad_part, k in _parts(kept, x, y, gradient, grad_x):
            _before_elu(g, y_part, ctx.linear, out=grad_part)
            if k is not None:
                grad_part.mul_(k)
            sums[0] += grad_part.sum(PIXELS)
            sums[1] += (x_part - _along(center)).mul_(grad_part).sum(PIXELS)
        grad_bias, grad_weight = sums[0].to(x), sums[1].to(x) * scale
        of_bias, of_weight = grad_bias, grad_weight
        if ctx.share:  # weights get the part of these rows, maps what all rows say
            of_bias, of_weight = ctx.share.add(torch.stack([grad_bias, grad_weight]))
        slope = weight * scale
        back = -slope * scale * of_weight / ctx.count
        offset = -slope * of_bias / ctx.count - back * center
        for x_part, grad_part in cached(x, grad_x):
            rest = torch.addcmul(_along(offset), x_part, _along(back))
            torch.addcmul(rest, grad_part, _along(slope), out=grad_part)
        return grad_x, grad_weight, grad_bias, None, None, None


def _parts(kept: Tensor | None, *maps: Tensor) -> Iterator[tuple[Tensor | None, ...]]:
    """As `cached`, and last the part of `kept`, (n, c, 1, 1) or None."""
    first = 0
    for parts in cached(*maps):
        last = first + len(parts[0])
        yield *parts, None if kept is None else kept[first:last]
        first = last


def _before_elu(gradient: Tensor, y: Tensor, linear: bool, out: Tensor) -> Tensor:
    """Gradient by the argument of an ELU whose value is y, where there is one."""
    return out.copy_(gradient) if linear else torch.clamp(y, max=0, out=out).add_(1).mul_(gradient)


def _along(values: Tensor) -> Tensor:
    """One value a channel: (c,) -> (c, 1, 1)."""
    return values[:, None, None]
