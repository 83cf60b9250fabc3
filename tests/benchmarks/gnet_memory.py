"""Peak memory of training GNet for all eight subjects: scaled with data, and at full size.

    python tests/benchmarks/gnet_memory.py FOLDER [--share 20] [--images 60] [--batch 100]
        [--steps 1] [--chunk 128] [--full]

First eight simulated subjects with a `share`-th of the voxels of V1 to hV4, packed, with stored
maps of real size: responses and maps are read from disk as in 02_train. Each step is a process's
own, and its peak stands beside what `training_memory` estimates, which 01_preprocess prints. With
--full alone the same steps for the real 29,597 voxels, on a few made-up maps, since memory does not
depend on how many images there are.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from src.config import PoolingReadoutConfig
from src.data.batch import Batch
from src.data.nsd_session import open_subjects
from src.data.pack import pack
from src.data.session import open_sessions
from src.data.splits import Split, official_split
from src.models.encoder import Encoder
from src.models.extraction import extract
from src.models.gnet import prefilter_network
from src.models.map_sessions import open_inputs
from src.simulate.nsd import SimulatedNsd, simulate_nsd
from src.studies.nsd_gnet import FULL, SIZES
from src.training.gnet_budget import gigabytes, training_memory
from src.training.trainer import Run

SIDE = 27  # places of the prefilter's maps


def prepare(folder: Path, share: int, images: int) -> None:
    """Simulate, pack, and store the prefilter's maps."""
    of_area = round(sum(sum(v[:4]) for v in SIZES.values()) / len(SIZES) / 4 / share)
    world = SimulatedNsd(
        subjects=8,
        scans=3,
        trials_per_scan=images,
        shared=12,
        pixels=227,
        volume=(18, 20, 19),
        voxels=of_area,
        twins=False,
        odd=False,
    )
    simulate_nsd(folder / "nsd", folder / "truth", world, seed=1)
    network = prefilter_network(FULL.plan("gnet8j").model.core.mean, 227, seed=0)
    for subject in open_subjects(folder / "nsd"):
        pack(subject, folder / "packed" / subject.key)
    for key, session in open_sessions(folder / "packed", opened("")).items():
        place = folder / "features/prefilter" / key
        extract(network, session.images, place, ["conv2"], SIDE, "float16")


def opened(maps: str) -> Any:
    """How sessions are opened: images, or maps in their place."""
    return replace(FULL.plan("gnet8j").model.inputs, maps=maps)


def made_up(key: str, voxels: int, batch: int, seed: int) -> SimpleNamespace:
    """A session of full size whose few maps are always the same."""
    rng = np.random.default_rng(seed)
    maps = torch.from_numpy(rng.random((batch, 192, SIDE, SIDE), np.float32)).half()
    responses = torch.from_numpy(rng.normal(size=(batch, voxels)).astype(np.float32))
    return SimpleNamespace(
        key=key,
        n_trials=batch,
        n_units=voxels,
        image_shape=(192, SIDE, SIDE),
        coordinates=None,
        mean_response=None,
        behavior_missing=True,
        pupil_missing=True,
        batch=lambda index, _: Batch(maps[index].float(), responses[index]),
    )


def train(folder: Path, full: bool, batch: int, steps: int, chunk: int) -> None:
    """Steps of all eight subjects, a validation, and the peak beside the estimate."""
    torch.set_num_threads(1)
    plan = FULL.plan("gnet8j")
    model = replace(plan.model, readout=PoolingReadoutConfig(chunk=chunk))
    before = peak()
    if full:
        given = enumerate(SIZES.items())
        sessions = {key: made_up(key, sum(size[:4]), batch, i) for i, (key, size) in given}
        splits = {key: Split(*[np.arange(batch)] * 3) for key in sessions}
    else:
        sessions = open_inputs(folder / "packed", model.inputs, folder / "features")
        splits = {key: official_split(session) for key, session in sessions.items()}
    few = {k: replace(s, train=s.train[: steps * batch]) for k, s in splits.items()}
    recipe = replace(plan.training, batch_size=batch, threads=1)
    run = Run(Encoder(model, sessions, 0), sessions, few, recipe, 0)
    run.schedule = SimpleNamespace(learning_rate=recipe.learning_rate)
    run.best = run.weights()
    run.train_epoch(1)
    run.validate()
    run.best = run.weights()
    voxels = {key: session.n_units for key, session in sessions.items()}
    parts = training_memory(voxels, model.core, model.readout, (SIDE, SIDE), batch)
    estimate = gigabytes(parts)["all"]
    print(
        f"{sum(voxels.values())} voxels, batch {batch}, chunk {chunk}: peak {peak():.2f} GB", end=""
    )
    print(f" ({before:.2f} before), estimate {estimate:.2f} GB", flush=True)


def peak() -> float:
    """Largest resident memory of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def apart(work: Any, *arguments: Any) -> None:
    """Run in a process of its own, whose peak is its own."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def main() -> None:
    """Simulate and train scaled, or train at full size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=int, default=20, help="one of so many voxels")
    parser.add_argument("--images", type=int, default=60, help="of each subject")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1, help="of each subject")
    parser.add_argument("--chunk", type=int, default=PoolingReadoutConfig().chunk)
    parser.add_argument("--full", action="store_true")
    given = parser.parse_args()
    how = given.batch, given.steps, given.chunk
    if not given.full:
        apart(prepare, given.folder, given.share, given.images)
    apart(train, given.folder, given.full, *how)


if __name__ == "__main__":
    main()
