"""Simulated IT cortex of two monkeys looking at 64 objects: `IT_data.h5`, and the truth elsewhere.

    <folder>/IT_data.h5           as the course gives it: mean rates, no test rates
    <folder>/assembly.h5          on request: every presentation, sites of two monkeys, some in V4
    <folder>/simulation.json      which simulation this folder holds
    <truth_folder>/truth.npz      see `Truth`

A site is a linear read-out of a fixed random convolutional map, plus a tuning to categories, plus
noise that fits its reliability c: c = S / (S + N mean(1 / repetitions)), S the variance over
images of its expected rate and N the variance of a single presentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from src.config import as_plain
from src.data.assembly import write_assembly
from src.data.inferotemporal import RATES, WORDS, Part, write_inferotemporal
from src.data.objects import CATEGORIES, categories_of, stratified_tiers
from src.manifest import fingerprint, save_arrays
from src.seeds import numpy_stream
from src.simulate.mice import claim
from src.simulate.objects import Scenes, draw_scenes, lay_out
from src.simulate.random_map import RandomMap
from src.simulate.sites import BATCH, noisy_blocks, presentations, recorded_sites, reliabilities

VERSION = 1  # raise it with every change after which the same configuration gives other bytes
VARIANCE = 0.14  # of a site's mean rates, as the course's files have it


@dataclass(frozen=True)
class SimulatedObjects:
    """Sizes and planted effects of one simulation."""

    size: int = 64  # pixels a side, a multiple of 32
    per_object: int = 25  # images of each of 64 objects
    units: int = 60  # IT sites of both monkeys
    v4_units: int = 12  # in the assembly only
    noise_sites: int = 0  # IT sites without any signal, reliability 0; the first ones
    latents: int = 16  # directions of the map that sites read
    category: float = 0.3  # share of the signal that is tuning to categories
    reliability: float = 0.82  # median of c
    spread: float = 0.6  # standard deviation of logit c
    repetitions: tuple[int, int] = (28, 50)


PRESETS: Mapping[str, SimulatedObjects] = MappingProxyType(
    {
        "tiny": SimulatedObjects(size=32, per_object=5, units=16, v4_units=4),
        "demo": SimulatedObjects(),
        "real_shape": SimulatedObjects(size=224, per_object=50, units=168, v4_units=88),
    }
)


@dataclass(frozen=True)
class Truth:
    """What is known of i simulated images, in file order, and of u IT sites."""

    features: np.ndarray  # (i, f) float32: latents of the map, then one column a category
    weights: np.ndarray  # (f, u)
    baseline: np.ndarray  # (u,) expected rate = features @ weights + baseline
    expected: np.ndarray  # (i, u)
    rates: np.ndarray  # (i, u) float32 means over repetitions, test rates too
    noise_variance: np.ndarray  # (u,) N of a single presentation
    reliability: np.ndarray  # (u,) c of the means, over all images
    repetitions: np.ndarray  # (i,)
    tiers: np.ndarray  # (i,) str
    stimulus_ids: np.ndarray  # (i,) str
    objects: np.ndarray  # (i,) str
    variation: np.ndarray  # (i,)
    position: np.ndarray  # (i, 2)
    size: np.ndarray  # (i,)
    rotation: np.ndarray  # (i,)


def simulate_inferotemporal(
    folder: Path,
    truth_folder: Path,
    preset: str | SimulatedObjects,
    seed: int,
    assembly: bool = False,
) -> Path:
    """Write `IT_data.h5` and its truth, and `assembly.h5` if asked; returns the first's path.

    The same configuration and seed give the same bytes; what is there already is left as it is.
    Raises FileExistsError where either folder holds anything but this same simulation.
    """
    config = PRESETS[preset] if isinstance(preset, str) else preset
    folder, truth_folder = Path(folder), Path(truth_folder)
    for claimed in (folder, truth_folder):
        claim(claimed, _identity(config, seed))
    path, recorded = folder / "IT_data.h5", folder / "assembly.h5"
    truth_path = truth_folder / "truth.npz"
    if path.exists() and truth_path.exists() and (recorded.exists() or not assembly):
        return path
    world = _World(config, seed)
    if assembly:
        write_assembly(recorded, world.blocks(), *world.tables())
    truth = world.truth()
    save_arrays(truth_path, **{f.name: getattr(truth, f.name) for f in fields(truth)})
    return write_inferotemporal(path, world.parts(truth))


def load_truth(path: Path) -> Truth:
    """Read the truth saved as `path` (`<truth_folder>/truth.npz`)."""
    with np.load(path, allow_pickle=False) as stored:
        return Truth(**{name: stored[name] for name in stored.files})


def _identity(config: SimulatedObjects, seed: int) -> dict[str, Any]:
    record = {"simulated": True, "version": VERSION, "seed": seed, "config": as_plain(config)}
    return {"fingerprint": fingerprint(record), **record}


class _World:
    """Images in order of stimulus id, sites in order of the assembly, and what decides rates."""

    def __init__(self, config: SimulatedObjects, seed: int) -> None:
        self.config, self.seed = config, seed
        self.scenes: Scenes = lay_out(config.per_object, seed)
        self.images = draw_scenes(self.scenes, config.size, seed)
        n = len(self.images)
        self.stimulus_ids = np.array([f"stimulus_{i:04}" for i in range(n)])
        self.tiers = stratified_tiers(self.scenes.objects, seed)
        low, high = config.repetitions
        rng = numpy_stream(seed, "repetitions")
        self.repetitions = rng.integers(low, high, n, endpoint=True)
        onehot = categories_of(self.scenes.objects)[:, None] == np.array(CATEGORIES)
        latents = _latents(self.images, config.latents, seed)
        self.features = np.hstack([latents, onehot]).astype(np.float32)
        self.in_it = self._regions()
        self._grow()

    def _regions(self) -> np.ndarray:
        """Which of all sites are in IT, V4 sites scattered among them: (u + v,) bool."""
        u, v = self.config.units, self.config.v4_units
        return numpy_stream(self.seed, "regions").permutation(np.arange(u + v) < u)

    def _grow(self) -> None:
        """Weights, baselines, noise and reliabilities of all sites."""
        config, rng = self.config, numpy_stream(self.seed, "cortex")
        sites, q = len(self.in_it), config.latents
        weights = rng.standard_normal((self.features.shape[1], sites))
        for rows, share in ((slice(q), 1 - config.category), (slice(q, None), config.category)):
            part = self.features[:, rows] @ weights[rows]
            weights[rows] *= np.sqrt(share) / part.std(0)
        c = np.empty(sites)
        for here in (self.in_it, ~self.in_it):
            c[here] = reliabilities(here.sum(), config.reliability, config.spread, rng)
        c[np.flatnonzero(self.in_it)[: config.noise_sites]] = 0
        self.weights = weights * np.sqrt(VARIANCE * c) / (self.features @ weights).std(0)
        self.baseline = rng.normal(0.2, 0.1, sites) - (self.features @ self.weights).mean(0)
        self.noise = VARIANCE * (1 - c) / (1 / self.repetitions).mean()
        self.reliability = c
        self.expected = self.features @ self.weights + self.baseline

    def blocks(self) -> Iterator[np.ndarray]:
        """Every presentation, image by image: -> (n, u + v) float32 for each batch."""
        return noisy_blocks(self.expected, self.repetitions, self.noise, self.seed)

    def means(self) -> np.ndarray:
        """Mean over the repetitions of each image: -> (i, u + v)."""
        found = []
        for first, block in zip(range(0, len(self.images), BATCH), self.blocks(), strict=True):
            counts = self.repetitions[first : first + BATCH]
            total = np.add.reduceat(block, np.cumsum(counts) - counts, axis=0, dtype=np.float64)
            found.append(total / counts[:, None])
        return np.concatenate(found)

    def truth(self) -> Truth:
        """The truth about IT sites, images in file order."""
        order = np.concatenate([np.flatnonzero(self.tiers == tier) for tier in WORDS])
        by_image = {"features": self.features, "expected": self.expected[:, self.in_it]}
        by_image |= {"rates": self.means()[:, self.in_it].astype(np.float32)}
        by_image |= {n: getattr(self, n) for n in ("repetitions", "tiers", "stimulus_ids")}
        by_image |= vars(self.scenes)
        return Truth(
            weights=self.weights[:, self.in_it],
            baseline=self.baseline[self.in_it],
            noise_variance=self.noise[self.in_it],
            reliability=self.reliability[self.in_it],
            **{name: values[order] for name, values in by_image.items()},
        )

    def parts(self, truth: Truth) -> dict[str, Part]:
        """The three tiers of `IT_data.h5`."""
        parts = {}
        for tier in WORDS:
            here, shown = truth.tiers == tier, self.tiers == tier
            rates = truth.rates[here] if tier in RATES else None
            parts[tier] = Part(self.images[shown], truth.objects[here], rates)
        return parts

    def tables(self) -> tuple[dict[str, Any], dict[str, Any], tuple[np.ndarray, np.ndarray]]:
        """Tables of presentations and of sites, and the images with their ids."""
        stimuli = presentations(self.scenes, self.stimulus_ids, self.repetitions)
        return stimuli, recorded_sites(self.in_it), (self.images, self.stimulus_ids)


def random_map(images: np.ndarray, seed: int) -> np.ndarray:
    """A fixed random convolutional map: (n, h, w) uint8 -> (n, 384), standardized over images."""
    network, parts = RandomMap(seed), np.split(images, range(BATCH, len(images), BATCH))
    with torch.inference_mode():
        maps = [network(torch.from_numpy(x)[:, None] / 255).flatten(1).numpy() for x in parts]
    values = np.concatenate(maps)
    return (values - values.mean(0)) / values.std(0)


def _latents(images: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Random directions of the map, standardized: (n, h, w) -> (n, count)."""
    values = random_map(images, seed)
    values = values @ numpy_stream(seed, "directions").standard_normal((values.shape[1], count))
    return (values - values.mean(0)) / values.std(0)
