"""The trials of one simulated mouse: which image when, in which tier, with what behavior."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from src.seeds import numpy_stream
from src.simulate.config import SimulatedMouse, SimulationConfig

MEMORY = 0.95  # of behavior and pupil from one trial to the next
EXCLUDED = 0.02  # presentations that were shown and left out of the files


@dataclass(frozen=True)
class Trials:
    """n trials in file order, which is not the order in time."""

    tiers: np.ndarray  # (n,) train | validation | test | final_test
    images: np.ndarray  # (n,) index into the mouse's images, tier after tier as in `image_counts`
    image_ids: np.ndarray  # (n,) the same image has the same id in all mice
    trial_ids: np.ndarray  # (n,) presentation number, hashed in competition mice
    rank: np.ndarray  # (n,) order in time
    behavior: np.ndarray  # (n, 3) z-scored: pupil size, its derivative, running speed
    pupil: np.ndarray  # (n, 2) z-scored: horizontal, vertical


def image_counts(config: SimulationConfig, mouse: SimulatedMouse) -> dict[str, int]:
    """Number of images per tier, in the order in which the mouse's images are numbered."""
    final = {"final_test": config.test_images} if mouse.withheld else {}
    own = {"train": config.train, "validation": config.validation}
    return {**own, "test": config.test_images, **final}


def lay_out(config: SimulationConfig, mouse: SimulatedMouse, seed: int) -> Trials:
    """All trials of `mouse`."""
    counts = image_counts(config, mouse)
    rng = numpy_stream(seed, mouse.key, "trials")
    repeats = np.concatenate([_repeats(config, tier, n, rng) for tier, n in counts.items()])
    images = rng.permutation(np.repeat(np.arange(len(repeats)), repeats))
    n = len(images)
    rank = rng.permutation(n)
    shown = np.sort(rng.choice(n + 1 + round(EXCLUDED * n), n, replace=False))[rank]
    behavior, pupil = _behavior(n, numpy_stream(seed, mouse.key, "behavior"))
    return Trials(
        tiers=np.repeat(list(counts), list(counts.values()))[images],
        images=images,
        image_ids=_image_ids(config, mouse, seed)[images],
        trial_ids=_hashed(shown, mouse, seed) if mouse.withheld else shown,
        rank=rank,
        behavior=behavior[rank],
        pupil=pupil[rank],
    )


def _repeats(config: SimulationConfig, tier: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Presentations of each of n images; in a test tier irregular, and one image has one: (n,)."""
    if tier in ("train", "validation"):
        return np.ones(n, int)
    repeats = rng.integers(*config.repeats, n, endpoint=True)
    repeats[rng.integers(n)] = 1
    return repeats


def _image_ids(config: SimulationConfig, mouse: SimulatedMouse, seed: int) -> np.ndarray:
    """Ids of the mouse's images: test images are shared by all mice, the others its own."""
    own, tests = config.train + config.validation, config.test_images
    total = 2 * tests + own * len(config.mice)
    ids = numpy_stream(seed, "image ids").permutation(total) + 1
    start = 2 * tests + own * config.mice.index(mouse)
    shared = ids[: 2 * tests if mouse.withheld else tests]
    return np.concatenate([ids[start : start + own], shared])


def _hashed(shown: np.ndarray, mouse: SimulatedMouse, seed: int) -> np.ndarray:
    texts = (f"{seed}/{mouse.key}/{i}" for i in shown)
    return np.array([hashlib.sha256(t.encode()).hexdigest()[:32] for t in texts])


def _behavior(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Slow traces in the order of time, z-scored, cut at 3: -> (n, 3), (n, 2)."""
    traces = lfilter([1.0], [1.0, -MEMORY], rng.standard_normal((n, 4)), axis=0)
    arousal, running, x, y = ((traces - traces.mean(0)) / traces.std(0)).clip(-3, 3).T
    change = np.gradient(arousal)
    return np.column_stack([arousal, change / change.std(), running]), np.column_stack([x, y])
