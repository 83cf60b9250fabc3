"""What a measure found, and the record made of it: ceilings divided by, limits drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from src.evaluation.bootstrap import interval
from src.evaluation.geometry import GEOMETRIES
from src.evaluation.normalization import Version, by_unit, ceiled
from src.evaluation.pls import COMPONENTS
from src.evaluation.resampling import RESAMPLES, jackknife_error, normal_interval
from src.evaluation.score_record import ScoreRecord

Ceiling = Literal["repetitions", "ncsnr", "none"]


@dataclass(frozen=True)
class Settings:
    """What a score depends on beside features and responses."""

    ceiling: Ceiling = "repetitions"  # "none" is what responses without repetitions get
    version: Version | None = None  # by default r^2 / c of mappings, r / c of geometry
    resamples: int = RESAMPLES  # 0: no interval
    level: float = 0.95
    components: int = COMPONENTS  # of PLS
    seed: int = 0  # of resampling; splits are Brain-Score's


@dataclass(frozen=True, eq=False)
class Found:
    """What a measure found."""

    raw: float
    error: float
    ceiling: float
    by_split: np.ndarray  # (s, u) or (s,)
    samples: np.ndarray | None = None  # (b,) resamples, or pseudo-values
    unit_ceilings: np.ndarray | None = None  # (u,)
    ceiled: float | None = None  # where it is no function of raw and ceiling


def record_of(
    found: Found, stated: dict[str, Any], settings: Settings, seconds: float
) -> ScoreRecord:
    """The record of what was found; `stated` are its plain fields that no measure decides."""
    how, limits = _limits(found, stated["metric"], settings.level)
    relative, of_units = found.ceiled, float("nan")
    if relative is None or stated["version"] != "root":
        relative = float(ceiled(found.raw, found.ceiling, stated["version"]))
    if found.unit_ceilings is not None:
        of_units = by_unit(found.by_split.mean(axis=0), found.unit_ceilings, stated["version"])
    arrays = {
        "by_split": found.by_split,
        "samples": found.samples,
        "unit_ceilings": found.unit_ceilings,
    }
    return ScoreRecord(
        **stated,
        raw=found.raw,
        error=found.error,
        ceiling=found.ceiling,
        ceiled=relative,
        ceiled_units=of_units,
        ci_low=limits[0],
        ci_high=limits[1],
        interval=how,
        seed=settings.seed,
        seconds=seconds,
        arrays={name: x for name, x in arrays.items() if x is not None},
    )


def _limits(found: Found, metric: str, level: float) -> tuple[str, tuple[float, float]]:
    if found.samples is None:
        return "none", (float("nan"), float("nan"))
    if metric in GEOMETRIES:
        error = jackknife_error(found.samples)
        return "jackknife", normal_interval(found.raw, error, level)
    return "bootstrap", interval(found.samples, level)
