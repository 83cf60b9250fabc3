"""Convolutional video cores: space and time factorized, recurrent, or depth-wise and separable.

All are causal: no convolution pads time, so that the last output has seen the clip's last frame
and none comes before the frames it saw. Side scalars are constant planes of their frame.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.models.cores import Core, valid_size
from src.models.layers import along_time, convolution3d, laplace_penalty, within_frames
from src.parts import FactorizedCoreConfig, SeparableVideoCoreConfig


def with_planes(images: Tensor, side: Tensor | None) -> Tensor:
    """Side scalars of each frame as planes: (n, c, t, h, w), (n, t, s) -> (n, c + s, t, h, w)."""
    if side is None:
        return images
    planes = side.transpose(1, 2)[..., None, None].expand(-1, -1, -1, *images.shape[3:])
    return torch.cat([images, planes], 1)


class FactorizedCore(Core):
    """A spatial and a temporal convolution a layer, batch norm, ELU (specification, 5.7).

    Recurrent: a convolutional GRU reads the last maps, frame after frame.
    """

    def __init__(
        self,
        config: FactorizedCoreConfig,
        image_shape: tuple[int, int, int, int],
        side: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.config, self.channels = config, config.channels[-1]
        sizes = pairwise((image_shape[0] + side, *config.channels))
        kernels = zip(sizes, config.spatial, config.temporal, strict=True)
        self.layers = nn.ModuleList()
        for i, ((a, b), space, time) in enumerate(kernels):
            stride = (1, config.stride, config.stride) if i == 0 else 1
            spatial = convolution3d(a, b, (1, space, space), generator, stride=stride, bias=False)
            temporal = convolution3d(b, b, (time, 1, 1), generator, bias=config.linear)
            after = () if config.linear else (nn.BatchNorm3d(b), nn.ELU())
            self.layers.append(nn.Sequential(spatial, temporal, *after))
        if config.recurrent:
            self.memory = ConvGRU(self.channels, config.recurrent, generator)

    def forward(
        self,
        images: Tensor,
        side: Tensor | None = None,
        _generator: torch.Generator | None = None,
    ) -> Tensor:
        x = with_planes(images, side)
        for spatial, temporal, *after in self.layers:
            x = along_time(temporal, within_frames(spatial, x))
            for module in after:
                x = module(x)
        return self.memory(x) if self.config.recurrent else x

    def penalty(self) -> Tensor:
        c, kernels = self.config, [layer[1].weight for layer in self.layers]
        rough = c.smooth_space * spatial_roughness(self.layers[0][0].weight)
        return rough + c.smooth_time * sum(k.diff(dim=2).square().sum() for k in kernels)

    def output_shape(self, *size: int) -> tuple[int, ...]:
        frames, *space = size
        for i, (s, t) in enumerate(zip(self.config.spatial, self.config.temporal, strict=True)):
            space = valid_size(tuple(space), s, self.config.stride if i == 0 else 1)
            frames = _frames(frames, t)
        return frames, *space


class ConvGRU(nn.Module):
    """A gated recurrent unit at every place, with convolutions (Ballas et al. 2016): maps -> same.

    (n, f, t, h, w); the state starts at 0, and padding keeps the size.
    """

    def __init__(self, channels: int, kernel: int, generator: torch.Generator) -> None:
        super().__init__()
        size, padding = (1, kernel, kernel), (0, kernel // 2, kernel // 2)
        self.gates = convolution3d(2 * channels, 2 * channels, size, generator, padding=padding)
        self.proposal = convolution3d(2 * channels, channels, size, generator, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        state, states = torch.zeros_like(x[:, :, :1]), []
        for frame in x.split(1, 2):
            reset, update = torch.sigmoid(self.gates(torch.cat([frame, state], 1))).chunk(2, 1)
            proposed = torch.tanh(self.proposal(torch.cat([frame, reset * state], 1)))
            state = torch.lerp(state, proposed, update)
            states.append(state)
        return torch.cat(states, 2)


class SeparableVideoCore(Core):
    """A strided stem, then blocks of depth-wise convolutions over space and time with shortcuts."""

    def __init__(
        self,
        config: SeparableVideoCoreConfig,
        image_shape: tuple[int, int, int, int],
        side: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.config, (stem, *_) = config, config.channels
        self.channels = config.channels[-1]
        kernel, stride = (1, config.stem, config.stem), (1, config.stride, config.stride)
        options = {"stride": stride, "bias": False}
        self.stem = convolution3d(image_shape[0] + side, stem, kernel, generator, **options)
        self.norm = nn.BatchNorm3d(stem)
        pairs = pairwise(config.channels)
        self.blocks = nn.ModuleList(SeparableBlock(config, a, b, generator) for a, b in pairs)

    def forward(
        self,
        images: Tensor,
        side: Tensor | None = None,
        _generator: torch.Generator | None = None,
    ) -> Tensor:
        x = self.norm(within_frames(self.stem, with_planes(images, side)))
        for block in self.blocks:
            x = block(x)
        return x

    def penalty(self) -> Tensor:
        return self.config.smooth * spatial_roughness(self.stem.weight)

    def output_shape(self, *size: int) -> tuple[int, ...]:
        c, (frames, *space) = self.config, size
        frames = _frames(frames, 1 + len(self.blocks) * (c.temporal - 1))
        return frames, *valid_size(tuple(space), c.stem, c.stride)


class SeparableBlock(nn.Module):
    """Expand, depth-wise over space, depth-wise over time, weigh channels, project, shortcut.

    (n, a, t, h, w) -> (n, b, t - k + 1, h, w). Channels are weighed frame by frame, from means over
    the map (squeeze and excitation, Hu et al. 2018), so that no later frame has a say.
    """

    def __init__(
        self,
        config: SeparableVideoCoreConfig,
        inputs: int,
        outputs: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        inner, space, time = config.expansion * inputs, config.spatial, config.temporal
        padding = {"padding": (0, space // 2, space // 2), "groups": inner, "bias": False}
        self.expand = convolution3d(inputs, inner, (1, 1, 1), generator, bias=False)
        self.space = convolution3d(inner, inner, (1, space, space), generator, **padding)
        self.time = convolution3d(inner, inner, (time, 1, 1), generator, groups=inner, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm3d(f) for f in (inner, inner, outputs))
        self.project = convolution3d(inner, outputs, (1, 1, 1), generator, bias=False)
        self.shortcut = convolution3d(inputs, outputs, (1, 1, 1), generator, bias=False)
        if config.squeeze:
            few = max(1, inner // config.squeeze)
            self.squeeze = convolution3d(inner, few, (1, 1, 1), generator)
            self.excite = convolution3d(few, inner, (1, 1, 1), generator)

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.norms[0](along_time(self.expand, x)))
        y = F.silu(self.norms[1](along_time(self.time, within_frames(self.space, y))))
        if hasattr(self, "squeeze"):
            means = y.mean((3, 4), keepdim=True)
            y = y * torch.sigmoid(self.excite(F.silu(self.squeeze(means))))
        late = x[:, :, x.shape[2] - y.shape[2] :]
        return self.norms[2](along_time(self.project, y)) + along_time(self.shortcut, late)


def spatial_roughness(weight: Tensor) -> Tensor:
    """Roughness of kernels over rows and columns: (f, c, t, k, k) -> scalar."""
    return laplace_penalty(weight.transpose(1, 2).flatten(0, 1))


def _frames(frames: int, kernel: int) -> int:
    """Frames left by a convolution over `kernel` of them."""
    if frames < kernel:
        raise ValueError(f"clips of {frames} frames are too short for kernels of {kernel}")
    return frames - kernel + 1
