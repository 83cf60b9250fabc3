"""What training GNet needs before it begins: memory by part, disk, and multiplications an epoch.

Weights, both moments of Adam and the best weights are kept for all subjects; a step sees one of
them. Images and responses are read from disk as they are needed, and count nothing. Source:
specification nsd_gnet, 3.4, 5.1, 5.2 and 12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from src.config import GNetCoreConfig, PoolingReadoutConfig
from src.models.gnet import CHANNELS, GNetCore
from src.seeds import stream

FLOAT = 4  # bytes
COPIES = 5  # weights, two moments, the best weights, and for a moment those that replace them
PROCESS = 450e6  # Python and its libraries
TRUNK = 5  # of a layer's maps: normed, dropped out, convolved, their gradients, working space
# Multiply-adds a second of whole steps: a core's with 24 and 4627 voxels; an A100's by the
# published 201.8 s for an epoch of 1728 steps, two passes each with the prefilter in both
SPEEDS = {"a core": 25e9, "an A100": 7.5e12}
READ = 3  # of maps that are read, and of what is pooled: they, act of them, and gradients


def training_memory(
    voxels: Mapping[str, int],
    core: GNetCoreConfig,
    readout: PoolingReadoutConfig,
    map_size: tuple[int, int],
    batch: int,
) -> dict[str, float]:
    """Bytes by part while training on stored maps of a size; voxels of each subject.

    `core` as in the plan; its prefilter counts nothing. What is pooled at once is bounded by
    `readout.chunk`.
    """
    core = replace(core, prefilter="stored")
    trunk = GNetCore(core, (CHANNELS, *map_size), stream(0, "budget"))
    shapes = trunk.map_shapes(*map_size)
    places = [h * w for _, h, w in shapes]
    channels = sum(f for f, _, _ in shapes)
    a_voxel = sum(places) + channels + 1
    weights = sum(p.numel() for p in trunk.parameters())
    largest = max(voxels.values())
    layers = CHANNELS * map_size[0] * map_size[1]
    layers += 3 * core.width * places[0] + 4 * core.width * places[1]
    read = batch * sum(f * h * w for f, h, w in shapes)
    pooled = min(readout.chunk, largest) * batch * max(f for f, _, _ in shapes)
    return {
        "process": PROCESS,
        "weights and Adam": FLOAT * COPIES * (weights + a_voxel * sum(voxels.values())),
        "gradients": FLOAT * (weights + a_voxel * largest),
        "trunk": FLOAT * batch * TRUNK * layers,
        "maps that are read": FLOAT * READ * read,
        "pooled": FLOAT * READ * pooled,
        "predictions": FLOAT * 4 * batch * largest,
    }


def training_work(
    voxels: Mapping[str, int],
    trials: Mapping[str, int],
    core: GNetCoreConfig,
    map_size: tuple[int, int],
) -> float:
    """Multiply-adds of an epoch on stored maps, forward and backward; trials trained on by subject.

    A backward pass is about two forward ones.
    """
    core = replace(core, prefilter="stored")
    trunk = GNetCore(core, (CHANNELS, *map_size), stream(0, "budget"))
    shapes = trunk.map_shapes(*map_size)
    fine, coarse = (h * w for _, h, w in shapes)
    sizes = [layer.conv.weight.numel() for layer in trunk.layers]
    an_image = fine * sum(sizes[:3]) + coarse * sum(sizes[3:])
    a_voxel = sum(f * (h * w + 1) for f, h, w in shapes)
    return 3.0 * sum(n * (an_image + a_voxel * voxels[key]) for key, n in trials.items())


def packed_disk(
    voxels: Mapping[str, int], trials: Mapping[str, int], images: int, size: int
) -> dict[str, float]:
    """Bytes on disk once packed: responses of all trials, images once, maps of the prefilter."""
    cells = map_side(size)
    return {
        "responses": FLOAT * float(sum(voxels[k] * trials[k] for k in voxels)),
        "images": float(images * 3 * size**2),
        "prefilter maps": 2.0 * images * CHANNELS * cells**2,
    }


def map_side(size: int) -> int:
    """Places a side of the prefilter's maps: pixels -> places; 227 -> 27."""
    return ((size + 4 - 11) // 4 + 1 - 3) // 2 + 1


def gigabytes(parts: Mapping[str, float]) -> dict[str, float]:
    """In GB, with their sum."""
    chosen = {name: value / 1e9 for name, value in parts.items()}
    return chosen | {"all": sum(chosen.values())}
