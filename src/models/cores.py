"""Cores: image and side information in, a feature map shared by all sessions out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.config import BaselineCoreConfig, ConvCoreConfig, WideCoreConfig
from src.models.layers import FirstConvolution, Layer, laplace_penalty
from src.models.normalization import BatchNorm
from src.models.separable import Separable


class Core(nn.Module, ABC):
    """Interface of all cores; `channels` is the number f of features."""

    channels: int

    @abstractmethod
    def forward(
        self,
        images: Tensor,
        side: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor | tuple[Tensor, ...]:
        """Features: (n, c, h, w), (n, s) -> (n, f, h', w'); dropout draws from `generator`.

        Several maps of different sizes where `map_shapes` says so.
        """

    @abstractmethod
    def penalty(self) -> Tensor:
        """Regularization of the weights: scalar, already multiplied by its weight."""

    @abstractmethod
    def output_shape(self, height: int, width: int) -> tuple[int, int]:
        """(h', w') for images of (h, w). ValueError where the images are too small."""

    def map_shapes(self, height: int, width: int) -> tuple[tuple[int, int, int], ...]:
        """(f, h', w') of each map that readouts get for images of (h, w)."""
        return ((self.channels, *self.output_shape(height, width)),)


class StackedCore(Core, ABC):
    """Layers in a row, the first of which takes the side scalars and alone is penalized."""

    def __init__(
        self,
        convolutions: Sequence[nn.Module],
        channels: Sequence[int],
        config: BaselineCoreConfig | WideCoreConfig,
        generator: torch.Generator,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.config, self.channels = config, channels[-1]
        self.layers = nn.ModuleList(
            Layer(conv, f, config.batch_norm_momentum, linear)
            for conv, f in zip(convolutions, channels, strict=True)
        )
        for weight in (p for p in self.parameters() if p.dim() == 4):
            nn.init.xavier_normal_(weight, generator=generator)
        self.to(memory_format=torch.channels_last)  # CPUs train several times faster in this layout

    def forward(
        self,
        images: Tensor,
        side: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        first, *rest = self.layers
        x = first(images, side)
        if self.config.pool > 1:
            x = F.avg_pool2d(x, self.config.pool)
        for layer in rest:
            x = layer(x)
        return x

    def penalty(self) -> Tensor:
        return self.config.laplace * laplace_penalty(self.layers[0].conv.weight)


class BaselineCore(StackedCore):
    """Core of the SENSORIUM 2022 baseline (spec 5.1): CNN, or LN with `linear`.

    conv 9x9 without padding, then separable 7x7 layers. The published constant planes of behavior
    are computed as the additive bias they amount to.
    """

    def __init__(
        self,
        config: BaselineCoreConfig,
        image_channels: int,
        side: int,
        centered: bool,
        generator: torch.Generator,
    ) -> None:
        f, more = config.channels, config.layers - 1
        k, stride = config.input_kernel, config.input_stride
        first = FirstConvolution(image_channels, side, f, k, stride, centered)
        rest = (Separable(f, f, config.hidden_kernel) for _ in range(more))
        super().__init__((first, *rest), [f] * config.layers, config, generator, config.linear)

    def output_shape(self, height: int, width: int) -> tuple[int, int]:
        c = self.config
        return valid_size(
            valid_size((height, width), c.input_kernel, c.input_stride), c.pool, c.pool
        )


class WideCore(StackedCore):
    """Core of the SENSORIUM 2022 winner (spec 5.4): 4x4 stride-4 stem, conv 9x9, separables.

    `form` "plane" convolves the appended planes, "folded" (default) their exact one-channel sum.
    Side scalars of any number take the places of x, y, w, h.
    """

    def __init__(
        self,
        config: WideCoreConfig,
        image_channels: int,
        side: int,
        centered: bool,
        generator: torch.Generator,
    ) -> None:
        k, stride, (stem, first, *_) = config.stem_kernel, config.stem_stride, config.channels
        convolutions = (
            FirstConvolution(image_channels, side, stem, k, stride, centered, config.form),
            nn.Conv2d(stem, first, config.input_kernel, bias=False),
            *(Separable(a, b, config.hidden_kernel) for a, b in pairwise(config.channels[1:])),
        )
        super().__init__(convolutions, config.channels, config, generator)

    def output_shape(self, height: int, width: int) -> tuple[int, int]:
        c = self.config
        pooled = valid_size(
            valid_size((height, width), c.stem_kernel, c.stem_stride), c.pool, c.pool
        )
        return valid_size(pooled, c.input_kernel)


class PlainCore(Core):
    """A core that sees images and nothing beside them; its weights are not penalized."""

    def penalty(self) -> Tensor:
        return torch.zeros(())

    def refuse(self, side: Tensor | None) -> None:
        """ValueError where there are side scalars: (n, s) or None."""
        if side is not None:
            raise ValueError(f"side scalars are {tuple(side.shape)}, a plain core takes none")


class ConvCore(PlainCore):
    """Plain blocks of convolution, batch norm, ReLU and max pooling, as in IT_CNN.

    Source: macaque_it specification, section 5. The ReLU follows the pooling, which changes no
    value and costs a quarter. It takes no side scalars.
    """

    def __init__(
        self, config: ConvCoreConfig, image_channels: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config, self.channels = config, (image_channels, *config.channels)[-1]
        pairs = pairwise((image_channels, *config.channels))
        self.blocks = nn.Sequential(*(_block(config, a, b, generator) for a, b in pairs))
        self.to(memory_format=torch.channels_last)

    def forward(
        self,
        images: Tensor,
        side: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        self.refuse(side)
        return self.blocks(images.contiguous(memory_format=torch.channels_last))

    def output_shape(self, height: int, width: int) -> tuple[int, int]:
        c, size = self.config, (height, width)
        for _ in c.channels:
            size = valid_size((size[0] + 2 * c.padding, size[1] + 2 * c.padding), c.kernel)
            size = valid_size(size, c.pool, c.pool)
        return size


def _block(
    config: ConvCoreConfig, inputs: int, outputs: int, generator: torch.Generator
) -> nn.Sequential:
    """One block with weights of He et al. 2015 (normal, fan-in) and PyTorch's biases."""
    conv = nn.utils.skip_init(nn.Conv2d, inputs, outputs, config.kernel, padding=config.padding)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
    limit = (inputs * config.kernel**2) ** -0.5
    nn.init.uniform_(conv.bias, -limit, limit, generator=generator)
    norm = [BatchNorm(outputs, config.batch_norm_momentum, linear=True)] * config.batch_norm
    return nn.Sequential(conv, *norm, nn.MaxPool2d(config.pool), nn.ReLU(inplace=True))


def valid_size(shape: tuple[int, int], kernel: int, stride: int = 1) -> tuple[int, int]:
    """Output size of a convolution or pooling without padding."""
    if min(shape) < kernel:
        raise ValueError(
            f"images are too small for this core: its {kernel}x{kernel} window gets {shape}"
        )
    return (shape[0] - kernel) // stride + 1, (shape[1] - kernel) // stride + 1
