"""What the areas of a network make of images: what simulated sites read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np
import torch

from src.models.activations import activations, evaluating, prepare
from src.models.extraction import Reduction
from src.models.networks import Network

BATCH = 64


def areas_of(
    network: Network, names: Iterable[str] = ()
) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
    """A function of images, (n, [c,] h, w) uint8 -> (n, f) float32 a layer, held in memory.

    `names` of layers, all that depend on the image without; `simulate_ventral` asks it what V4
    and IT sites read.
    """
    return partial(_features, network, tuple(names) or network.record.informative)


def last_steps(network: Network) -> tuple[str, ...]:
    """The layers of a network, of those that are steps of one part the last."""
    return tuple({layer.node: layer.name for layer in network.record.layers}.values())


def _features(
    network: Network, names: tuple[str, ...], images: np.ndarray
) -> dict[str, np.ndarray]:
    layers = [network.layer(name) for name in names]
    parts = [
        activations(network, prepare(images[i : i + BATCH], network.record), layers)
        for i in range(0, len(images), BATCH)
    ]
    return {
        layer.name: np.concatenate([p[layer.name].flatten(1).numpy() for p in parts])
        for layer in layers
    }


def states_of(network: Network, images: np.ndarray, pool: int = 4) -> dict[str, np.ndarray]:
    """States of a CORnet's areas at all steps, in memory: (n, h, w) -> (t, n, f) float32 each.

    Maps are averaged to at most pool x pool cells.
    """
    found = defaultdict(list)
    with evaluating(network.module), torch.inference_mode():
        for first in range(0, len(images), BATCH):
            x = prepare(images[first : first + BATCH], network.record)
            for area, state in network.module.states(x).items():
                maps = [Reduction(pool).pooled(step).flatten(1) for step in state]
                found[area].append(torch.stack(maps))
    return {area: torch.cat(parts, 1).numpy() for area, parts in found.items()}
