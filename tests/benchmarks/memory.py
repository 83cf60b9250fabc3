"""Resident memory of packing a full-size mouse and of training from seven of them.

    python tests/benchmarks/memory.py [--model cnn|wide] [--trials 6150] [--steps 2] [--folder DIR]

Simulates one mouse of the real shape (8000 units, images of 144x256), packs it in a process of its
own, then, in another, opens it seven times over as seven sessions (seven maps of the same files, so
that the arithmetic is that of seven mice), reads every trial of all seven once, and trains some
steps of all seven at the published sizes. Prints the peak resident memory of each, mapped file
pages included. The published code needs 6 to 13 GB a process (specification, section 12).
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from src.data.checks import require_valid
from src.data.pack import pack
from src.data.sensorium import open_mice
from src.data.session import Session
from src.data.splits import official_split
from src.models.encoder import Encoder
from src.simulate.config import PRESETS
from src.simulate.mice import simulate_mice
from src.studies.sensorium2022 import SENSORIUM2022
from src.training.schedule import Schedule
from src.training.trainer import Run

MICE = 7
LIMIT = 2.5  # GB, the target


def peak_gb() -> float:
    """Largest resident memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def check_and_pack(folder: Path) -> None:
    """Validate and pack the simulated mouse."""
    (mouse,) = open_mice(folder / "raw")
    require_valid(mouse)
    pack(mouse, folder / "packed")


def train_steps(folder: Path, model: str, steps: int) -> None:
    """Read all trials of seven sessions, then train `steps` rounds of all seven."""
    plan = SENSORIUM2022.profile("full").plan(model)
    sessions = {f"mouse {m}": Session(folder / "packed", plan.model.inputs) for m in range(MICE)}
    for session in sessions.values():
        for part in np.array_split(np.arange(session.n_trials), session.n_trials // 128):
            session.batch(part)
    print(f"  all trials read:      {peak_gb():.2f} GB")
    splits = {key: official_split(session) for key, session in sessions.items()}
    batch = plan.training.batch_size
    few = {k: replace(s, train=s.train[: steps * batch]) for k, s in splits.items()}
    run = Run(Encoder(plan.model, sessions, 0), sessions, few, replace(plan.training, threads=1), 0)
    run.schedule = Schedule.start(plan.training, 0.0)
    run.train_epoch(1)
    print(f"  {steps} steps of {MICE} x {batch}:     {peak_gb():.2f} GB")


def measured(name: str, work: Callable[..., None], *arguments: object) -> None:
    """Run `work` in a fresh process and print its peak."""
    process = multiprocessing.get_context("spawn").Process(
        target=_report, args=(name, work, arguments)
    )
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def _report(name: str, work: Callable[..., None], arguments: tuple) -> None:
    began = perf_counter()
    work(*arguments)
    peak = peak_gb()
    verdict = "within" if peak < LIMIT else "ABOVE"
    seconds = perf_counter() - began
    print(f"{name}: {peak:.2f} GB resident, {verdict} {LIMIT} GB ({seconds:.0f} s)", flush=True)


def main() -> None:
    """Simulate, pack, read, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="cnn", choices=("cnn", "wide"))
    parser.add_argument("--trials", type=int, default=4620, help="training trials of the mouse")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keep the simulated mouse here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        config = replace(PRESETS["real_shape"], train=given.trials)
        measured("simulate", simulate_mice, folder / "raw", folder / "truth", config, 0)
        measured("check and pack one simulated mouse", check_and_pack, folder)
        measured(f"train {given.model} on seven", train_steps, folder, given.model, given.steps)


if __name__ == "__main__":
    main()
