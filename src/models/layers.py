"""Small pieces the models share: seeded linear layers, first convolution, norm and nonlinearity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from src.models.normalization import BatchNorm
from src.models.sharing import drawn

INIT = 0.02  # standard deviation of a transformer's initial weights
NO_GENERATOR = "dropout needs a generator in training: stream(seed, ...)"


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with PyTorch's initialization, U(-b, b) with b = inputs^-0.5, seeded."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5, generator=generator)
    return layer


def truncated(*shape: int, generator: torch.Generator) -> nn.Parameter:
    """Weights of a transformer: truncated normal, of std 0.02: -> `shape`."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=INIT, generator=generator))


def dense(inputs: int, outputs: int, generator: torch.Generator, bias: bool = True) -> nn.Linear:
    """A linear layer of a transformer's block: truncated normal weights, biases 0."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias)
    layer.weight = truncated(outputs, inputs, generator=generator)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def convolution3d(
    inputs: int, outputs: int, kernel: Sequence[int], generator: torch.Generator, **options: Any
) -> nn.Conv3d:
    """A convolution over frames, rows and columns, with PyTorch's initialization, seeded."""
    layer = nn.utils.skip_init(nn.Conv3d, inputs, outputs, tuple(kernel), **options)
    limit = layer.weight[0].numel() ** -0.5
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -limit, limit, generator=generator)
    return layer


def within_frames(layer: nn.Conv3d, x: Tensor) -> Tensor:
    """A convolution of kernel (1, k, k) as one of images: (n, c, t, h, w) -> (n, f, t, h', w').

    On CPU up to twice as fast as PyTorch's of volumes, and `along_time` four times.
    """
    images, weight = x.transpose(1, 2).flatten(0, 1), layer.weight[:, :, 0]
    size = {"stride": layer.stride[1:], "padding": layer.padding[1:], "groups": layer.groups}
    y = F.conv2d(images, weight, layer.bias, **size)
    return y.unflatten(0, (len(x), -1)).transpose(1, 2)


def along_time(layer: nn.Conv3d, x: Tensor) -> Tensor:
    """One of kernel (k, 1, 1), without padding, as rows: (n, c, t, h, w) -> (n, f, t', h, w)."""
    y = F.conv2d(x.flatten(3), layer.weight[..., 0], layer.bias, groups=layer.groups)
    return y.unflatten(3, x.shape[3:])


def exactly(network: nn.Module, x: Tensor) -> Tensor:
    """Output of a small float32 network, computed in float64 where the device has it.

    For positions: at a steep place of a map, the last bit of a position is the largest error of a
    prediction.
    """
    if x.device.type == "mps":
        return network(x)
    weights = {name: weight.double() for name, weight in network.named_parameters()}
    return functional_call(network, weights, (x.double(),))


def dropout(x: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """x with a random share of its values 0, the others scaled to keep the mean: (...) -> (...).

    F.dropout draws from PyTorch's global generator, this from `generator`.
    """
    return x * dropout_mask(x, share, generator) if share else x


def dropout_mask(like: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """What dropout multiplies a tensor with, 0 or 1 / (1 - share): (...) -> (...).

    16 random bits decide on a value, and the share is rounded to them: five times faster on CPU
    than a draw for each.
    """
    if generator is None:
        raise ValueError(NO_GENERATOR)
    mask = partial(_mask, shape=like.shape[1:], share=share, generator=generator)
    return drawn(len(like), mask).to(like.dtype).mul_(2**16 / (2**16 - round(share * 2**16)))


def _mask(n: int, shape: Sequence[int], share: float, generator: torch.Generator) -> Tensor:
    """Which of n rows of values dropout keeps: -> (n, *shape) bool."""
    count = n * prod(shape)
    bits = torch.empty(-(-count // 4), dtype=torch.int64, device=generator.device)
    values = bits.random_(-(2**63), None, generator=generator).view(torch.int16)
    return values[:count].view(n, *shape) >= round(share * 2**16) - 2**15


def laplace_penalty(weight: Tensor) -> Tensor:
    """Roughness of convolution kernels: (f, c, k, k) -> scalar, sum (L * W)^2 / sum W^2 (spec 5.1).

    L, the Laplacian of four neighbors, applies to every (f, c) slice with zero padding.
    """
    w = F.pad(weight, (1, 1, 1, 1))
    horizontal = w[..., 1:-1, :-2] + w[..., 1:-1, 2:]
    vertical = w[..., :-2, 1:-1] + w[..., 2:, 1:-1]
    return (4 * weight - horizontal - vertical).square().sum() / weight.square().sum()


class FirstConvolution(nn.Module):
    """Convolution of an image and of per-image scalars: (n, c, h, w), (n, s) -> (n, f, h', w').

    The published models append planes to the image: itself minus its spatial mean (`centered`),
    then one constant plane a scalar. Without padding the planes are exactly one channel and a bias
    (spec 5.4): conv(image; W_0 + W_1) - mean * sum(W_1) + sum_k v_k * sum(W_{2+k}). `form` chooses
    between the two sums; the parameter is the same.
    """

    def __init__(
        self,
        image_channels: int,
        side: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        centered: bool = False,
        form: Literal["folded", "plane"] = "folded",
    ) -> None:
        super().__init__()
        self.image_channels, self.side, self.stride = image_channels, side, stride
        self.centered, self.form = centered, form
        planes = image_channels * (1 + centered) + side
        self.weight = nn.Parameter(torch.empty(out_channels, planes, kernel, kernel))

    def forward(self, images: Tensor, side: Tensor | None = None) -> Tensor:
        expected = (len(images), self.side)
        if expected != (found := (len(images), 0) if side is None else tuple(side.shape)):
            raise ValueError(f"side scalars are {found}, the core was built for {expected}")
        return (self._folded if self.form == "folded" else self._plane)(images, side)

    def _plane(self, images: Tensor, side: Tensor | None) -> Tensor:
        planes = [images]
        if self.centered:
            planes.append(images - images.mean((2, 3), keepdim=True))
        if side is not None:
            planes.append(side[:, :, None, None].expand(-1, -1, *images.shape[2:]))
        return F.conv2d(_channels_last(torch.cat(planes, 1)), self.weight, stride=self.stride)

    def _folded(self, images: Tensor, side: Tensor | None) -> Tensor:
        c = self.image_channels
        weight, scalars = self.weight[:, :c], [] if side is None else [side]
        if self.centered:
            weight = weight + self.weight[:, c : 2 * c]
            scalars.insert(0, -images.mean((2, 3)))
        y = F.conv2d(_channels_last(images), _channels_last(weight), stride=self.stride)
        if scalars:
            bias = torch.cat(scalars, 1) @ self.weight[:, c:].sum((2, 3)).T  # (n, f)
            y = y + bias[:, :, None, None]
        return y


class Layer(nn.Module):
    """Convolution, batch norm and ELU (none in a linear core): (n, c, h, w) -> (n, f, h', w')."""

    def __init__(self, conv: nn.Module, channels: int, momentum: float, linear: bool) -> None:
        super().__init__()
        self.conv = conv
        self.norm = BatchNorm(channels, momentum, linear)

    def forward(self, *inputs: Tensor | None) -> Tensor:
        return self.norm(self.conv(*inputs))


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
