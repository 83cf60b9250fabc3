"""Training steps at full size on a GPU: seconds, memory and the share of the card's own peak.

    python tests/benchmarks/gpu.py [mice films brains pictures] [--device cpu] [--steps 6] [--small]

mice: seven simulated mice of the real shape, 8000 units each, images of 144 x 256, 128 trials of
each a step, from packed files; the winner's model and ours. films: ten mice of 7863 units, 32 clips
of 30 frames of one mouse a step; Dynamic-VFM and ours. One mouse stands on disk, all of a kind read
it. brains: GNet on stored maps of 100 images for the 4627 voxels of NSD's first subject. pictures:
CORnets at 64 pixels, random pictures. Operations are those of convolutions, products
and attention, two a multiply-add, counted in the step itself; peak is a product of square matrices.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from gnet_step import make_run
from torch.utils.flop_counter import FlopCounterMode
from video_loading import write_mouse

from src.config import TrainingConfig
from src.data.movie_mouse import open_movie_mouse
from src.data.movie_pack import pack_movies
from src.data.movies import MovieSession
from src.data.pack import pack
from src.data.sensorium import open_mice
from src.data.session import Session
from src.data.splits import Split
from src.models.encoder import Encoder
from src.models.pretrained import random_network
from src.models.registry import cornet_record
from src.seeds import numpy_stream, stream
from src.simulate.config import PRESETS
from src.simulate.mice import simulate_mice
from src.studies.nsd_gnet import RECIPE, SIZES
from src.studies.records import Plan
from src.studies.sensorium2022 import SENSORIUM2022
from src.studies.sensorium2023 import SENSORIUM2023
from src.training.device import bfloat16
from src.training.schedule import Schedule
from src.training.trainer import Run

TRIALS, MICE = 4473, 7  # training trials of a mouse of 2022, in batches of 128
SESSION_TRIALS = 750  # of NSD, in each scan session; at most, as some are held out
CLIPS, FILM_MICE, FILM_TRIALS = 32, 10, 300
PRECISIONS = {"float32": False, "bfloat16 core": True}
Step = Callable[[], Any]


def wait(device: str) -> float:
    """Until the device has done all it was asked; the time then."""
    if device == "cuda":
        torch.cuda.synchronize()
    return perf_counter()


def seconds(step: Step, device: str, steps: int) -> float:
    """Mean time of a step, after two that warm up."""
    for _ in range(2):
        step()
    start = wait(device)
    for _ in range(steps):
        step()
    return (wait(device) - start) / steps


def peak(dtype: torch.dtype, device: str, size: int) -> float:
    """Speed of a product of random matrices, 1e12 operations a second."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2e-12 * size**3 / seconds(lambda: a @ b, device, 10)


def operations(step: Step) -> float:
    """1e12 operations of one step."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 1e12


def measured(name: str, step: Step, given: argparse.Namespace, best: float) -> float:
    """Print a row of the table; seconds a step."""
    counted = operations(step)
    if given.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    took = seconds(step, given.device, given.steps)
    memory = torch.cuda.max_memory_allocated() / 1e9 if given.device == "cuda" else float("nan")
    speed = counted / took
    row = f"{took:.4f} | {memory:.1f} | {counted:.2f} | {speed:.1f} | {speed / best:.1%}"
    print(f"| {name} | {row} |", flush=True)
    return took


def a_run(plan: Plan, sessions: dict[str, Any], autocast: bool, given: argparse.Namespace) -> Run:
    """A training that has begun."""
    recipe: TrainingConfig = replace(plan.training, autocast=autocast)
    if given.small:
        recipe = replace(recipe, batch_size=4)
    encoder = Encoder(plan.model, sessions, 0).to(given.device).train()
    rows = {k: np.arange(s.n_trials) for k, s in sessions.items()}
    run = Run(encoder, sessions, {k: Split(r, r, r) for k, r in rows.items()}, recipe, 0)
    run.schedule = Schedule.start(recipe, 0.0)
    return run


def mice(folder: Path, given: argparse.Namespace, peaks: dict[bool, float]) -> None:
    """The winner's model and ours on seven mice."""
    config = replace(PRESETS["real_shape"], train=128, validation=16, test_images=2)
    if given.small:
        mouse = replace(config.mice[0], units=80)
        config = replace(config, mice=(mouse,))
    simulate_mice(folder / "raw", folder / "truth", config, 0)
    (mouse,) = open_mice(folder / "raw")
    pack(mouse, folder / "packed")
    for model in ("wide", "wide_plus", "compact", "cnn", "vit"):
        plan = SENSORIUM2022.profile("full").plan(model)
        sessions = {f"mouse {m}": Session(folder / "packed", plan.model.inputs) for m in range(7)}
        for name, autocast in PRECISIONS.items():
            run = a_run(plan, sessions, autocast, given)
            batch = run.config.batch_size
            noise, shifts = stream(0, device=run.device), stream(1)
            index = {k: np.arange(batch) % s.n_trials for k, s in sessions.items()}

            def step(run=run, index=index, noise=noise, shifts=shifts) -> None:
                with bfloat16(run.encoder.core, run.config.autocast):
                    run.step(index, noise, shifts, [])

            took = measured(f"{model}, {name}", step, given, peaks[autocast])
            loaded = seconds(
                lambda sessions=sessions, index=index: [
                    s.batch(index[k], given.device) for k, s in sessions.items()
                ],
                given.device,
                given.steps,
            )
            each = -(-TRIALS // batch)
            print(f"  {took * each:.1f} s an epoch of {each} steps; loading {loaded / took:.0%}")


def films(folder: Path, given: argparse.Namespace, peaks: dict[bool, float]) -> None:
    """Dynamic-VFM and ours on ten mice."""
    units, raw = 80 if given.small else 7863, folder / "dynamic1-2-3-Video-simulated"
    write_mouse(raw, 6, units)
    places = np.random.default_rng(1).integers(0, 600, (units, 3))
    np.save(raw / "meta/neurons/cell_motor_coordinates.npy", places)
    pack_movies(open_movie_mouse(raw), folder / "films" / "a")
    for model in ("mean_2_4_8_16", "compact", "factorized"):
        plan = SENSORIUM2023.profile("full").plan(model)
        opened = [MovieSession(folder / "films" / "a", plan.model.inputs) for _ in range(10)]
        sessions = {f"mouse {m}": s for m, s in enumerate(opened)}
        for name, autocast in PRECISIONS.items():
            run = a_run(plan, sessions, autocast, given)
            turns: Iterator[str] = iter(list(sessions) * 10)
            noise, shifts, crops = stream(0, device=run.device), stream(1), numpy_stream(0)
            index = np.arange(run.config.batch_size) % 6

            def step(run=run, turns=turns, noise=noise, shifts=shifts, crops=crops, index=index):
                with bfloat16(run.encoder.core, run.config.autocast):
                    run.step({next(turns): index}, noise, shifts, [], crops)

            took = measured(f"{model}, {name}", step, given, peaks[autocast])
            each = -(-FILM_TRIALS // run.config.batch_size) * FILM_MICE
            hours = took * each * run.config.max_epochs / 3600
            print(f"  {hours:.1f} h a model of {run.config.max_epochs} epochs of {each} steps")


def brains(_: Path, given: argparse.Namespace, peaks: dict[bool, float]) -> None:
    """GNet on the largest subject."""
    batch, voxels = (4, 40) if given.small else (100, sum(SIZES["subj01"][:4]))
    run = make_run("stored", batch, voxels, device=given.device)
    rows, noise, shifts = {"a": np.arange(batch)}, stream(0, device=run.device), stream(1)
    took = measured(
        "GNet8j, float32", lambda: run.step(rows, noise, shifts, []), given, peaks[False]
    )
    steps = sum(SESSION_TRIALS * size[4] // batch for size in SIZES.values())
    hours = took * steps * RECIPE.max_epochs / 3600
    print(f"  {hours:.1f} h a model of {RECIPE.max_epochs} epochs of {steps} steps")


def pictures(_: Path, given: argparse.Namespace, peaks: dict[bool, float]) -> None:
    """CORnets that learn to name random pictures."""
    size = 8 if given.small else 256
    images = torch.randn(size, 3, 64, 64, generator=stream(0)).to(given.device)
    labels = torch.arange(size, device=given.device) % 1000
    for letter in ("z", "r", "rt", "s"):
        for name, autocast in PRECISIONS.items():
            network = random_network(cornet_record(letter), 0).module.to(given.device).train()
            optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)

            def step(network=network, optimizer=optimizer, autocast=autocast) -> None:
                optimizer.zero_grad()
                with torch.autocast(given.device, torch.bfloat16, enabled=autocast):
                    loss = F.cross_entropy(network(images), labels)
                loss.backward()
                optimizer.step()

            took = measured(f"CORnet-{letter.upper()}, {name}", step, given, peaks[autocast])
            print(f"  {size / took:.0f} pictures a second")


if __name__ == "__main__":
    kinds = {"mice": mice, "films": films, "brains": brains, "pictures": pictures}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kinds", nargs="*", default=list(kinds))
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--small", action="store_true", help="to see that it runs")
    given = parser.parse_args()
    matrix = 512 if given.small else 8192
    found = {d: peak(d, given.device, matrix) for d in (torch.float32, torch.bfloat16)}
    if given.device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        found["tf32"] = peak(torch.float32, given.device, matrix)
        torch.backends.cuda.matmul.allow_tf32 = False
        print(torch.cuda.get_device_name(), torch.__version__)
    print({str(k): f"{v:.1f} TFLOP/s" for k, v in found.items()})
    peaks = {False: found.get("tf32", found[torch.float32]), True: found[torch.bfloat16]}
    for kind in given.kinds:
        print(f"\n### {kind}\n\n| model | s a step | GB | TFLOP | TFLOP/s | of peak |")
        print("|---|---|---|---|---|---|")
        with tempfile.TemporaryDirectory() as temporary:
            kinds[kind](Path(temporary), given, peaks)
