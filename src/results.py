"""The summary of runs: each main score with its interval, beside the published number it may meet.

A root is a folder of figures as a run leaves it, <root>/<study>/<run>/tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from src.data.errors import DataError
from src.manifest import note_input
from src.studies import STUDIES
from src.studies.main_scores import MAIN_SCORES, MainScore

KEPT = ["study", "run", "data", "model", "scored on", "metric", "units", "ours", "low", "high"]
COLUMNS = [*KEPT, "published", "system", "source", "status", "difference", "no difference"]
SIMULATED = "simulated data"


def asked(study: str, run: str) -> list[MainScore]:
    """The main scores of one run: those named for it stand in place of others of the same name."""
    lines = [one for one in MAIN_SCORES[study] if one.runs in ("", run)]
    own = {_name(one) for one in lines if one.runs}
    return [one for one in lines if one.runs or _name(one) not in own]


def _name(one: MainScore) -> tuple:
    return one.table, one.model, one.metric, one.where


def run_scores(root: Path, study: str, run: str) -> pd.DataFrame:
    """The main scores that the tables of one run have: columns KEPT; none, if it was not run."""
    tables = {p.stem: p for p in sorted((root / study / run / "tables").glob("*.csv"))}
    names = {"scores", *(one.table for one in asked(study, run))} & set(tables)
    read = {name: _read(tables[name]) for name in sorted(names)}
    rows = []
    for one in asked(study, run):
        found = _first(read.get(one.table, pd.DataFrame()), one)
        if found is not None:
            data = _data(found, read, tables[one.table])
            about = found[one.named], found.get(one.place, ""), one.says, found.get(one.units, "")
            score = float(found[one.metric])
            rows.append((study, run, data, *about, score, *_interval(found, one, tables)))
    return pd.DataFrame(rows, columns=KEPT)


def _data(found: pd.Series, read: dict[str, pd.DataFrame], path: Path) -> str:
    """Whether a row is of recorded or simulated data: as itself says, or its run's scores."""
    if "data" in found:
        return found["data"]
    if "scores" in read:
        return read["scores"]["data"].iloc[0]
    raise DataError(
        f"{path}: no column data, nor tables/scores.csv, says whether {found.iloc[0]} was scored "
        "on recorded or simulated data: run its notebook again"
    )


def _read(path: Path) -> pd.DataFrame:
    """A table as its words: a mouse's or a session's name may look like a number."""
    return pd.read_csv(note_input(path), dtype=str, keep_default_na=False)


def _first(table: pd.DataFrame, one: MainScore) -> pd.Series | None:
    """The first row that a main score means and that has a value."""
    patterns = ((one.named, one.model), *one.where)
    if not {one.metric, *(name for name, _ in patterns)} <= set(table):
        return None
    meant = np.logical_and.reduce(
        [table[name].map(lambda text, p=p: fnmatchcase(text, p)) for name, p in patterns]
    )
    found = table[meant & (table[one.metric] != "")]
    return None if found.empty else found.iloc[0]


def _interval(found: pd.Series, one: MainScore, tables: dict[str, Path]) -> tuple[float, float]:
    """Ends of a score's interval, nan where its run wrote none; of the very same score only."""
    if one.interval:
        return tuple(float(found[name]) for name in one.interval)
    listed = next((tables[n] for n in ("intervals", "04_intervals") if n in tables), None)
    if listed is None or one.table != "scores":
        return np.nan, np.nan
    rows = _read(listed)
    same = (rows["model"] == found["model"]) & (rows["session"] == found["session"])
    rows = rows[same & (rows["metric"] == one.metric)]
    rows = rows[np.isclose(rows["score"].astype(float), float(found[one.metric]), atol=1e-6)]
    return (
        (np.nan, np.nan) if rows.empty else tuple(float(rows.iloc[0][n]) for n in ("low", "high"))
    )


def with_published(scores: pd.DataFrame) -> pd.DataFrame:
    """Main scores with the published numbers: columns COLUMNS.

    A difference is formed only where data, metric and split are the same; `no difference` says why
    not. Simulated data never differ from recorded ones by a number.
    """
    rows = []
    for row in scores.to_dict("records"):
        one = _asked_for(row)
        profile = row["run"] in STUDIES[row["study"]].profiles  # of the study's own kind of data
        if one.beside and (one.runs or profile):
            row |= {"published": one.beside.value, "system": one.beside.system}
            row |= {"source": one.beside.source, "status": one.beside.status}
            alike = row["data"] == "recorded" and row["run"] in one.alike
            why = SIMULATED if row["data"] == "simulated" else one.because
            row |= {"difference": row["ours"] - one.beside.value if alike else np.nan}
            row |= {"no difference": "" if alike else why}
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _asked_for(row: dict) -> MainScore:
    """The main score that a row came from."""
    for one in asked(row["study"], row["run"]):
        places = {p for name, p in one.where if name == one.place} or {"*"}
        same = fnmatchcase(row["model"], one.model) and one.says == row["metric"]
        if same and all(fnmatchcase(str(row["scored on"]), place) for place in places):
            return one
    name = f"{row['model']}, {row['metric']}, on {row['scored on']!r}"
    raise DataError(
        f"{row['study']}, run {row['run']}: {name} is none of src/studies/main_scores.py: keep the "
        "run again with python -m src.gallery"
    )


def brief(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that stand in the README, recorded data first."""
    chosen = table[[_asked_for(row).brief for row in table.to_dict("records")]]
    return chosen.sort_values("data", key=lambda data: data == "simulated", kind="stable")


def runs_of(root: Path, studies: Iterable[str] = tuple(MAIN_SCORES)) -> Iterator[tuple[str, str]]:
    """Studies and names of the runs that left tables in a root."""
    for study in studies:
        yield from ((study, p.parent.name) for p in sorted((root / study).glob("*/tables")))


def results_table(root: Path, runs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Main scores of some runs beside the published ones: columns COLUMNS."""
    found = [run_scores(root, study, run) for study, run in runs]
    found = [table for table in found if len(table)]
    return with_published(pd.concat(found) if found else pd.DataFrame(columns=KEPT))
