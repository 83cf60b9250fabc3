"""A network that squeezes images through a few numbers and draws them again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.config import ConvCoreConfig, DenseReadoutConfig
from src.models.activations import evaluating, prepare, restored
from src.models.cores import ConvCore
from src.models.dense_readout import DenseReadout
from src.models.networks import Network
from src.models.normalization import BatchNorm

CODE = 168  # the number of IT sites of the course's file
DENSE = DenseReadoutConfig()


class AutoEncoder(nn.Module):
    """Images to a code of 168 numbers and back to images: (n, c, h, w) -> (n, c, h, w).

    Source: macaque_it specification, section 5; the encoder is IT_CNN. The last layer is linear,
    since standardized pixels are of either sign (defect D10: a sigmoid was published).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        channels: Sequence[int] = (32, 64, 128),
        code: int = CODE,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        config = ConvCoreConfig(tuple(channels))
        self.core = ConvCore(config, image_shape[0], generator)
        map_shape = (channels[-1], *self.core.output_shape(*image_shape[1:]))
        self.code = DenseReadout(DENSE, map_shape, code, generator)
        self.decoder = Decoder(config, image_shape, map_shape, code, generator)

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.code(self.core(images)))


class Decoder(nn.Module):
    """A code to images, by the steps of the encoder in reverse: (n, code) -> (n, c, h, w).

    Two dense layers, then for each block copies of pixels up to the map its pooling received, and
    the full 3x3 convolution up to the map its convolution received.
    """

    def __init__(
        self,
        config: ConvCoreConfig,
        image_shape: tuple[int, int, int],
        map_shape: tuple[int, int, int],
        code: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.map_shape = map_shape
        values = map_shape[0] * map_shape[1] * map_shape[2]
        self.dense = DenseReadout(DENSE, (code, 1, 1), values, generator)
        outputs = (image_shape[0], *config.channels[:-1])
        pairs = list(zip(config.channels, outputs, strict=True))[::-1]
        self.convolutions = nn.ModuleList(_full(config, a, b, generator) for a, b in pairs)
        with torch.no_grad():  # it starts near gray: no ReLU follows, and much louder is worse
            self.convolutions[-1].weight.mul_(0.1)
        self.norms = nn.ModuleList(
            BatchNorm(b, config.batch_norm_momentum, linear=True) for _, b in pairs[:-1]
        )
        self.sizes = _received(config, image_shape[1:])[::-1]
        self.to(memory_format=torch.channels_last)

    def forward(self, code: Tensor) -> Tensor:
        x = self.dense(code[:, :, None, None]).relu().view(-1, *self.map_shape)
        x = x.contiguous(memory_format=torch.channels_last)
        for i, (size, convolution) in enumerate(zip(self.sizes, self.convolutions, strict=True)):
            x = convolution(F.interpolate(x, size, mode="nearest-exact"))
            if i < len(self.norms):
                x = self.norms[i](x).relu()
        return x


def _full(
    config: ConvCoreConfig, inputs: int, outputs: int, generator: torch.Generator
) -> nn.Conv2d:
    """A convolution whose map is as much larger as the encoder's was smaller; He et al. 2015."""
    padding = config.kernel - 1 - config.padding
    conv = nn.utils.skip_init(nn.Conv2d, inputs, outputs, config.kernel, padding=padding)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(conv.bias)
    return conv


def _received(config: ConvCoreConfig, size: tuple[int, int]) -> list[tuple[int, int]]:
    """(h, w) of the map that the pooling of each block of an encoder receives."""
    less, found = 2 * config.padding - config.kernel + 1, []
    for _ in config.channels:
        found.append((size[0] + less, size[1] + less))
        size = found[-1][0] // config.pool, found[-1][1] // config.pool
    return found


def redrawn(network: Network, images: np.ndarray) -> np.ndarray:
    """Images as an auto-encoder draws them: (n, [c,] h, h) uint8 -> (n, 3, s, s) uint8."""
    device = next(network.module.parameters()).device
    with evaluating(network.module), torch.inference_mode():
        drawn = network.module(prepare(images, network.record).to(device))
    return restored(drawn.cpu(), network.record)
