"""Tables and reliabilities of simulated sites, whatever it is that they read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from src.data.objects import categories_of
from src.seeds import numpy_stream
from src.simulate.objects import Scenes

BATCH = 128  # images whose presentations are drawn at a time
MONKEYS = ("simulated_a", "simulated_b")
ARRAYS = {"P": "pIT", "C": "cIT", "A": "aIT"}  # array: sub-region


def reliabilities(
    count: int, median: float, spread: float, random: np.random.Generator
) -> np.ndarray:
    """Reliabilities in random order, logit normal, evenly spread so that their median is as asked.

    `spread` is the standard deviation of their logits: -> (count,).
    """
    z = stats.norm.ppf((np.arange(count) + 0.5) / max(count, 1))
    odds = median / (1 - median) * np.exp(spread * z)
    return random.permutation(odds / (1 + odds))


def presentations(
    scenes: Scenes, stimulus_ids: np.ndarray, repetitions: np.ndarray
) -> dict[str, np.ndarray]:
    """Table of single presentations, image by image: (i,), (i,) -> columns of n."""
    shown = np.repeat(np.arange(len(stimulus_ids)), repetitions)
    starts = np.cumsum(repetitions) - repetitions
    return {
        "stimulus_id": stimulus_ids[shown],
        "object_name": scenes.objects[shown],
        "category_name": categories_of(scenes.objects)[shown],
        "variation": scenes.variation[shown],
        "repetition": np.arange(len(shown)) - starts[shown],
    }


def noisy_blocks(
    expected: np.ndarray, repetitions: np.ndarray, noise: np.ndarray, seed: int
) -> Iterator[np.ndarray]:
    """Every presentation, image by image: (i, u), (i,), variances (u,) -> (n, u) a batch."""
    for first in range(0, len(expected), BATCH):
        some = slice(first, first + BATCH)
        mean = np.repeat(expected[some], repetitions[some], axis=0)
        drawn = numpy_stream(seed, "noise", first).standard_normal(mean.shape)
        yield (mean + drawn * np.sqrt(noise)).astype(np.float32)


def recorded_sites(in_it: np.ndarray) -> dict[str, np.ndarray]:
    """Table of sites of two animals with three arrays each, IT or V4: (u,) bool -> columns of u."""
    site = np.arange(len(in_it))
    array = np.array(list(ARRAYS))[site // 2 % 3]
    return {
        "neuroid_id": np.array([f"site_{i:03}" for i in site]),
        "animal": np.array(MONKEYS)[site % 2],
        "arr": array,
        "region": np.where(in_it, "IT", "V4"),
        "subregion": np.where(in_it, [ARRAYS[a] for a in array], "V4"),
    }
