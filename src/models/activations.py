"""From images to the activations of any network's layers, in one forward pass.

Images are normalized here and nowhere else: what is no longer uint8 is refused (defect D5).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.data.errors import DataError
from src.models.networks import Layer, Network, NetworkRecord

Kept = TypeVar("Kept")


class _Complete(Exception):
    """All layers asked for are reached: the rest of the forward pass is not needed."""


def prepare(images: np.ndarray | Tensor, record: NetworkRecord) -> Tensor:
    """Images as the network wants them: (n, [c,] h, h) uint8 -> (n, 3, s, s) float32.

    Gray is copied to three channels; other sizes are resized (bilinear, antialiased). DataError for
    images that are not uint8, since they may be normalized already, and not square.
    """
    x = torch.from_numpy(np.array(images)) if isinstance(images, np.ndarray) else images
    if x.dtype != torch.uint8:
        raise DataError(
            f"images are {x.dtype} {tuple(x.shape)}, not uint8: they are normalized here and must "
            "not be before; undo it (x * std + mean, times 255, rounded)"
        )
    x = x[:, None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[1] not in (1, 3) or x.shape[2] != x.shape[3]:
        raise DataError(
            f"images are {tuple(x.shape)}, not (n, h, h), (n, 1, h, h) or (n, 3, h, h): crop them "
            "to squares, with the channels before the pixels"
        )
    return normalized(x.float(), record)


def normalized(x: Tensor, record: NetworkRecord) -> Tensor:
    """Pixel values of 0 to 255 as the network wants them: (n, c, h, w) -> (n, 3, s, s) float32."""
    how = record.preprocessing
    if x.shape[-1] != record.input_size:
        x = F.interpolate(x, (record.input_size,) * 2, mode="bilinear", antialias=True)
    x = x.flip(1) if how.order == "BGR" else x
    mean, std = (x.new_tensor(v)[:, None, None] for v in (how.mean, how.std))
    return (x.expand(-1, 3, -1, -1) * (how.white / 255) - mean) / std


def restored(x: Tensor, record: NetworkRecord) -> np.ndarray:
    """Images to look at, from what a network takes: (n, 3, s, s) float32 -> uint8, clipped."""
    how = record.preprocessing
    mean, std = (x.new_tensor(v)[:, None, None] for v in (how.mean, how.std))
    pixels = ((x * std + mean) * (255 / how.white)).round().clamp(0, 255).to(torch.uint8)
    return (pixels.flip(1) if how.order == "BGR" else pixels).numpy()


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; every part gets back the mode it had (defect D19)."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def activations(
    network: Network,
    inputs: Tensor,
    layers: Iterable[Layer],
    keep: Callable[[Layer, Tensor], Kept] = lambda _, x: x.clone(),  # type: ignore[assignment]
) -> dict[str, Kept]:
    """Layers by name from one forward pass in evaluation mode, which ends at the last of them.

    `inputs` are prepared, (n, 3, s, s). `keep` sees each layer's output (n, c, h, w) at once and
    must copy what it keeps: a module after it may change it in place.
    """
    layers, found, calls = tuple(layers), {}, Counter()
    at = defaultdict(list)
    for layer in layers:
        at[layer.node].append(layer)

    def hook(node: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        for layer in at[node]:
            if layer.call == calls[node]:
                found[layer.name] = keep(layer, channels_first(layer, output))
        calls[node] += 1
        if len(found) == len(layers):
            raise _Complete

    modules = {node: _part(network, node) for node in at}
    handles = [m.register_forward_hook(partial(hook, node)) for node, m in modules.items()]
    try:
        with evaluating(network.module), torch.inference_mode(), suppress(_Complete):
            network.module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    for layer in (layer for layer in layers if layer.name not in found):
        raise DataError(
            f"network '{network.record.name}': layer '{layer.name}' is call {layer.call} (from 0) "
            f"of '{layer.node}', which a forward pass calls {calls[layer.node]} times"
        )
    return {layer.name: found[layer.name] for layer in layers}


def calls(network: Network, inputs: Tensor, node: str) -> int:
    """How often a forward pass calls a module: its time steps, in a recurrent network."""
    seen: list[None] = []
    handle = _part(network, node).register_forward_hook(lambda *_: seen.append(None))
    try:
        with evaluating(network.module), torch.inference_mode():
            network.module(inputs)
    finally:
        handle.remove()
    return len(seen)


def _part(network: Network, node: str) -> nn.Module:
    try:
        return network.module.get_submodule(node)
    except AttributeError:
        parts = ", ".join(name for name, _ in network.module.named_children())
        raise DataError(
            f"network '{network.record.name}' has no module '{node}': its parts are {parts}"
        ) from None


def channels_first(layer: Layer, output: Any) -> Tensor:
    """The first tensor of an output (recurrent parts also return their state)."""
    x = output[0] if isinstance(output, tuple | list) else output
    return x.movedim(-1, 1) if layer.channels_last and x.ndim == 4 else x
