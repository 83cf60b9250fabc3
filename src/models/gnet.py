"""GNet: a prefilter, and a trunk of eight layers of which units may read every depth.

Source: St-Yves et al. 2023, Nat Commun 14:3329; specification nsd_gnet, 5.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.config import GNetCoreConfig, TrunkMapsConfig
from src.models.cores import PlainCore, valid_size
from src.models.layers import dropout_mask
from src.models.networks import Layer, Network, Preprocessing
from src.models.normalization import BatchNorm
from src.models.pretrained import load_network, random_network
from src.models.registry import network_record

CHANNELS = 192  # of the prefilter's maps
SIZE = 227  # pixels a side, as published
ALEXNET = {"conv1.0": "features.0", "conv2.0": "features.3"}  # our names: those of the weights


class Prefilter(nn.Module):
    """The first two layers of AlexNet: (n, 3, h, w) -> (n, 192, h', w'); 227 pixels -> 27."""

    def __init__(self) -> None:
        super().__init__()
        conv = nn.Conv2d(3, 64, 11, stride=4, padding=2)
        self.conv1 = nn.Sequential(conv, nn.ReLU(inplace=True), nn.MaxPool2d(3, 2))
        conv = nn.Conv2d(64, CHANNELS, 5, padding=2)
        self.conv2 = nn.Sequential(conv, nn.ReLU(inplace=True))

    def forward(self, images: Tensor) -> Tensor:
        return self.conv2(self.conv1(images))


def prefilter_network(
    mean: tuple[float, float, float],
    size: int,
    seed: int,
    start: Literal["file", "random"] = "random",
    weights: str | Path | None = None,
) -> Network:
    """The prefilter as a network whose maps can be stored, for images of `size` pixels.

    `mean` of pixels in 0..1 is taken off. It starts from AlexNet's file, `weights` or its folder,
    as published, or from weights drawn from the seed, which is no published GNet.
    """
    alexnet = network_record("alexnet")
    record = replace(
        alexnet,
        name="gnet_prefilter",
        layers=tuple(Layer(name, name) for name in ("conv1", "conv2")),
        input_size=size,
        preprocessing=Preprocessing(mean, (1.0, 1.0, 1.0)),
        build=Prefilter,
        reference=(),
    )
    drawn = random_network(record, seed)
    if start == "random":
        return drawn
    found = load_network(alexnet, weights)
    state = found.module.state_dict()
    ours = {f"{a}.{p}": state[f"{b}.{p}"] for a, b in ALEXNET.items() for p in ("weight", "bias")}
    drawn.module.load_state_dict(ours)
    return Network(record, drawn.module, found.weights, found.file_sha256)


class TrunkLayer(nn.Module):
    """Batch norm, dropout of whole channels, convolution 3x3, ReLU: (n, c, h, w) -> (n, f, ...)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        padding: int,
        config: GNetCoreConfig,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.norm = BatchNorm(inputs, config.batch_norm_momentum, linear=True)
        self.conv = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, padding=padding)
        nn.init.xavier_normal_(self.conv.weight, 2**0.5, generator=generator)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        drops = self.training and self.dropout
        kept = dropout_mask(x[:, :, :1, :1], self.dropout, generator) if drops else None
        if x.is_cpu and not x.requires_grad and self.conv.padding == (0, 0):
            return F.relu_(self._of_given(x, kept))
        return F.relu_(self.conv(self.norm(x, kept)))

    def _of_given(self, x: Tensor, kept: Tensor | None) -> Tensor:
        """The same before the ReLU, for maps that get no gradient: (n, c, h, w) -> (n, f, ...).

        Scale and offset of the norm move into the weights. Then nothing but the gradient of the
        weights is due, and neither that of the maps nor a pass back through the norm.
        """
        z, weight = self.norm.standardized(x, kept), self.conv.weight
        moved = weight.sum((2, 3)) * self.norm.bias  # (f, c)
        offset = moved.sum(1) if kept is None else kept[:, :, 0, 0] @ moved.T  # (f,) or (n, f)
        found = F.conv2d(z, weight * self.norm.weight[:, None, None], self.conv.bias)
        return found.add_(offset[..., None, None])


class GNetCore(PlainCore):
    """Pixels 0..255, or stored maps of the prefilter, to two maps: fine and coarse.

    Fine: all channels of layer 1, the first half of layers 2 and 3; coarse: the first half of
    layers 4 to 6 and all of layer 7, which has half as many. What is not read feeds the next layer.
    """

    def __init__(
        self, config: GNetCoreConfig, image_shape: tuple[int, int, int], generator: torch.Generator
    ) -> None:
        super().__init__()
        wanted = CHANNELS if config.prefilter == "stored" else 3
        if image_shape[0] != wanted:
            raise ValueError(
                f"images are {tuple(image_shape)}, {wanted} channels are needed by "
                f"prefilter={config.prefilter!r}"
            )
        self.config, width = config, config.width
        self.channels = 4 * width
        if config.prefilter != "stored":
            self.register_buffer("mean", torch.tensor(config.mean)[:, None, None])
            self.prefilter = Prefilter()
            _draw(self.prefilter, generator)
            self.prefilter.requires_grad_(config.prefilter == "trained")
        inputs = (CHANNELS, *[width] * 6)
        outputs = (*[width] * 6, width // 2)
        layer = partial(TrunkLayer, config=config, generator=generator)
        self.layers = nn.ModuleList(
            layer(a, b, int(i > 0)) for i, (a, b) in enumerate(zip(inputs, outputs, strict=True))
        )
        self.to(memory_format=torch.channels_last)

    def start_from(self, network: Network) -> None:
        """Take the weights of `prefilter_network`; nothing where its maps are stored."""
        if self.config.prefilter != "stored":
            self.prefilter.load_state_dict(network.module.state_dict())

    def forward(
        self,
        images: Tensor,
        side: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        self.refuse(side)
        x = self._prefiltered(images.contiguous(memory_format=torch.channels_last))
        half, seen = self.config.width // 2, []
        for i, layer in enumerate(self.layers):
            if i == 3:
                x = F.max_pool2d(x, 3, 2, 1)
            x = layer(x, generator)
            seen.append(x if i in (0, 6) else x[:, :half])
        return torch.cat(seen[:3], 1), torch.cat(seen[3:], 1)

    def _prefiltered(self, images: Tensor) -> Tensor:
        if self.config.prefilter == "stored":
            return images
        return self.prefilter(images / 255 - self.mean)

    def output_shape(self, height: int, width: int) -> tuple[int, int]:
        """Size of the fine map."""
        size = (height, width)
        if self.config.prefilter != "stored":
            size = valid_size(valid_size((height + 4, width + 4), 11, 4), 3, 2)
        return valid_size(size, 3)

    def map_shapes(self, height: int, width: int) -> tuple[tuple[int, int, int], ...]:
        fine = self.output_shape(height, width)
        coarse = valid_size((fine[0] + 2, fine[1] + 2), 3, 2)
        return tuple((2 * self.config.width, *size) for size in (fine, coarse))


class TrunkMaps(PlainCore):
    """Maps of a trunk as they were found, side by side as one image: no weights, no work."""

    def __init__(self, config: TrunkMapsConfig) -> None:
        super().__init__()
        self.shapes = tuple(map(tuple, config.shapes))
        self.channels = sum(c for c, _, _ in self.shapes)

    @staticmethod
    def side_by_side(maps: Sequence[Tensor]) -> Tensor:
        """Maps of equally many channels as one image of one row: m (n, c, h, w) -> (n, c, 1, s)."""
        return torch.cat([x.flatten(2) for x in maps], 2)[:, :, None]

    def forward(
        self, images: Tensor, side: Tensor | None = None, _generator: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """And back: (n, c, 1, s) -> m (n, c, h, w)."""
        self.refuse(side)
        places = [h * w for _, h, w in self.shapes]
        parts = zip(images[:, :, 0].split(places, 2), self.shapes, strict=True)
        return tuple(x.unflatten(2, size) for x, (_, *size) in parts)

    def output_shape(self, _height: int, _width: int) -> tuple[int, int]:
        """Size of the first map."""
        return self.shapes[0][1:]

    def map_shapes(self, _height: int, _width: int) -> tuple[tuple[int, int, int], ...]:
        return self.shapes


def layer_channels(width: int) -> dict[str, slice]:
    """Which of the 4 * width channels that units read are of which layer of the trunk."""
    half = width // 2
    ends = [width, *(width + half * k for k in range(1, 7))]
    starts = [0, *ends[:-1]]
    return {f"L{i + 1}": slice(a, b) for i, (a, b) in enumerate(zip(starts, ends, strict=True))}


def _draw(module: nn.Module, generator: torch.Generator) -> None:
    """PyTorch's initialization of convolutions, U(-b, b) with b = inputs^-0.5, from a generator."""
    for conv in (m for m in module.modules() if isinstance(m, nn.Conv2d)):
        limit = conv.weight[0].numel() ** -0.5
        for parameter in conv.parameters():
            nn.init.uniform_(parameter, -limit, limit, generator=generator)
