"""The frozen networks of a profile: registered ones, and those of the house."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from torch import nn

from src.config import ClassifierConfig, ReconstructionConfig
from src.data.errors import DataError
from src.data.objects import CLASSES
from src.models.autoencoder import AutoEncoder
from src.models.gabor import gabor_network
from src.models.gnet import prefilter_network
from src.models.layers import linear
from src.models.networks import Layer, Network, NetworkRecord, Preprocessing, last_linear
from src.models.object_network import ObjectNetwork
from src.models.pretrained import calibrated, load_network, random_network
from src.models.registry import network_record, own_weights
from src.seeds import stream
from src.simulate.random_map import RandomMap
from src.studies.records import FrozenNetwork

PLAIN = Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # pixels in 0..1
CENTERED = Preprocessing((0.45, 0.45, 0.45), (0.2, 0.2, 0.2))
CHANNELS = {"object_network": (16, 32, 64, 128), "autoencoder": (32, 64, 128)}
WEIGHTS = "weights.pt"  # what 02_train leaves behind
FIXED = ("random_map", "gabor", "gnet_prefilter")
LEARNS = {**dict.fromkeys(FIXED, ()), "autoencoder": ReconstructionConfig}  # others: names
LEARNED = {
    ClassifierConfig: "trained to name the objects of the training images",
    ReconstructionConfig: "trained to draw the training images again",
}


def frozen_network(
    plan: FrozenNetwork,
    size: int,
    seed: int,
    weights: str | Path | None = None,
    images: np.ndarray | None = None,
) -> Network:
    """The network of a plan, in evaluation mode; one of the house for images of `size` pixels.

    `weights` is the file of a registered network, or its folder; of a trained one, its run's.
    Random starts are drawn from the seed and the plan's number; `random_map` with the file's start
    is the one a simulation of that seed read. One with something to learn comes before it has:
    `02_extract` trains it. `images`, (n, [c,] h, h) uint8, are what batch norm of a calibrated one
    sees.
    """
    _require_possible(plan, images)
    size = plan.size or size
    draw = seed if plan.start == "file" else seed + 1 + plan.draw
    if plan.network == "gabor":
        return gabor_network(size)
    if plan.network == "gnet_prefilter":
        return prefilter_network(plan.mean, size, draw, plan.start, weights)
    if plan.network in ("random_map", *CHANNELS):
        network = _own(plan, size, draw)
    else:
        record = network_record(plan.network, plan.weights)
        if plan.start == "trained":
            record = own_weights(record, WEIGHTS)
        drawn = plan.start == "random"
        network = random_network(record, draw) if drawn else load_network(record, weights)
        shown = replace(record, input_size=plan.size or record.input_size)
        network = replace(network, record=shown)
        if plan.training:
            renew_classifier(network, len(CLASSES), draw)
    if images is not None:
        network = calibrated(network, images)
        network = replace(network, weights=f"{network.weights}, batch norm calibrated")
    how = f", {LEARNED[type(plan.training)]}" if plan.training else ""
    return replace(network, module=network.module.eval(), weights=network.weights + how)


def _require_possible(plan: FrozenNetwork, images: np.ndarray | None) -> None:
    name, learns = f"network '{plan.name}' ({plan.network})", plan.training
    if learns and not isinstance(learns, LEARNS.get(plan.network, ClassifierConfig)):
        raise DataError(f"{name} cannot be {LEARNED[type(learns)]}: take another")
    if plan.network in CHANNELS and plan.start == "file":
        raise DataError(f"{name} has no file of weights: give start='random'")
    if bool(plan.mean) != (plan.network == "gnet_prefilter"):
        raise DataError(f"{name}: a mean of pixels {plan.mean} is for gnet_prefilter, and needed")
    if plan.channels and plan.network not in CHANNELS:
        raise DataError(f"{name} has its channels: leave {plan.channels} out")
    if plan.calibrated and (learns or plan.start == "file"):
        raise DataError(f"{name} has batch norm of its training: leave calibrated out")
    if plan.calibrated != (images is not None):
        shape = None if images is None else images.shape
        raise DataError(
            f"{name}: images for batch norm are {shape} where calibrated={plan.calibrated}: give "
            "both or neither"
        )


def renew_classifier(network: Network, classes: int, seed: int) -> None:
    """Put a fresh linear layer in the place of the last one, with an output a class."""
    if not (name := last_linear(network.module)):
        raise DataError(f"network '{network.record.name}' has no linear layer that names objects")
    inputs = network.module.get_submodule(name).in_features
    network.module.set_submodule(name, linear(inputs, classes, stream(seed, "init", "classifier")))


def _own(plan: FrozenNetwork, size: int, draw: int) -> Network:
    """A network of the house, built anew."""
    channels = plan.channels or CHANNELS.get(plan.network, ())
    blocks, how = tuple(f"block{i + 1}" for i in range(len(channels))), CENTERED
    match plan.network:
        case "random_map":
            layers, how = (Layer("layer1", "layer1"), Layer("layer2", "layer2")), PLAIN
            build = partial(RandomMap, draw)
        case "object_network":
            layers = tuple(Layer(name, name) for name in (*blocks, "pool"))
            build = partial(_object_network, channels, draw)
        case _:
            nodes = (Layer(name, f"core.blocks.{i}") for i, name in enumerate(blocks))
            layers = (*nodes, Layer("code", "code"))
            build = partial(_autoencoder, channels, size, draw)
    origin = "those a simulation read" if plan.start == "file" else f"random start {plan.draw}"
    record = NetworkRecord(
        name=plan.network,
        weights=origin,
        layers=layers,
        input_size=size,
        preprocessing=how,
        license="MIT",
        citation="this repository",
        build=build,
    )
    untrained = plan.start == "random" and not plan.training
    mode = "running" if untrained else "of the weights"
    return Network(record, record.build(), origin, batch_norm=mode)


def _object_network(channels: tuple[int, ...], draw: int) -> nn.Module:
    generator = stream(draw, "init", "objects")
    return ObjectNetwork(len(CLASSES), channels, generator=generator)


def _autoencoder(channels: tuple[int, ...], size: int, draw: int) -> nn.Module:
    return AutoEncoder((3, size, size), channels, generator=stream(draw, "init", "autoencoder"))
