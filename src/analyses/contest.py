"""What a contest between models comes to: what each one's training cost, and what it scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from src.config import InputConfig, TrainingConfig
from src.data.session import open_sessions
from src.data.splits import Split, member_splits
from src.manifest import note_input
from src.models.cost import multiply_adds, training_multiply_adds
from src.models.encoder import Encoder
from src.paths import RunPaths
from src.studies.records import Plan, Profile

Opener = Callable[[Path, InputConfig], Mapping[str, Any]]  # sessions of images, or of films
COLUMNS = ["model", "member", "parameters", "million_an_image", "epochs", "own", "teachers"]


def price_table(
    settings: Profile,
    places: RunPaths,
    seed: int,
    models: Sequence[str] = (),
    opened: Opener = open_sessions,
) -> pd.DataFrame:
    """What training cost, in 10^12 multiply-adds of the core: a row a member of each contestant.

    `own`: images, or clips, seen in its training, forward and backward. `teachers`: the same for
    all members whose predictions it learned from. Validation, readouts and predictions are left
    out. `models` instead of those of the profile's contest.
    """
    rows, given = [], (places, seed, opened)
    for name in models or settings.contest:
        plan = settings.plan(name)
        taught = _members(settings.plan(plan.teacher), *given) if plan.teacher else []
        teachers = sum(own for *_, own in taught)
        rows += [(name, *row, teachers) for row in _members(plan, *given)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _members(plan: Plan, places: RunPaths, seed: int, opened: Opener) -> list[tuple]:
    """Number, parameters, million multiply-adds an image, epochs, and price of each member."""
    sessions = opened(places.processed, plan.model.inputs)
    encoder = Encoder(plan.model, sessions, seed)
    size = sum(weights.numel() for weights in encoder.parameters())
    rows = []
    splits = member_splits(sessions, plan.split, plan.members, seed)
    for member, split in enumerate(splits, 1):
        folder = places.member(plan.model.name, member)
        epochs = len(pd.read_csv(note_input(folder / "history.csv")))
        seen = epochs * images_an_epoch(split, plan.training)
        price = training_multiply_adds(encoder, seen) / 1e12
        rows.append((member, size, multiply_adds(encoder) / 1e6, epochs, price))
    return rows


def images_an_epoch(split: Mapping[str, Split], recipe: TrainingConfig) -> int:
    """Images, or clips, that an epoch shows: as many of each session as the largest one has.

    Where the recipe says how many steps an epoch has, that many batches of each.
    """
    largest = max(len(s.train) for s in split.values())
    steps = recipe.steps_per_epoch
    return (steps * recipe.batch_size if steps else largest) * len(split)


def cpu_seconds(
    settings: Profile, places: RunPaths, models: Sequence[str] = ()
) -> dict[str, float]:
    """Seconds of this machine's processor that the training notebooks of each contestant took.

    The mean over its members, and all members of its teacher. Left out where a run is not recorded.
    """
    found = {}
    for name in models or settings.contest:
        plan = settings.plan(name)
        own = _seconds(plan, places)
        taught = _seconds(settings.plan(plan.teacher), places) if plan.teacher else [0.0]
        if own and taught:
            found[name] = sum(own) / len(own) + sum(taught)
    return found


def _seconds(plan: Plan, places: RunPaths) -> list[float]:
    """CPU seconds of the notebooks that trained a plan's members; none if one is not recorded."""
    runs = (f"02_train_{plan.model.name}_{k}.json" for k in range(1, plan.members + 1))
    records = [places.records / run for run in runs]
    if not all(path.is_file() for path in records):
        return []
    return [json.loads(path.read_text())["cpu_seconds"] for path in records]


def summary_table(
    price: pd.DataFrame, scores: pd.DataFrame, differences: pd.DataFrame, metric: str = "avg"
) -> pd.DataFrame:
    """A row a contestant, alone and as an ensemble: size, price, score, difference to the last.

    price: as `price_table`. scores: columns model, metric, score, low, high. differences: columns
    model, other, metric, difference, low, high. A single model's score and price are means over
    members; an ensemble, "name x k", costs all its members, and their teachers once.
    """
    chosen = scores[scores["metric"] == metric].set_index("model")
    apart = differences[differences["metric"] == metric].set_index("model")
    rows = []
    for name, members in price.groupby("model", sort=False):
        own, teachers = members["own"], members["teachers"].iloc[0]
        costs = {name: own.mean() + teachers, f"{name} x {len(members)}": own.sum() + teachers}
        for system, cost in costs.items():
            if system in chosen.index:
                score = chosen.loc[system, ["score", "low", "high"]]
                gain = apart.reindex([system])[["difference", "low", "high"]].iloc[0]
                rows.append((system, members["parameters"].iloc[0], cost, *score, *gain))
    names = ["score", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=["model", "parameters", "training", *names])
