"""A score relative to its ceiling: three generations of a formula that must not be mixed.

r is a correlation, c a reliability (Spearman-Brown): a share of variance. r^2 / c is therefore the
share of what can be explained. An r below 0 keeps its sign where it is squared.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from src.evaluation.metrics import divide

Version = Literal["raw-2019", "ratio2-v1", "r2c-2026", "ratio", "root"]
VERSIONS: tuple[Version, ...] = get_args(Version)
FORMULAS: dict[Version, str] = {
    "raw-2019": "r",  # "neural predictivity" of the papers of 2018 and 2019
    "ratio2-v1": "(r / c)^2",  # Brain-Score until December 2025
    "r2c-2026": "r^2 / c",  # since (changes 2169, 2244)
    "ratio": "r / c",  # RDM, CKA, and in threads
    "root": "r / sqrt(c)",  # behavior
}


def ceiled(r: np.ndarray | float, c: np.ndarray | float, version: Version) -> np.ndarray:
    """Score by one of the formulas, elementwise: r and c of one shape -> that; nan where c <= 0."""
    r = np.asarray(r, np.float64)
    c = np.broadcast_to(np.asarray(c, np.float64), r.shape)
    known = np.where(c > 0, c, np.nan)
    match version:
        case "raw-2019":
            return r
        case "ratio2-v1":
            return np.sign(r) * (r / known) ** 2
        case "r2c-2026":
            return np.sign(r) * r**2 / known
        case "ratio":
            return r / known
        case "root":
            return r / np.sqrt(known)


def all_forms(r: float, c: float) -> dict[Version, float]:
    """A score by every formula, side by side."""
    return {version: float(ceiled(r, c, version)) for version in VERSIONS}


def by_unit(r: np.ndarray, c: np.ndarray, version: Version) -> float:
    """Mean over units of the ceiled score of each: (u,), (u,) -> score; units of no c left out."""
    each = ceiled(r, c, version)
    known = ~np.isnan(each)
    return float(divide(np.sum(each[known]), np.array(known.sum())))
