"""What is planted in simulated mice is found again, and what is not planted is not.

    python tests/benchmarks/accuracy.py [--train 600] [--jobs 2] [--folder DIR]
    python tests/benchmarks/accuracy.py --world "box effect" --seeds 3   # one simulation only

Simulates small populations with known truth, trains the demo's models on them, and prints the
exercises of the specification's section 14 that need trained models: mean differences over units
with 95 % intervals over test images and seeds, from the functions of 04_evaluate. All data are
simulated.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from src.analyses.retinotopy import fit_affine, held_out_r2, shuffled_null
from src.data.pack import pack
from src.data.sensorium import open_mice
from src.data.session import Session, open_sessions
from src.data.splits import member_splits
from src.evaluation.ensemble import out_of_fold
from src.evaluation.intervals import SessionResults, comparison_table, interval_table
from src.evaluation.prediction import predict, prediction_of
from src.models.encoder import Encoder
from src.seeds import member_seed, numpy_stream
from src.simulate.config import PRETRAINING, SimulatedMouse, SimulationConfig
from src.simulate.mice import simulate_mice
from src.simulate.truth import load_truth
from src.studies.records import Plan
from src.studies.sensorium2022 import SENSORIUM2022
from src.training.trainer import train

DEMO = SENSORIUM2022.profile("demo")
COMPACT = DEMO.plan("compact")
BLIND = replace(
    COMPACT.model,
    name="compact, blind to behavior",
    inputs=replace(COMPACT.model.inputs, behavior=False, pupil=False),
    shifter=False,
    modulator="none",
    modulator_penalty=0.0,
    behavior_in_core=True,
)
PLANS: Mapping[str, Plan] = {
    plan.model.name: plan
    for plan in (
        *(DEMO.plan(name) for name in ("ln", "cnn")),
        *(COMPACT, replace(COMPACT, model=BLIND)),
        *DEMO.asked("14_fig_boxes"),
    )
}
WORLDS: Mapping[str, dict[str, float]] = {
    "default": {},
    "no behavior effect": {"behavior_additive": 0.0, "behavior_gain": 0.0, "pupil_shift": 0.0},
    "box effect": {"box_effect": 1.0},
}
COMPARISONS = (  # world, model, other, what section 14 expects of the difference
    ("default", "cnn", "ln", "above 0"),
    ("default", "compact", BLIND.name, "above 0"),
    ("no behavior effect", "compact", BLIND.name, "covers 0"),
    ("box effect", "box_true", "box_full_frame", "above 0"),
    ("box effect", "box_true", "box_shuffled", "above 0"),
    ("box effect", "box_true", "box_none", "above 0"),
    ("box effect", "box_shuffled", "box_none", "covers 0"),
    ("default", "box_true", "box_shuffled", "covers 0"),
)
FOLDS = 3


def prepare(folder: Path, world: str, images: int) -> None:
    """Simulate and pack the mice of one world."""
    mice = tuple(SimulatedMouse(key, units=48) for key, _ in PRETRAINING[:3])
    sizes = {"train": images, "validation": 100, "test_images": 60}
    simulate_mice(
        folder / "raw", folder / "truth", SimulationConfig(mice, **sizes, **WORLDS[world]), 1
    )
    for mouse in open_mice(folder / "raw"):
        pack(mouse, folder / "packed" / mouse.key)


def fit(
    folder: Path, plan: Plan, fold: int | None = None, member: int = 1
) -> tuple[Encoder, dict[str, Session], dict]:
    """Train a model on a world, on its official split or on one of three folds."""
    model = plan.model
    torch.set_num_threads(1)
    sessions = open_sessions(folder / "packed", model.inputs)
    kind, member = ("official", member) if fold is None else ("kfold", fold)
    splits = member_splits(sessions, kind, max(FOLDS, member), 42)[member - 1]
    seed = member_seed(42, member)
    encoder = Encoder(model, sessions, seed)
    place = folder / "runs" / f"{model.name} {kind} {member}"
    train(encoder, sessions, splits, plan.training, seed, place, device="cpu", progress=False)
    return encoder, sessions, splits


def test_predictions(folder: Path, plan: Plan, seeds: int) -> dict[str, np.ndarray]:
    """Predictions of the test trials of every mouse, (k, n, u) from k seeds."""
    found: dict[str, list[np.ndarray]] = {}
    for k in range(1, seeds + 1):
        encoder, sessions, _ = fit(folder, plan, member=k)
        for key, s in sessions.items():
            found.setdefault(key, []).append(predict(encoder, s, s.trials("test"), device="cpu"))
    return {key: np.stack(members) for key, members in found.items()}


def results(
    folder: Path, predictions: Mapping[str, Mapping[str, np.ndarray]]
) -> list[SessionResults]:
    """Responses and predictions by session, for the tables of 04_evaluate."""
    found = []
    for key, s in open_sessions(folder / "packed", BLIND.inputs).items():
        test = s.trials("test")
        by_model = {name: p[key] for name, p in predictions.items()}
        found.append(SessionResults(key, s.image_ids[test], s.responses(test).numpy(), by_model))
    return found


def compare(root: Path, jobs: int, seeds: int, worlds: Sequence[str]) -> pd.DataFrame:
    """Train every model the comparisons need; a row a comparison with its interval and verdict."""
    comparisons = [c for c in COMPARISONS if c[0] in worlds]
    needed = {(w, m) for w, *models, _ in comparisons for m in models}
    with ProcessPoolExecutor(jobs) as pool:
        runs = {
            (world, name): pool.submit(test_predictions, root / world, PLANS[name], seeds)
            for world, name in sorted(needed)
        }
        found = {key: run.result() for key, run in runs.items()}
    rows = []
    for world, model, other, expected in comparisons:
        both = results(root / world, {m: found[world, m] for m in (model, other)})
        table = comparison_table(both, [(model, other)], numpy_stream(0, world))
        mean = table[table["session"].str.startswith("mean") & (table["metric"] == "single")]
        row = mean.iloc[0]
        held = row["low"] > 0 if expected == "above 0" else row["low"] <= 0 <= row["high"]
        numbers = [row[c] for c in ("difference", "low", "high", "units_better")]
        rows.append((world, model, other, *numbers, expected, "yes" if held else "NO"))
    names = ["world", "model", "other", "difference", "low", "high", "units_better"]
    return pd.DataFrame(rows, columns=[*names, "expected", "held"])


def folds(root: Path, jobs: int) -> pd.DataFrame:
    """Out-of-fold score of all training images beside the members' mean test score, interval."""
    folder = root / "default"
    with ProcessPoolExecutor(jobs) as pool:
        members = list(
            pool.map(fit, *zip(*((folder, PLANS[BLIND.name], k) for k in (1, 2, 3)), strict=True))
        )
    sessions = members[0][1]
    rows = []
    for key, s in sessions.items():
        parts = [prediction_of(e, s, split[key].test, {}, device="cpu") for e, _, split in members]
        held_out = out_of_fold(parts)
        trials = np.flatnonzero(np.isin(s.trial_ids, held_out.trial_ids))
        assert len(trials) == len(held_out.trial_ids) == sum(len(p.trial_ids) for p in parts)
        order = np.argsort(held_out.trial_ids)[np.argsort(np.argsort(s.trial_ids[trials]))]
        responses = s.responses(trials).numpy()
        everything = SessionResults(
            key, s.image_ids[trials], responses, {"oof": held_out.values[order]}
        )
        test = s.trials("test")
        single = {"test": np.stack([predict(e, s, test, device="cpu") for e, _, _ in members])}
        tested = SessionResults(key, s.image_ids[test], s.responses(test).numpy(), single)
        both = [interval_table([x], numpy_stream(0, key)).iloc[0] for x in (everything, tested)]
        oof, test_row = (row["score"] for row in both)
        inside = both[1]["low"] <= oof <= both[1]["high"]
        rows.append((key, len(trials), oof, test_row, both[1]["low"], both[1]["high"], inside))
    names = ["session", "trials", "out of fold", "test", "low", "high", "within"]
    return pd.DataFrame(rows, columns=names)


def retinotopy(root: Path) -> pd.DataFrame:
    """Learned positions against the simulated receptive-field centers, and the shuffled null."""
    encoder, sessions, _ = fit(root / "default", PLANS[BLIND.name])
    rows = []
    for key, session in sessions.items():
        mu = encoder.readouts[key].mu.detach().numpy()
        centers = load_truth(root / "default" / "truth" / f"{key}.npz").cortex.rf_centers
        soma = session.coordinates[:, :2]
        null = shuffled_null(soma, mu, numpy_stream(0, "null", key), 200)
        held = held_out_r2(soma, mu, numpy_stream(0, "folds", key))
        rows.append((key, fit_affine(mu, centers).r2, float(held), null.mean(), null.max()))
    names = ["session", "R2 truth from mu", "R2 mu from soma", "shuffled mean", "shuffled max"]
    return pd.DataFrame(rows, columns=names)


def main() -> None:
    """Simulate, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", type=int, default=600, help="training images a mouse")
    parser.add_argument("--seeds", type=int, default=1, help="members whose scores are averaged")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="keep everything here, and continue from it")
    parser.add_argument("--world", choices=WORLDS, help="one of the simulations; default: all")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = given.folder or Path(temporary)
        worlds = [given.world] if given.world else list(WORLDS)
        for world in worlds:
            prepare(root / world, world, given.train)
        table = compare(root, given.jobs, given.seeds, worlds)
        show("Paired differences in single-trial correlation", table)
        if "default" in worlds:
            show("Learned positions, simulated mice", retinotopy(root))
            show("K-fold, single-trial correlation", folds(root, given.jobs))


def show(title: str, table: pd.DataFrame) -> None:
    """Print one table under its title."""
    print(f"\n{title}\n{table.round(3).to_string(index=False)}", flush=True)


if __name__ == "__main__":
    main()
