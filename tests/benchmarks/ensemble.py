"""Cost of predicting with M members at once, against M predictions with one member.

    python tests/benchmarks/ensemble.py [--model wide] [--profile demo] [--members 10] [--rounds 5]

Simulates and packs the mice of the demo, and predicts all trials of one mouse, batch by batch, with
M untrained members: together, and each alone. The two take turns; the shortest CPU time of each
counts. Prints their ratio (target: below 1.1) and how many batches each way read.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from src.data.pack import pack
from src.data.sensorium import open_mice
from src.data.session import Session
from src.evaluation.prediction import outputs
from src.models.encoder import Encoder
from src.seeds import member_seed
from src.simulate.config import PRESETS
from src.simulate.mice import simulate_mice
from src.studies.sensorium2022 import SENSORIUM2022


class Counting:
    """A session that counts the batches it hands out."""

    def __init__(self, session: Session) -> None:
        self.session, self.batches = session, 0

    def __getattr__(self, name: str):
        return getattr(self.session, name)

    def batch(self, *arguments):
        self.batches += 1
        return self.session.batch(*arguments)


def seconds(encoders: list[Encoder], session: Counting) -> tuple[float, int, list[np.ndarray]]:
    """CPU seconds of predicting all trials, the batches read, and the outputs."""
    session.batches, began = 0, time.process_time()
    y = outputs(encoders, session, np.arange(session.n_trials), "cpu", batch_size=32)
    return time.process_time() - began, session.batches, list(y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="wide")
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    model = SENSORIUM2022.profile(given.profile).plan(given.model).model
    preset = PRESETS["demo"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_mice(folder / "raw", folder / "truth", replace(preset, mice=preset.mice[:1]), 1)
        (mouse,) = open_mice(folder / "raw")
        pack(mouse, folder / "packed")
        session = Counting(Session(folder / "packed", model.inputs))
        seeds = [member_seed(42, m) for m in range(1, given.members + 1)]
        encoders = [Encoder(model, {session.key: session.session}, seed) for seed in seeds]
        together, apart = [], []
        for _ in range(given.rounds):
            spent, read_together, values = seconds(encoders, session)
            together.append(spent)
            singles = [seconds([encoder], session) for encoder in encoders]
            apart.append(sum(single[0] for single in singles))
            equal = all(
                np.array_equal(v, one) for v, (*_, (one,)) in zip(values, singles, strict=True)
            )
    print(f"{given.members} members of {given.model}, {session.n_trials} trials")
    print(f"  together {min(together):.2f} s, {read_together} batches read")
    print(f"  apart    {min(apart):.2f} s, {sum(s[1] for s in singles)} batches read")
    print(f"  ratio    {min(together) / min(apart):.3f}; same bytes: {equal}")


if __name__ == "__main__":
    main()
