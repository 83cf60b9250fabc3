"""Depth-separable convolution of the SENSORIUM 2022 cores: 1x1, depthwise kxk, 1x1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

CACHED = 2**19  # values of a feature map that a processor's cache holds, a few images at a time


class Separable(nn.Module):
    """1x1 -> depthwise kxk (padding k//2) -> 1x1: (n, c, h, w) -> (n, f, h, w).

    No bias and no nonlinearity in between (spec 5.1; keys as in the published checkpoints).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"a separable convolution needs an odd kernel, not {kernel}")
        self.in_depth_conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.spatial_conv = nn.Conv2d(
            out_channels, out_channels, kernel, padding=kernel // 2, groups=out_channels, bias=False
        )
        self.out_depth_conv = nn.Conv2d(out_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if _is_cpu(x):
            layers = self.in_depth_conv, self.spatial_conv, self.out_depth_conv
            return _Separable.apply(x, *(layer.weight for layer in layers))
        return self.out_depth_conv(self.spatial_conv(self.in_depth_conv(x)))


def _is_cpu(x: Tensor) -> bool:
    """Whether `_Separable` pays: on CPU with oneDNN, in the precision of its inputs."""
    autocast = torch.is_autocast_enabled("cpu")
    return x.is_cpu and torch.backends.mkldnn.is_available() and not autocast


class _Separable(torch.autograd.Function):
    """The same on CPU, a few images at a time so that what lies between stays in cache.

    Each 1x1 convolution is a matrix product over pixels. All depthwise sums, gradients included,
    are forward depthwise convolutions, the only ones that run near peak: with the flipped kernel
    for the gradient of the input, with each image's gradient as kernel for that of the kernel.
    Backward computes the maps in between again, instead of keeping twice what the output takes.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, w_in: Tensor, kernel: Tensor, w_out: Tensor) -> Tensor:
        ctx.save_for_backward(x, w_in, kernel, w_out)
        y = _empty(x, len(w_out))
        for x_part, y_part in cached(x, y):
            middle = _depthwise(_mix(x_part, w_in), kernel)
            torch.mm(_pixels(middle), w_out.flatten(1).T, out=_pixels(y_part))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x, w_in, kernel, w_out = ctx.saved_tensors
        grad_x, grad_kernel = _empty(x, x.shape[1]), torch.zeros_like(kernel)
        grad_in, grad_out = torch.zeros_like(w_in.flatten(1)), torch.zeros_like(w_out.flatten(1))
        for x_part, y_part, grad_x_part in cached(x, gradient, grad_x):
            hidden = _mix(x_part, w_in)
            grad_out.addmm_(_pixels(y_part).T, _pixels(_depthwise(hidden, kernel)))
            grad_middle = _mix(y_part, w_out.transpose(0, 1))
            for image, grad_image in zip(hidden.split(1), grad_middle.split(1), strict=True):
                grad_kernel += _correlate(image, grad_image, kernel.shape[-1])
            grad_hidden = _pixels(_depthwise(grad_middle, kernel.flip(2, 3)))
            grad_in.addmm_(grad_hidden.T, _pixels(x_part))
            torch.mm(grad_hidden, w_in.flatten(1), out=_pixels(grad_x_part))
        return grad_x, grad_in.view_as(w_in), grad_kernel, grad_out.view_as(w_out)


def cached(*maps: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The maps, as many images at a time as stay in cache, off the CPU all: (n, ., h, w)."""
    most = max(x[0].numel() for x in maps)
    step = max(1, CACHED // most) if maps[0].is_cpu else len(maps[0])
    return zip(*(x.split(step) for x in maps), strict=True)


def _empty(like: Tensor, channels: int) -> Tensor:
    """A map to fill, channels last in memory: (n, channels, h, w)."""
    n, _, h, w = like.shape
    return like.new_empty(n, h, w, channels).permute(0, 3, 1, 2)


def _pixels(x: Tensor) -> Tensor:
    """A row a pixel: (n, c, h, w) -> (n*h*w, c), a view where channels are last in memory."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _mix(x: Tensor, weight: Tensor) -> Tensor:
    """1x1 convolution: (n, c, h, w), (f, c, 1, 1) -> (n, f, h, w)."""
    n, _, h, w = x.shape
    return (_pixels(x) @ weight.flatten(1).T).view(n, h, w, -1).permute(0, 3, 1, 2)


def _depthwise(x: Tensor, kernel: Tensor) -> Tensor:
    """Each channel with its own kernel: (n, f, h, w), (f, 1, k, k) -> (n, f, h, w)."""
    return F.conv2d(x, kernel, padding=kernel.shape[-1] // 2, groups=len(kernel))


def _correlate(x: Tensor, gradient: Tensor, size: int) -> Tensor:
    """Gradient of a depthwise k x k kernel: (1, f, h, w), (1, f, h, w) -> (f, 1, k, k)."""
    sums = F.conv2d(x, gradient.transpose(0, 1), padding=size // 2, groups=x.shape[1])
    return sums.transpose(0, 1)
