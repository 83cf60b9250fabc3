"""The frozen networks of a profile: registered ones, and two of the house that need no file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from src.data.errors import DataError
from src.data.objects import CLASSES
from src.models.networks import Layer, Network, NetworkRecord, Preprocessing, network_record
from src.models.object_network import ObjectNetwork
from src.models.pretrained import load_network, random_network
from src.seeds import stream
from src.simulate.random_map import RandomMap
from src.studies.records import FrozenNetwork

PLAIN = Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # pixels in 0..1
CENTERED = Preprocessing((0.45, 0.45, 0.45), (0.2, 0.2, 0.2))


def frozen_network(
    plan: FrozenNetwork, size: int, seed: int, weights: str | Path | None = None
) -> Network:
    """The network of a plan, in evaluation mode; one of the house for images of `size` pixels.

    `weights` is the file of a registered network, or its folder. Random starts are drawn from the
    seed and the plan's number; `random_map` with the file's start is the one a simulation of that
    seed read. One that is to name objects comes untrained: `02_extract` trains it.
    """
    size = plan.size or size
    draw = seed if plan.start == "file" else seed + 1 + plan.draw
    match plan.network:
        case "random_map":
            record = _own(plan, size, ("layer1", "layer2"), PLAIN, partial(RandomMap, draw))
            return Network(record, record.build().eval(), record.weights)
        case "object_network":
            generator = partial(stream, draw, "init", "objects")
            blocks = ("block1", "block2", "block3", "block4", "pool")
            record = _own(plan, size, blocks, CENTERED, partial(_object_network, generator))
            return Network(record, record.build().eval(), record.weights)
    record = network_record(plan.network, plan.weights)
    if plan.start == "objects":
        raise DataError(f"network '{plan.network}' is not trained on objects here: use its file")
    random = plan.start == "random"
    network = random_network(record, draw) if random else load_network(record, weights)
    shown = replace(record, input_size=plan.size or record.input_size)
    return replace(network, record=shown)


def _own(
    plan: FrozenNetwork, size: int, layers: tuple[str, ...], how: Preprocessing, build: partial
) -> NetworkRecord:
    origin = {"file": "those a simulation read", "random": f"random start {plan.draw}"}
    return NetworkRecord(
        name=plan.network,
        weights=origin.get(plan.start, "trained on the objects of the training images"),
        layers=tuple(Layer(name, name) for name in layers),
        input_size=size,
        preprocessing=how,
        license="MIT",
        citation="this repository",
        build=build,
    )


def _object_network(generator: partial) -> nn.Module:
    return ObjectNetwork(len(CLASSES), generator=generator())
