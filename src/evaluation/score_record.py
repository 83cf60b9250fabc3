"""One score as it is kept: what was compared with what, how, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from src.data.errors import DataError
from src.evaluation.bootstrap import interval
from src.evaluation.normalization import VERSIONS, Version, all_forms
from src.evaluation.resampling import normal_interval, paired_p
from src.manifest import fingerprint, save_arrays, save_table

ARRAYS = ("by_split", "unit_ceilings", "samples")  # of a record's npz file


@dataclass(frozen=True)
class Source:
    """Where responses come from, as a record states it."""

    study: str = "own"
    session: str = "all"  # animal or subject
    data: str = ""  # name of the data set
    split: str = "all"  # part of it that was scored on: public, private, train, ...
    access: str = "own"  # own, public, private


@dataclass(frozen=True, eq=False)
class ScoreRecord:
    """A row of `scores.csv`, with arrays by split, unit and resample beside it.

    raw and its error are as the metric defines them, in units of r; ceiling is a reliability c, nan
    where unknown; ceiled is the formula named by version; ci_low and ci_high are limits of raw.
    """

    study: str
    session: str
    data: str
    split: str
    access: str
    model: str
    weights: str
    layer: str
    step: int
    region: str
    time_bin: str  # start-end ms, or empty
    metric: str
    version: Version
    n_images: int
    n_units: int
    raw: float
    error: float
    ceiling: float
    ceiled: float
    ceiled_units: float  # the formula by unit, then the mean; nan where it has no units
    ci_low: float
    ci_high: float
    interval: str  # how the limits were made: bootstrap, jackknife, or none
    seed: int
    seconds: float
    features_hash: str
    data_hash: str
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse a version that is none, and arrays by other names than `ARRAYS`."""
        if self.version not in VERSIONS:
            raise DataError(f"version {self.version!r}: choose of {', '.join(VERSIONS)}")
        if unknown := set(self.arrays) - set(ARRAYS):
            raise DataError(f"arrays {sorted(unknown)} of a record: only {', '.join(ARRAYS)}")

    @property
    def id(self) -> str:
        """Names the record's file: changes with all that a score depends on, not with its value."""
        stated = {name: value for name, value in self.stated().items() if name not in RESULTS}
        return fingerprint({**stated, "step": int(self.step)})[:12]

    def stated(self) -> dict[str, Any]:
        """All plain fields by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "arrays"}

    def row(self) -> dict[str, Any]:
        """A row of scores.csv: all plain fields, the id, and every form of the normalization."""
        forms = {f"form_{name}": x for name, x in all_forms(self.raw, self.ceiling).items()}
        return {"id": self.id, **self.stated(), **forms}


RESULTS = (
    *("raw", "error", "ceiling", "ceiled", "ceiled_units", "ci_low", "ci_high", "interval"),
    *("n_images", "n_units", "seconds"),
)


def score_table(records: Sequence[ScoreRecord]) -> pd.DataFrame:
    """One row a record, in their order."""
    return pd.DataFrame([record.row() for record in records])


def save_records(records: Sequence[ScoreRecord], folder: Path) -> Path:
    """Write `scores.csv` and a `raw_<id>.npz` for each record; returns the table's path."""
    for record in records:
        if record.arrays:
            save_arrays(folder / f"raw_{record.id}.npz", **record.arrays)
    return save_table(score_table(records), folder / "scores.csv")


@dataclass(frozen=True)
class Comparison:
    """Difference of two models on the same data, paired."""

    model: str
    other: str
    difference: float
    ci_low: float
    ci_high: float
    p: float


def compare(a: ScoreRecord, b: ScoreRecord, level: float = 0.95) -> Comparison:
    """raw of a minus raw of b with an interval, and p of no difference.

    Bootstrap samples of equal data and seed are of the same images and units; jack-knife values of
    the same groups. DataError where anything but the model differs.
    """
    same = ("data_hash", "metric", "seed", "region", "time_bin", "interval", "n_images")
    if differ := [n for n in same if getattr(a, n) != getattr(b, n)]:
        raise DataError(f"{a.model} and {b.model} differ in {', '.join(differ)}: no paired samples")
    if "samples" not in a.arrays or "samples" not in b.arrays:
        raise DataError(f"{a.model} and {b.model}: score with resamples > 0 to compare")
    d, mean = a.arrays["samples"] - b.arrays["samples"], a.raw - b.raw
    if a.interval == "bootstrap":
        return Comparison(a.model, b.model, mean, *interval(d, level), paired_p(d))
    error = float(np.std(d, ddof=1) / np.sqrt(len(d)))
    p = float(2 * norm.sf(abs(mean) / error)) if error > 0 else 1.0
    return Comparison(a.model, b.model, mean, *normal_interval(mean, error, level), p)


def comparison_table(records: Sequence[ScoreRecord]) -> pd.DataFrame:
    """Every pair of records once, first minus later: columns of `Comparison`."""
    pairs = [(a, b) for i, a in enumerate(records) for b in records[i + 1 :]]
    return pd.DataFrame([asdict(compare(a, b)) for a, b in pairs])
