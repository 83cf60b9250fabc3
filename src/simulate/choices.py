"""Simulated observers who saw an image and chose which of two objects was in it.

The evidence for an object is how near the image is to its mean among images; a choice follows
the softmax of two objects' evidence (Luce 1959). A simulated model sees the same evidence through
noise of its own, so that how well it agrees with observers is known without any trial.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from src.data.objects import OBJECTS
from src.manifest import save_table
from src.seeds import numpy_stream
from src.simulate.objects import Scenes


@dataclass(frozen=True)
class SimulatedChoices:
    """How much observers are asked, and how sure they are."""

    objects: int = 24
    test: int = 2  # images of each object that observers are asked about
    trials: int = 12  # of each image and distractor
    sharpness: float = 2.0  # of the evidence
    bonus: float = 1.5  # evidence of the object itself
    model_noise: float = 1.0  # standard deviation of what a simulated model adds to the evidence


def write_choices(
    folder: Path,
    config: SimulatedChoices,
    latents: np.ndarray,
    pictures: tuple[np.ndarray, np.ndarray],
    scenes: Scenes,
    seed: int,
) -> dict[str, np.ndarray]:
    """Write `behavior.csv`, a line a trial; returns the chances it was drawn from.

    human and model (b, objects), named_ids (b,) and named_objects (objects,), sorted. Columns of
    the file: stimulus_id, sample_obj, dist_obj, truth, choice.
    """
    rng = numpy_stream(seed, "choices")
    names = np.sort(rng.choice(OBJECTS, config.objects, replace=False))
    rows = np.concatenate(
        [np.flatnonzero(scenes.objects == name)[-config.test :] for name in names]
    )
    rows.sort()
    truth = np.searchsorted(names, scenes.objects[rows])
    means = np.stack([latents[scenes.objects == name].mean(0) for name in names])
    apart = np.square(latents[rows][:, None] - means).mean(-1)  # (b, objects)
    evidence = -config.sharpness * apart
    evidence[np.arange(len(rows)), truth] += config.bonus
    own = evidence + config.model_noise * rng.standard_normal(evidence.shape)
    human, model = softmax(evidence, axis=1), softmax(own, axis=1)
    ids = pictures[1][rows]
    save_table(_trials(human, truth, names, ids, config.trials, rng), folder / "behavior.csv")
    return {"human": human, "model": model, "named_ids": ids, "named_objects": names}


def _trials(
    human: np.ndarray,
    truth: np.ndarray,
    names: np.ndarray,
    ids: np.ndarray,
    trials: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """A row a choice, in random order."""
    picture, other = np.nonzero(np.arange(len(names)) != truth[:, None])
    picture, other = (np.repeat(x, trials) for x in (picture, other))
    sample = truth[picture]
    right = human[picture, sample] / (human[picture, sample] + human[picture, other])
    chosen = np.where(rng.random(len(picture)) < right, sample, other)
    order = rng.permutation(len(picture))
    columns = {
        "stimulus_id": ids[picture],
        "sample_obj": names[sample],
        "dist_obj": names[other],
        "truth": names[sample],
        "choice": names[chosen],
    }
    return pd.DataFrame({name: values[order] for name, values in columns.items()})
