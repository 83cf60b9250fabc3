"""Features of a folder of images: every time step of one part of a network, with file names."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from src import manifest
from src.data.errors import DataError
from src.data.pictures import content, open_pictures, squared
from src.data.screen import Screen
from src.models.activations import activations, calls, prepare
from src.models.extraction import Reduction, uninformative
from src.models.networks import Layer, Network

STILL = Screen()


def export_features(
    network: Network,
    source: str | Path,
    folder: Path,
    part: str = "decoder.avgpool",
    step: int | None = None,
    size: int = 0,
    crop: bool = False,
    batch: int = 32,
    screen: Screen = STILL,
    pool: int = 0,
) -> Path:
    """Writes `<network>_<part>_<step>.npz`: features (n, t, f) float32, names (n,), steps (t,).

    `source` is a folder or zip of n images, in natural order of their names; a csv beside the npz
    has a line an image and step. `part` is a module, such as IT.output, `step` one of its calls in
    a forward pass (None: all). Images are stretched to `size` (0: the network's), or with `crop`
    their middle is; before, `screen` places them in the field that the network sees, and features
    are means over its looks. Maps are averaged to `pool` cells a side (0: as they are); `grid` of
    the npz says their channels, height and width. All is held in memory, 4 n t f bytes. Warns of
    steps that are the same for different images.
    """
    pictures, size = open_pictures(network.record.name, source), size or network.record.input_size
    shown = replace(network, record=replace(network.record, input_size=size))
    device = next(network.module.parameters()).device
    blocks, contents, layers, reduction = [], [], [], Reduction(pool)
    for first in range(0, len(pictures), batch):
        images = [pictures.read(i) for i in range(first, min(first + batch, len(pictures)))]
        contents += map(content, images)
        seen = [squared(view, size, crop) for image in images for view in screen.views(image)]
        planes = np.stack(seen).transpose(0, 3, 1, 2)
        x = prepare(planes, shown.record).to(device)
        layers = layers or _layers(
            shown, part, [step] if step is not None else range(calls(shown, x, part))
        )
        found = activations(shown, x, layers, lambda _, y: reduction.pooled(y.clone())).values()
        if len(sizes := {tuple(v.shape[1:]) for v in found}) > 1:
            raise DataError(f"'{part}' has steps of different sizes, {sizes}: give one step")
        every = torch.stack([v.float().cpu() for v in found], 1)
        means = every.unflatten(0, (len(images), screen.looks)).mean(1)  # (n, t, c, h, w)
        blocks.append(means.flatten(2).numpy())
    features = np.concatenate(blocks)
    _warn_of_constants(shown, layers, features, contents)
    name = f"{network.record.name}_{part}_{'all' if step is None else f't{step}'}"
    steps = np.array([layer.call for layer in layers])
    rows = pd.DataFrame({"name": pictures.names, "sha256": contents})
    rows = rows.merge(pd.DataFrame({"step": steps}), how="cross")
    moments = {"mean": features.mean(2).ravel(), "deviation": features.std(2).ravel()}
    manifest.save_table(rows.assign(**moments), folder / f"{name}.csv")
    said = {"part": part, "size": size, "weights": network.weights, "grid": means.shape[2:]}
    said |= {"network": network.record.name, "layer": layers[0].name.partition("-t")[0]}
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
    """Of steps that come before the image does, or that do not tell different images apart."""
    same = (features == features[:1]).all((0, 2)) & (len(set(contents)) > 1)
    found = [layer.name for layer, x in zip(layers, same, strict=True) if x or layer.constant]
    if found:
        warnings.warn(uninformative(network, found), stacklevel=3)
