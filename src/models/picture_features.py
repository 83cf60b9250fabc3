"""Features of a folder of pictures: every time step of one part of a network, with file names."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from src import manifest
from src.data.errors import DataError
from src.data.pictures import content, open_pictures, squared
from src.models.activations import activations, calls, prepare
from src.models.extraction import uninformative
from src.models.networks import Layer, Network


def export_features(
    network: Network,
    source: str | Path,
    folder: Path,
    part: str = "decoder.avgpool",
    step: int | None = None,
    size: int = 0,
    crop: bool = False,
    batch: int = 32,
) -> Path:
    """Writes `<network>_<part>_<step>.npz`: features (n, t, f) float32, names (n,), steps (t,).

    `source` is a folder or zip of n pictures, in natural order of their names; a csv beside the npz
    has a line a picture and step. `part` is a module, such as IT.output, `step` one of its calls in
    a forward pass (None: all). Pictures are stretched to `size` (0: the network's), or with `crop`
    their middle is. All is held in memory, 4 n t f bytes. Warns of steps that are the same for
    different pictures.
    """
    pictures, size = open_pictures(network.record.name, source), size or network.record.input_size
    shown = replace(network, record=replace(network.record, input_size=size))
    device = next(network.module.parameters()).device
    blocks, contents, layers = [], [], []
    for first in range(0, len(pictures), batch):
        images = [pictures.read(i) for i in range(first, min(first + batch, len(pictures)))]
        contents += map(content, images)
        planes = np.stack([squared(image, size, crop) for image in images]).transpose(0, 3, 1, 2)
        x = prepare(planes, shown.record).to(device)
        layers = layers or _layers(
            shown, part, [step] if step is not None else range(calls(shown, x, part))
        )
        found = activations(shown, x, layers).values()
        if len(sizes := {tuple(v.shape[1:]) for v in found}) > 1:
            raise DataError(f"'{part}' has steps of different sizes, {sizes}: give one step")
        blocks.append(np.stack([v.flatten(1).float().cpu().numpy() for v in found], 1))
    features = np.concatenate(blocks)
    _warn_of_constants(shown, layers, features, contents)
    name = f"{network.record.name}_{part}_{'all' if step is None else f't{step}'}"
    steps = np.array([layer.call for layer in layers])
    rows = pd.DataFrame({"name": pictures.names, "sha256": contents})
    rows = rows.merge(pd.DataFrame({"step": steps}), how="cross")
    moments = {"mean": features.mean(2).ravel(), "deviation": features.std(2).ravel()}
    manifest.save_table(rows.assign(**moments), folder / f"{name}.csv")
    said = {"part": part, "size": size, "weights": network.weights}
    names = np.array(pictures.names)
    return manifest.save_arrays(
        folder / f"{name}.npz", features=features, names=names, steps=steps, **said
    )


def _layers(network: Network, part: str, steps: Iterable[int]) -> tuple[Layer, ...]:
    """A part at some of its calls, as the record has it where it names it."""
    known = {(layer.node, layer.call): layer for layer in network.record.layers}
    return tuple(known.get((part, t), Layer(f"{part}-t{t}", part, call=t)) for t in steps)


def _warn_of_constants(
    network: Network, layers: Iterable[Layer], features: np.ndarray, contents: list[str]
) -> None:
    """Of steps that come before the image does, or that do not tell different pictures apart."""
    same = (features == features[:1]).all((0, 2)) & (len(set(contents)) > 1)
    found = [layer.name for layer, x in zip(layers, same, strict=True) if x or layer.constant]
    if found:
        warnings.warn(uninformative(network, found), stacklevel=3)
