"""What makes the compact model better: each of its choices taken back, one at a time.

    python tests/benchmarks/better.py PROCESSED [--members 2] [--jobs 2] [--epochs 20]

PROCESSED holds the packed simulated mice of the demo (data/processed/sensorium2022/demo). Prints
the validation score, single trials, of every variant and member, and the CPU-seconds of training.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import process_time

import pandas as pd
import torch

from src.config import ModelConfig, TrainingConfig
from src.data.session import open_sessions
from src.data.splits import member_splits
from src.models.encoder import Encoder
from src.seeds import member_seed
from src.studies.sensorium2022 import SENSORIUM2022
from src.training.trainer import train

PLAN = SENSORIUM2022.profile("demo").plan("compact")
MODEL, RECIPE = PLAN.model, PLAN.training
MODELS: dict[str, ModelConfig] = {
    "compact": MODEL,
    "behavior as planes, as published": replace(
        MODEL, modulator="none", modulator_penalty=0.0, behavior_in_core=True
    ),
    "modulators at no price": replace(MODEL, modulator_penalty=0.0),
    "gain only": replace(MODEL, modulator="gain"),
    "shifts that start at random": replace(MODEL, still=False),
    "no pupil": replace(MODEL, inputs=replace(MODEL.inputs, pupil=False), shifter=False),
    "positions that start at random": replace(
        MODEL, readout=replace(MODEL.readout, position_start="random")
    ),
    "positions drawn as published": replace(MODEL, readout=replace(MODEL.readout, init_sigma=0.1)),
    "bias from zero": replace(MODEL, readout=replace(MODEL.readout, bias_init="zero")),
    "three layers": replace(MODEL, core=replace(MODEL.core, layers=3)),
    "batch norm as published": replace(MODEL, core=replace(MODEL.core, batch_norm_momentum=0.9)),
}
RECIPES: dict[str, TrainingConfig] = {
    "no moving average": replace(RECIPE, average=0.0),
    "schedule in rounds": replace(RECIPE, schedule="fixed"),
    "batches of 32": replace(RECIPE, batch_size=32),
    "learning rate 0.01": replace(RECIPE, learning_rate=0.01),
}
VARIANTS = {name: (model, RECIPE) for name, model in MODELS.items()} | {
    name: (MODEL, recipe) for name, recipe in RECIPES.items()
}


def fit(name: str, member: int, processed: Path, epochs: int) -> tuple[str, int, float, float]:
    """Train one variant; its best validation score and its CPU-seconds."""
    torch.set_num_threads(1)
    model, recipe = VARIANTS[name]
    sessions = open_sessions(processed, model.inputs)
    splits = member_splits(sessions, PLAN.split, member, 42)[member - 1]
    seed, start = member_seed(42, member), process_time()
    with tempfile.TemporaryDirectory() as folder:
        history = train(
            Encoder(model, sessions, seed), sessions, splits, replace(recipe, max_epochs=epochs),
            seed, Path(folder), device="cpu", progress=False,
        )  # fmt: skip
    return name, member, history["best"].iloc[-1], process_time() - start


def main() -> None:
    """Train all variants side by side and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("processed", type=Path)
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--epochs", type=int, default=RECIPE.max_epochs)
    given = parser.parse_args()
    jobs = [
        (name, k, given.processed, given.epochs)
        for name in VARIANTS
        for k in range(1, given.members + 1)
    ]
    with ProcessPoolExecutor(given.jobs) as pool:
        rows = list(pool.map(fit, *zip(*jobs, strict=True)))
    table = pd.DataFrame(rows, columns=["variant", "member", "validation", "seconds"])
    wide = table.pivot_table("validation", "variant", "member", sort=False)
    wide["mean"] = wide.mean(axis=1)
    wide["seconds"] = table.groupby("variant")["seconds"].mean()
    print("validation correlation, single trials, simulated mice")
    print(wide.round(3).to_string())


if __name__ == "__main__":
    main()
