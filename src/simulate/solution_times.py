"""Simulated IT over time, in which the object of some images is known later than of others.

A site answers at once to an image as such, and to the object in it only from the image's onset
on: that of hard images is late. So a decoder of objects solves an image in the bin of its onset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from src.data.assembly import write_assembly
from src.data.objects import OBJECTS, numbers_of
from src.manifest import save_table
from src.seeds import numpy_stream
from src.simulate.objects import Scenes
from src.simulate.sites import presentations, recorded_sites

START, STOP, BIN = 70, 250, 10  # ms
BINS = np.array([(t, t + BIN) for t in range(START, STOP, BIN)])
MIDDLE = 512  # presentations drawn at a time


@dataclass(frozen=True)
class SimulatedTimes:
    """Sizes of the recording, and when objects are known."""

    sites: int = 40  # all in IT
    repetitions: int = 8
    easy: float = 100.0  # ms after an image's onset at which its object is known
    late: float = 50.0  # ms by which that of hard images is later
    spread: float = 15.0  # standard deviation among images alike
    noise: float = 1.0  # standard deviation of a presentation's rate; that of the signal is 1
    i1: float = 0.1  # d' of the monkeys: low, as is that of decoders trained for few steps
    measured: float = 5.0  # standard deviation of what is measured of the onset


def write_times(
    folder: Path,
    config: SimulatedTimes,
    pictures: tuple[np.ndarray, np.ndarray],
    scenes: Scenes,
    seed: int,
) -> dict[str, np.ndarray]:
    """Write `assembly_10ms.h5` and `solution_times.csv`; returns what is true of the i images.

    hard (i,) and onset_ms (i,): half of the varied images are hard.
    """
    rng, ids = numpy_stream(seed, "solution times"), pictures[1]
    hard = (scenes.variation > 0) & (rng.random(len(ids)) < 0.5)
    onset = config.easy + config.late * hard + config.spread * rng.standard_normal(len(ids))
    onset = onset.clip(START + BIN, STOP - 3 * BIN)
    repetitions = np.full(len(ids), config.repetitions)
    units = recorded_sites(np.ones(config.sites, bool))
    blocks = _blocks(config, scenes, onset, seed)
    tables = presentations(scenes, ids, repetitions), units, pictures
    write_assembly(folder / "assembly_10ms.h5", blocks, *tables, time_bins=BINS)
    measured = onset + config.measured * rng.standard_normal(len(ids))
    columns = {"stimulus_id": ids, "object_name": scenes.objects, "i1": config.i1}
    table = pd.DataFrame({**columns, "solution_ms": measured.round(1)})
    save_table(table, folder / "solution_times.csv")
    return {"hard": hard, "onset_ms": onset}


def _blocks(
    config: SimulatedTimes, scenes: Scenes, onset: np.ndarray, seed: int
) -> Iterator[np.ndarray]:
    """Presentations, some images at a time: -> (n, u, t) float32."""
    rng, n = numpy_stream(seed, "late sites"), len(onset)
    tuning = rng.standard_normal((len(OBJECTS), config.sites))
    early = rng.standard_normal((n, config.sites))
    known = (BINS[:, 0] + BIN / 2)[None] >= onset[:, None]  # (i, t)
    signal = tuning[numbers_of(scenes.objects, OBJECTS)]
    rates = 0.5 * early[..., None] + signal[..., None] * known[:, None]
    some = max(1, MIDDLE // config.repetitions)
    for first in range(0, n, some):
        mean = np.repeat(rates[first : first + some], config.repetitions, axis=0)
        noise = numpy_stream(seed, "late noise", first).standard_normal(mean.shape)
        yield (mean + config.noise * noise).astype(np.float32)
