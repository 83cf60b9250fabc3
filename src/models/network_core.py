"""A core made of a network that was trained for something else, to be trained on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.config import NetworkCoreConfig
from src.data.errors import DataError
from src.models.activations import channels_first, evaluating, normalized
from src.models.cores import PlainCore
from src.models.frozen import frozen_network
from src.models.networks import Layer, Network, last_linear
from src.models.sharing import own_stream
from src.studies.records import FrozenNetwork


class _Reached(Exception):
    """The last layer that is used has its output: the rest of the network is not needed."""


class NetworkCore(PlainCore):
    """Pixels of 0 to 255 to the maps of a layer, or to what the classifier gets, (n, f, 1, 1).

    Parts of the network that are never reached are left out. It is made with random weights;
    `start_from` gives it those of a network. Batch norm learns its statistics in training.
    """

    def __init__(
        self, config: NetworkCoreConfig, image_shape: tuple[int, int, int], seed: int
    ) -> None:
        super().__init__()
        made = {"size": config.size, "channels": config.channels}
        plan = FrozenNetwork(config.source, config.network, config.weights, "random", **made)
        network = frozen_network(plan, image_shape[-1], seed)
        self.config, self.record = config, network.record
        self.layer = network.layer(config.layer) if config.layer else None
        self.network = _without_classifier(network) if self.layer is None else network.module
        self._shape = self._prune(torch.zeros(1, *image_shape))
        self.channels = self._shape[0]
        self.train()

    def start_from(self, network: Network) -> None:
        """Take the weights of a network of the same architecture."""
        theirs, ours = network.module.state_dict(), self.network.state_dict()
        for name, value in ours.items():
            if name not in theirs or theirs[name].shape != value.shape:
                found = tuple(theirs[name].shape) if name in theirs else "not there"
                raise DataError(
                    f"network '{network.record.name}': {name} is {found}, the core "
                    f"'{self.config.source}' has {tuple(value.shape)}: start from the same network"
                )
        self.network.load_state_dict({name: theirs[name] for name in ours})

    def forward(
        self,
        images: Tensor,
        side: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        self.refuse(side)
        with _drawing_from(own_stream(generator) if self.training and generator else None):
            x = self._layer(normalized(images, self.record))
        x = x[:, :, None, None] if x.ndim == 2 else x
        cells = self.config.pool
        if cells and max(x.shape[2:]) > cells:
            x = F.adaptive_avg_pool2d(x, tuple(min(cells, s) for s in x.shape[2:]))
        return x

    def _layer(self, x: Tensor) -> Tensor:
        """Output of the layer for images as the network wants them."""
        if self.layer is None:
            return self.network(x)
        with _output_of(self.network, self.layer) as found, suppress(_Reached):
            self.network(x)
        return found[0]

    def _prune(self, images: Tensor) -> tuple[int, int, int]:
        """Leave out what these images do not reach; the shape of one image's output."""
        used: set[nn.Module] = set()
        handles = [
            m.register_forward_pre_hook(lambda module, _: used.add(module))
            for m in self.network.modules()
        ]
        with evaluating(self.network), torch.no_grad():
            shape = tuple(self.forward(images).shape[1:])
        for handle in handles:
            handle.remove()
        for parent in list(self.network.modules()):
            whole = isinstance(parent, nn.MultiheadAttention)  # reads weights of uncalled parts
            for name, part in list(parent.named_children()):
                if not (whole or used.intersection(part.modules())):
                    setattr(parent, name, nn.Identity())
        return shape

    def output_shape(self, height: int, width: int) -> tuple[int, int]:
        if height != width:
            raise ValueError(f"images are {(height, width)}, a network's core wants squares")
        return self._shape[1:]  # whatever their size, images are resized


def _without_classifier(network: Network) -> nn.Module:
    """The module with its last linear layer passing its input on."""
    if not (name := last_linear(network.module)):
        raise DataError(
            f"network '{network.record.name}' has no linear layer to leave out: name the last "
            "layer to use"
        )
    network.module.set_submodule(name, nn.Identity())
    return network.module


@contextmanager
def _drawing_from(generator: torch.Generator | None) -> Iterator[None]:
    """PyTorch's own dropout draws from `generator` in the block, and the global one stays."""
    if generator is None:
        yield
        return
    cuda = generator.device.type == "cuda"
    default = torch.cuda.default_generators[generator.device.index or 0] if cuda else None
    default = default or torch.default_generator
    with torch.random.fork_rng([generator.device] if cuda else []):
        default.set_state(generator.get_state())
        yield
        generator.set_state(default.get_state())


@contextmanager
def _output_of(module: nn.Module, layer: Layer) -> Iterator[list[Tensor]]:
    """Inside the block, a forward pass leaves the layer's output in the list and ends there."""
    found: list[Tensor] = []
    calls = [0]

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if calls[0] == layer.call:
            found.append(channels_first(layer, output))
            raise _Reached
        calls[0] += 1

    handle = module.get_submodule(layer.node).register_forward_hook(hook)
    try:
        yield found
    finally:
        handle.remove()
