"""Simulated V4 and IT of two monkeys that read the areas of a network, and what else is scored:

    <folder>/assembly.h5       every presentation, rates of 70-170 ms, sites of V4 and IT
    <folder>/assembly_10ms.h5  fewer presentations and IT sites, rates of 10 ms from 70 to 250 ms
    <folder>/voxels.h5         three regions of interest of one human subject, three repetitions
    <folder>/behavior.csv      choices of human observers between two objects
    <folder>/solution_times.csv when the monkeys' choices were as good as they get, by image
    <folder>/pictures/         train/<class> and val_in_folders/<class>, for training
    <folder>/simulation.json   which simulation this folder holds
    <truth_folder>/truth.npz   see `simulate_ventral`

What an area says of images is told by whoever calls, so that this package needs no networks: IT
sites read its area IT, V4 sites its area V4, and the right answer to "which layer?" is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from src.config import as_plain
from src.data.assembly import write_assembly
from src.data.objects import CATEGORIES, categories_of
from src.manifest import fingerprint, save_arrays
from src.seeds import numpy_stream
from src.simulate.choices import SimulatedChoices, write_choices
from src.simulate.mice import claim
from src.simulate.objects import Scenes, draw_scenes, lay_out
from src.simulate.picture_folders import write_picture_folders
from src.simulate.sites import noisy_blocks, presentations, recorded_sites, reliabilities
from src.simulate.solution_times import SimulatedTimes, write_times
from src.simulate.voxels import SimulatedVoxels, write_voxels

VERSION = 1  # raise it with every change after which the same configuration gives other bytes
READ = ("V1", "V4", "IT")  # areas whose features are asked for

Areas = Callable[[np.ndarray], Mapping[str, np.ndarray]]  # (n, h, w) uint8 -> (n, f) an area


@dataclass(frozen=True)
class VentralStream:
    """Sizes and planted effects of one simulation."""

    size: int = 64  # pixels a side
    per_object: int = 25  # images of each of 64 objects, a fifth of them without variation
    it_sites: int = 60  # the first has reliability 0, the second is constant
    v4_sites: int = 24
    latents: int = 10  # of each area that its sites read: principal components
    common: int = 3  # leading components left out, which all areas share
    category: float = 0.2  # share of an IT site's signal that is tuning to categories
    reliability: tuple[float, float] = (0.82, 0.89)  # medians of c, IT and V4
    spread: float = 0.5  # standard deviation of logit c
    repetitions: tuple[int, int] = (28, 50)
    times: SimulatedTimes = field(default_factory=SimulatedTimes)
    choices: SimulatedChoices = field(default_factory=SimulatedChoices)
    voxels: SimulatedVoxels = field(default_factory=SimulatedVoxels)
    training: tuple[int, int] = (20, 4)  # images of each object to train on, and to validate


PRESETS: Mapping[str, VentralStream] = MappingProxyType(
    {
        "tiny": VentralStream(
            size=32,
            per_object=12,
            it_sites=16,
            v4_sites=8,
            repetitions=(8, 12),
            times=SimulatedTimes(repetitions=6, sites=12),
            choices=SimulatedChoices(trials=6),
            voxels=SimulatedVoxels(each=8),
            training=(2, 1),
        ),
        "demo": VentralStream(per_object=12, it_sites=48),
        "real_shape": VentralStream(size=224, per_object=50, it_sites=168, v4_sites=88),
    }
)


def simulate_ventral(
    folder: Path, truth_folder: Path, preset: str | VentralStream, seed: int, areas: Areas
) -> Path:
    """Write all files and their truth; returns the path of `assembly.h5`.

    `truth.npz` holds, of i images in order of stimulus id and u sites in that of the assembly:
    features_IT and features_V4 (i, f), expected (i, u), reliability (u,), region (u,), repetitions
    (i,), objects (i,); onset_ms (i,), human and model (b, 24) chances to name each object,
    named_ids (b,); ncsnr (v,), roi (v,). The same configuration, seed and areas give the same
    bytes; a finished simulation is left as it is. FileExistsError where a folder holds anything
    else.
    """
    config = PRESETS[preset] if isinstance(preset, str) else preset
    folder, truth_folder = Path(folder), Path(truth_folder)
    for claimed in (folder, truth_folder):
        claim(claimed, _identity(config, seed))
    path, truth_path = folder / "assembly.h5", truth_folder / "truth.npz"
    if path.exists() and truth_path.exists():
        return path
    world = World(config, seed, areas)
    truth = world.truth()
    pictures = world.images, world.stimulus_ids
    given = pictures, world.scenes, seed
    write_picture_folders(folder / "pictures", config.training, config.size, seed)
    truth |= write_times(folder, config.times, *given)
    truth |= write_choices(folder, config.choices, world.latents["IT"], *given)
    truth |= write_voxels(folder, config.voxels, world.latents, *given)
    in_it = world.region == "IT"
    tables = presentations(world.scenes, world.stimulus_ids, world.repetitions)
    write_assembly(path, world.blocks(), tables, recorded_sites(in_it), pictures)
    save_arrays(truth_path, **truth)
    return path


def load_ventral_truth(path: Path) -> dict[str, np.ndarray]:
    """The truth saved as `<truth_folder>/truth.npz`, by name."""
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def _identity(config: VentralStream, seed: int) -> dict[str, Any]:
    record = {"simulated": True, "version": VERSION, "seed": seed, "config": as_plain(config)}
    return {"fingerprint": fingerprint(record), **record}


class World:
    """Images in order of stimulus id, sites in order of the assembly, and what decides rates."""

    def __init__(self, config: VentralStream, seed: int, areas: Areas) -> None:
        self.config, self.seed = config, seed
        self.scenes: Scenes = lay_out(config.per_object, seed)
        self.images = draw_scenes(self.scenes, config.size, seed)
        n = len(self.images)
        self.stimulus_ids = np.array([f"stimulus_{i:04}" for i in range(n)])
        seen = areas(self.images)
        self.latents = {area: principal(seen[area], config.common, config.latents) for area in READ}
        onehot = categories_of(self.scenes.objects)[:, None] == np.array(CATEGORIES)
        self.features = {
            "IT": np.hstack([self.latents["IT"], onehot]),
            "V4": self.latents["V4"],
        }
        rng = numpy_stream(seed, "repetitions")
        self.repetitions = rng.integers(*config.repetitions, n, endpoint=True)
        count = config.it_sites + config.v4_sites
        in_it = numpy_stream(seed, "regions").permutation(np.arange(count) < config.it_sites)
        self.region = np.where(in_it, "IT", "V4")
        self._grow()

    def _grow(self) -> None:
        """Expected rates, noise and reliability of all sites, each of variance 1."""
        count = len(self.region)
        self.expected, self.reliability = np.empty((len(self.images), count)), np.empty(count)
        for region, median in zip(("IT", "V4"), self.config.reliability, strict=True):
            here, rng = np.flatnonzero(self.region == region), numpy_stream(self.seed, region)
            c = reliabilities(len(here), median, self.config.spread, rng)
            signal = self._signal(region, len(here), rng)
            if region == "IT":
                c[0], signal[:, 1] = 0, 0
            self.reliability[here] = c
            self.expected[:, here] = signal * np.sqrt(c) + rng.normal(1, 0.2, len(here))
        self.noise = (1 - self.reliability) / (1 / self.repetitions).mean()
        constant = np.flatnonzero(self.region == "IT")[1]
        self.noise[constant] = self.reliability[constant] = 0

    def _signal(self, region: str, count: int, rng: np.random.Generator) -> np.ndarray:
        """Random read-outs of an area, of variance 1 over images: -> (i, count)."""
        features, q = self.features[region], self.config.latents
        weights = rng.standard_normal((features.shape[1], count))
        share = self.config.category if region == "IT" else 0.0
        signal = _unit(features[:, :q] @ weights[:q]) * np.sqrt(1 - share)
        if share:
            signal += _unit(features[:, q:] @ weights[q:]) * np.sqrt(share)
        return _unit(signal)

    def blocks(self) -> Iterator[np.ndarray]:
        """Every presentation, image by image: -> (n, u) float32 for each batch."""
        return noisy_blocks(self.expected, self.repetitions, self.noise, self.seed)

    def truth(self) -> dict[str, np.ndarray]:
        """What is known of V4 and IT, as `simulate_ventral` says."""
        features = {f"features_{region}": x for region, x in self.features.items()}
        names = ("expected", "reliability", "region", "repetitions", "stimulus_ids")
        return {
            **features,
            **{name: getattr(self, name) for name in names},
            "objects": self.scenes.objects,
        }


def principal(x: np.ndarray, first: int, count: int) -> np.ndarray:
    """Principal components over images from `first` on, of variance 1: (i, f) -> (i, count)."""
    centered = np.asarray(x, np.float64) - np.mean(x, axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centered @ centered.T)
    last = first + count
    if not values[-last] > 1e-10 * values[-1]:
        raise ValueError(f"features {x.shape} have fewer than {last} components: ask for fewer")
    kept = vectors[:, ::-1][:, first:last]
    signs = np.sign(kept[np.abs(kept).argmax(0), np.arange(count)])
    return kept * signs * np.sqrt(len(x))


def _unit(x: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 over images; (i, u) -> (i, u)."""
    return (x - x.mean(0)) / x.std(0)
