"""Does the compact model beat Dynamic-VFM on films, trained for a tenth of its price?

    python tests/benchmarks/films_accuracy.py PROCESSED [--seeds 4] [--first 0] [--epochs 6]
        [--share 10] [--forms coarse] [--jobs 1] [--ours]

PROCESSED holds the packed simulated mice of the demo (data/processed/sensorium2023/demo).
Dynamic-VFM is trained with the demo's recipe for EPOCHS, of which the demo has six. Forms of the
compact model see the same films from the same seeds, for as many epochs as its multiply-adds over
SHARE allow (of the core, forward and backward): the demo's network, one whose filters stand 8
pixels apart, one of half the channels, all in small batches, which cost the same and take more
steps. The score is the single-trial correlation on the main test films of the public mice, a mean
over units; oracle films choose the epoch. CPU-seconds are those of the whole training, validation
too. Differences are paired by seed, with a 95 % interval of Student's t.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
import torch
from scipy.stats import t

from src.analyses.contest import images_an_epoch
from src.correlation import pearson
from src.data.movies import MovieSession, open_movie_sessions
from src.data.splits import member_splits
from src.evaluation.movie_predictions import measured
from src.models.cost import training_multiply_adds
from src.models.encoder import Encoder
from src.models.stitching import predicted_trials, stitcher_of
from src.studies import STUDIES
from src.studies.records import Plan
from src.training.trainer import train

PROFILE = STUDIES["sensorium2023"].profile("demo")
THEIRS, COMPACT = PROFILE.plan("mean_2_4_8_16"), PROFILE.plan("compact")
COLUMNS = ["model", "seed", "price", "seconds", "validation", "test"]
TIERS = ("live_test_main", "final_test_main")


def _form(batch: int, **core: object) -> Plan:
    """The demo's compact model in other batches, with another core, for a short training."""
    model = replace(COMPACT.model, core=replace(COMPACT.model.core, **core))
    soon = {"batch_size": batch, "flat_epochs": 1, "warmup_steps": 4}
    return Plan(model, replace(COMPACT.training, **soon))


OURS = {"whole": _form(2), "coarse": _form(4, stride=8), "narrow": _form(2, channels=(6, 8))}


def main_score(encoder: Encoder, sessions: dict[str, MovieSession]) -> float:
    """Single-trial correlation on main test films of public mice, mean over all units."""
    scores = []
    for session in sessions.values():
        trials = np.concatenate([session.trials(tier) for tier in TIERS])
        if session.withheld_trials(trials).any():
            continue
        made = predicted_trials([encoder], session, trials, stitcher_of(encoder))
        predicted = np.concatenate([values[0] for _, values in made])
        scores.append(pearson(measured(session, trials), predicted))
    return float(np.concatenate(scores).mean())


def price(plan: Plan, sessions: dict[str, MovieSession], epochs: int) -> float:
    """Of a training of so many epochs, in 10^12 multiply-adds."""
    clips = epochs * images_an_epoch(member_splits(sessions, plan.split, 1, 0)[0], plan.training)
    return training_multiply_adds(Encoder(plan.model, sessions, 0), clips) / 1e12


def fit(name: str, plan: Plan, processed: Path, epochs: int, seed: int) -> tuple:
    """Train once; name, seed, 10^12 multiply-adds, CPU-seconds, validation and test score."""
    torch.set_num_threads(1)
    sessions = open_movie_sessions(processed, plan.model.inputs)
    split = member_splits(sessions, plan.split, 1, seed)[0]
    encoder, start = Encoder(plan.model, sessions, seed), process_time()
    recipe = plan.training
    recipe = replace(recipe, max_epochs=epochs, flat_epochs=min(recipe.flat_epochs, epochs - 1))
    with tempfile.TemporaryDirectory() as folder:
        given = encoder, sessions, split, recipe, seed, Path(folder)
        history = train(*given, device="cpu", progress=False)
    spent, best = process_time() - start, history["best"].iloc[-1]
    return name, seed, price(plan, sessions, epochs), spent, best, main_score(encoder, sessions)


def compare(table: pd.DataFrame) -> None:
    """Print how much better each form is than Dynamic-VFM, on oracle and on test films."""
    theirs = THEIRS.model.name
    costs = table.groupby("model", sort=False)[["price", "seconds"]].mean()
    for name in costs.index.drop(theirs):
        share = costs.loc[theirs] / costs.loc[name]
        print(
            f"{name}: 1/{share.price:.1f} of the multiply-adds, 1/{share.seconds:.1f} of the CPU-s"
        )
        for part in ("validation", "test"):
            scores = table.pivot(index="seed", columns="model", values=part)
            gain = (scores[name] - scores[theirs]).to_numpy()
            said = f"  {part}: {gain.mean():+.3f} over {len(gain)} seeds"
            if len(gain) > 1:
                half = t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
                said += f" ({gain.mean() - half:+.3f} to {gain.mean() + half:+.3f})"
            print(said)


def main() -> None:
    """Train every model from each seed, print the scores."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("processed", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first", type=int, default=0, help="seed")
    parser.add_argument("--epochs", type=int, default=6, help="of theirs")
    parser.add_argument("--share", type=float, default=10, help="theirs costs so many of ours")
    parser.add_argument("--forms", nargs="+", default=list(OURS), choices=OURS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--ours", action="store_true", help="train ours alone")
    given = parser.parse_args()
    sessions = open_movie_sessions(given.processed, THEIRS.model.inputs)
    budget = price(THEIRS, sessions, given.epochs) / given.share
    runs = [] if given.ours else [(THEIRS.model.name, THEIRS, given.epochs)]
    for name in given.forms:
        epochs = int(budget / price(OURS[name], sessions, 1))
        runs += [(name, OURS[name], epochs)] if epochs else []
    seeds = range(given.first, given.first + given.seeds)
    jobs = [(name, plan, given.processed, e, seed) for seed in seeds for name, plan, e in runs]
    rows = []
    with ProcessPoolExecutor(given.jobs) as pool:
        for row in pool.map(fit, *zip(*jobs, strict=True)):
            rows.append(row)
            name, seed, cost, seconds, best, test = row
            said = f"{cost:.4f} 10^12, {seconds:.0f} CPU-s, validation {best:.3f}, test {test:.3f}"
            print(f"{name}, seed {seed}: {said}", flush=True)
    if not given.ours:
        compare(pd.DataFrame(rows, columns=COLUMNS))


if __name__ == "__main__":
    main()
