"""Simulated voxels of three regions of interest, as NSD's: few repetitions, known ncsnr.

Noise ceiling signal-to-noise ratio: standard deviation of the signal over that of the noise of one
presentation (Allen et al. 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.data.assembly import write_assembly
from src.seeds import numpy_stream
from src.simulate.objects import Scenes
from src.simulate.sites import presentations

ROIS = {"early": "V1", "midventral": "V4", "ventral": "IT"}  # region of interest: area it reads


@dataclass(frozen=True)
class SimulatedVoxels:
    """Voxels of each region of interest and their signal."""

    each: int = 30
    repetitions: int = 3
    ncsnr: tuple[float, float] = (0.3, 1.5)


def write_voxels(
    folder: Path,
    config: SimulatedVoxels,
    latents: Mapping[str, np.ndarray],
    pictures: tuple[np.ndarray, np.ndarray],
    scenes: Scenes,
    seed: int,
) -> dict[str, np.ndarray]:
    """Write `voxels.h5`; returns ncsnr (v,) and roi (v,), voxels in the file's order."""
    rng, n = numpy_stream(seed, "voxels"), len(pictures[1])
    roi = np.repeat(list(ROIS), config.each)
    weights = {area: rng.standard_normal((x.shape[1], config.each)) for area, x in latents.items()}
    signal = np.hstack([latents[area] @ weights[area] for area in ROIS.values()])
    signal = (signal - signal.mean(0)) / signal.std(0)
    ncsnr = rng.uniform(*config.ncsnr, len(roi))
    repetitions = np.full(n, config.repetitions)
    mean = np.repeat(signal, repetitions, axis=0)
    values = mean + rng.standard_normal(mean.shape) / ncsnr
    units = {
        "neuroid_id": np.array([f"voxel_{i:04}" for i in range(len(roi))]),
        "animal": np.full(len(roi), "simulated_subject"),
        "region": roi,
        "subregion": roi,
    }
    tables = presentations(scenes, pictures[1], repetitions), units, pictures
    write_assembly(folder / "voxels.h5", [values], *tables)
    return {"ncsnr": ncsnr, "roi": roi}
