"""The winner's model and ours, trained side by side at full size: for a machine with a GPU.

    python tests/benchmarks/full_size.py [--mice 7] [--units 8000] [--train 4473] [--jobs 8]
        [--winner 20] [--ours 20] [--models wide compact] [--folder DIR] [--device cuda]

Simulates mice of the real shape (images of 144 x 256), packs them, and trains each model in a
process of its own, both on one device: the winner's with the published recipe, ours with a cosine
over its epochs and averaged weights, cores in bfloat16. Prints validation scores by epoch, seconds,
and the correlation with single trials of test images, which no choice was made on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from src.config import TrainingConfig
from src.data.pack import pack
from src.data.sensorium import open_mice
from src.data.session import open_sessions
from src.data.splits import official_split
from src.models.encoder import Encoder
from src.simulate.config import PRESETS, SimulatedMouse
from src.simulate.mice import simulate_mice
from src.studies.sensorium2022 import SENSORIUM2022
from src.training.device import pick_device
from src.training.parallel import Group
from src.training.trainer import train
from src.training.validation import validate


def simulated(folder: Path, number: int, given: argparse.Namespace) -> str:
    """One mouse, written in the published layout and packed."""
    mouse = SimulatedMouse(f"2{number:04}-1-1", units=given.units)
    config = replace(PRESETS["real_shape"], mice=(mouse,), train=given.train)
    own = folder / mouse.key
    simulate_mice(own / "raw", own / "truth", config, number)
    (recorded,) = open_mice(own / "raw")
    pack(recorded, folder / "packed" / mouse.key)
    return mouse.key


def recipe(model: str, given: argparse.Namespace) -> TrainingConfig:
    """As published for the winner; ours falls as a cosine, and its average is kept."""
    published = SENSORIUM2022.profile("full").plan(model).training
    if model == "wide":
        return replace(published, max_epochs=given.winner, autocast=True, threads=2)
    ours = {"schedule": "cosine", "average": 0.95, "learning_rate": 0.005, "threads": 2}
    return replace(TrainingConfig(), max_epochs=given.ours, autocast=True, **ours)


def trained(model: str, folder: Path, given: argparse.Namespace) -> None:
    """Train one model on all mice and print."""
    plan, start = SENSORIUM2022.profile("full").plan(model), perf_counter()
    sessions = open_sessions(folder / "packed", plan.model.inputs)
    splits = {key: official_split(session) for key, session in sessions.items()}

    def show(row: dict) -> None:
        values = f"{row['loss']:12.0f} {row['validation']:.4f} {perf_counter() - start:7.1f} s"
        print(f"{model:10s} epoch {row['epoch']:3d} {values}", flush=True)

    encoder, config = Encoder(plan.model, sessions, 42), recipe(model, given)
    train(encoder, sessions, splits, config, 42, folder / model, given.device, False, show)
    tested = {k: replace(s, validation=s.test) for k, s in splits.items()}
    device = pick_device(given.device)
    score, *_ = validate(encoder.to(device), sessions, tested, config, Group(device))
    print(f"{model}: test {score:.4f}, {perf_counter() - start:.0f} s", flush=True)


def main() -> None:
    """Simulate, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    numbers = {"mice": 7, "units": 8000, "train": 4473, "jobs": 8, "winner": 20, "ours": 20}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--models", nargs="+", default=["wide", "compact"])
    parser.add_argument("--folder", type=Path, help="keep the simulated mice here")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", choices=("mice", "models"), help="one half of the work")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, context = given.folder or Path(temporary), multiprocessing.get_context("spawn")
        if given.only != "models":
            start = perf_counter()
            with ProcessPoolExecutor(given.jobs, mp_context=context) as pool:
                made = [pool.submit(simulated, folder, m, given) for m in range(given.mice)]
                names = [one.result() for one in made]
            print(f"simulated {len(names)} mice in {perf_counter() - start:.0f} s", flush=True)
        if given.only != "mice":
            each = [context.Process(target=trained, args=(m, folder, given)) for m in given.models]
            for process in each:
                process.start()
            for process in each:
                process.join()


if __name__ == "__main__":
    main()
