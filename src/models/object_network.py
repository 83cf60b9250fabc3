"""A small convolutional network that names objects, quick to train on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from src.data.errors import DataError
from src.models.layers import linear


class ObjectNetwork(nn.Module):
    """Images of any size to one number an object class: (n, c, h, w) -> (n, classes).

    Each part `block1` to `blockN` is twice a 3x3 convolution, batch norm and ReLU, then the largest
    of every 2x2 pixels (Simonyan & Zisserman 2014; Ioffe & Szegedy 2015). `pool` is the mean over
    what pixels are left, `classifier` is linear.
    """

    def __init__(
        self,
        classes: int,
        channels: Sequence[int] = (16, 32, 64, 128),
        image_channels: int = 3,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.blocks, inputs = tuple(f"block{i + 1}" for i in range(len(channels))), image_channels
        for name, outputs in zip(self.blocks, channels, strict=True):
            self.add_module(name, _block(inputs, outputs, generator))
            inputs = outputs
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = linear(inputs, classes, generator)
        self.image_channels = image_channels
        self.to(memory_format=torch.channels_last)  # CPUs train faster in this layout

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] != self.image_channels:
            raise DataError(
                f"images are {tuple(images.shape)} but this network wants "
                f"(n, {self.image_channels}, h, w): prepare them, or build it for their channels"
            )
        x = images.contiguous(memory_format=torch.channels_last)
        for name in self.blocks:
            x = self.get_submodule(name)(x)
        return self.classifier(self.pool(x))


def _block(inputs: int, outputs: int, generator: torch.Generator) -> nn.Sequential:
    """(n, inputs, h, w) -> (n, outputs, h / 2, w / 2), rounded up, so that no image is small."""
    return nn.Sequential(
        *_layer(inputs, outputs, generator),
        *_layer(outputs, outputs, generator),
        nn.MaxPool2d(2, ceil_mode=True),
    )


def _layer(inputs: int, outputs: int, generator: torch.Generator) -> tuple[nn.Module, ...]:
    """A convolution N(0, 2 / fan_in) (He et al. 2015, eq. 10), batch norm and ReLU."""
    conv = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
    return conv, nn.BatchNorm2d(outputs), nn.ReLU()
