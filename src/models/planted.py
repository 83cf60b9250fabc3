"""What the areas of a network make of pictures: what simulated sites read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch

from src.models.activations import activations, evaluating, prepare
from src.models.networks import Network

BATCH = 64


def areas_of(network: Network) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
    """A function of pictures, (n, h, w) uint8 -> (n, f) float32 for each layer, held in memory.

    `simulate_ventral` asks it what V4 and IT sites read.
    """
    return partial(_features, network)


def _features(network: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    layers = [network.layer(name) for name in network.record.informative]
    parts = [
        activations(network, prepare(images[i : i + BATCH], network.record), layers)
        for i in range(0, len(images), BATCH)
    ]
    return {
        layer.name: np.concatenate([p[layer.name].flatten(1).numpy() for p in parts])
        for layer in layers
    }


def states_of(network: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    """States of a CORnet's areas at all steps, in memory: (n, h, w) -> (t, n, f) float32 each."""
    with evaluating(network.module), torch.inference_mode():
        parts = [
            network.module.states(prepare(images[i : i + BATCH], network.record))
            for i in range(0, len(images), BATCH)
        ]
    return {
        area: torch.cat([part[area].flatten(2) for part in parts], 1).numpy() for area in parts[0]
    }
