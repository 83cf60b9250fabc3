"""What a search found, as a file, and the plan that is trained with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from src import manifest
from src.config import as_plain
from src.data.errors import DataError
from src.paths import RunPaths
from src.studies.records import Plan

NAME = "found.json"  # in the folder of a search


def best_trial(trials: pd.DataFrame) -> pd.Series:
    """The row of the complete trial with the largest score, the first of equals."""
    complete = trials[trials["state"] == "complete"]
    if complete.empty:
        counts = trials["state"].value_counts().to_dict()
        raise DataError(
            f"no trial is complete, of {len(trials)}: {counts}; lower the learning rates, raise "
            "the number of trials, or look for NaN in the responses"
        )
    return complete.loc[complete["score"].idxmax()]


def save_found(plan: Plan, trials: pd.DataFrame, values: dict[str, Any], path: Path) -> Path:
    """Write the values of the best trial, and the plan they make."""
    best = best_trial(trials)
    content = {
        "searched": manifest.fingerprint(as_plain(plan)),
        "trial": int(best["trial"]),
        "trials": len(trials),
        "score": float(best["score"]),
        "values": values,
        "plan": as_plain(plan.varied(values)),
    }
    return manifest.save_json(content, path)


def found_plan(plan: Plan, places: RunPaths) -> Plan:
    """The plan as 02_search left it: with the values it found, or as it is if none are searched.

    DataError if the search has not ended, or was one of another plan.
    """
    if not plan.search:
        return plan
    path = places.search(plan.model.name) / NAME
    remedy = f"run 02_search with model={plan.model.name}"
    if not path.is_file():
        raise DataError(f"{path} is not there, where a search leaves what it found: {remedy}")
    content = json.loads(manifest.note_input(path).read_text())
    if content["searched"] != manifest.fingerprint(as_plain(plan)):
        raise DataError(f"{path} is of another plan or search of {plan.model.name!r}: {remedy}")
    found = content["values"].items()
    return plan.varied({n: tuple(v) if isinstance(v, list) else v for n, v in found})
