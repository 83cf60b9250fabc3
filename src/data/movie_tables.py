"""The ten mice of SENSORIUM 2023 as they should be, and how what is on disk differs.

Source: per-trial tables of anaflom/sensorium (CC0); specification sensorium2023, 3.3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from src.data.movie_mouse import TIERS, MovieMouse

SHORT = dict(
    zip(TIERS, ("train", "oracle", "live", "live OOD", "final", "final OOD", "none"), strict=True)
)


@dataclass(frozen=True)
class PublishedMouse:
    """One mouse: units, pad length, trials of each tier, and what its OOD tiers show."""

    letter: str
    units: int
    pad: int
    trials: dict[str, int]  # by tier
    live_ood: tuple[str, ...]
    final_ood: tuple[str, ...]


def _mouse(letter: str, units: int, pad: int, counts: str, live: str, final: str) -> PublishedMouse:
    """counts: none, train, oracle, live main, final main, live OOD, final OOD."""
    order = ("none", "train", "oracle", "live_test_main", "final_test_main")
    order += ("live_test_bonus", "final_test_bonus")
    trials = dict(zip(order, map(int, counts.split()), strict=True))
    return PublishedMouse(letter, units, pad, trials, tuple(live.split()), tuple(final.split()))


MICE = {
    "29156-11-10": _mouse("A", 7440, 324, "20 350 59 56 58 59 138", "pink", "dots rdk"),
    "29228-2-10": _mouse("B", 7928, 324, "16 352 60 58 57 59 118", "gabor", "pink images"),
    "29234-6-9": _mouse("C", 8285, 325, "11 355 58 58 59 80 119", "rdk", "gabor images"),
    "29513-3-5": _mouse("D", 7671, 403, "6 356 59 60 60 59 120", "images", "pink dots"),
    "29514-2-9": _mouse("E", 7495, 315, "16 351 60 57 60 58 137", "dots", "rdk gabor"),
    "29515-10-12": _mouse("F", 7863, 324, "0 348 58 56 57 58 134", "pink", "dots rdk"),
    "29623-4-9": _mouse("G", 7908, 325, "0 329 56 53 56 57 131", "gabor", "rdk images"),
    "29647-19-8": _mouse("H", 8202, 326, "0 354 60 60 59 58 120", "dots", "pink images"),
    "29712-5-9": _mouse("I", 7939, 315, "0 359 60 60 60 80 120", "rdk", "dots gabor"),
    "29755-2-8": _mouse("J", 8122, 414, "0 354 59 60 60 60 119", "images", "pink gabor"),
}


def session_table(mice: Sequence[MovieMouse]) -> pd.DataFrame:
    """One row a mouse: units, pad length, trials of each tier, OOD types where published."""
    rows = []
    for mouse in mice:
        known, counts = MICE.get(mouse.key), Counter(mouse.tiers.tolist())
        row = {"mouse": known.letter if known else "–", "session": mouse.key, "role": mouse.role}
        row |= {"units": len(mouse.unit_ids), "pad": pad_of(mouse), "trials": mouse.n_trials}
        row |= {SHORT[tier]: counts[tier] for tier in TIERS}
        ood = (known.live_ood, known.final_ood) if known else ((), ())
        row |= {"live OOD shows": ", ".join(ood[0]), "final OOD shows": ", ".join(ood[1])}
        rows.append(row)
    return pd.DataFrame(rows)


def pad_of(mouse: MovieMouse) -> int:
    """Frames of the first trial's files, padding included."""
    return mouse.numbers("videos", 0).shape[-1]


def differences(mouse: MovieMouse) -> list[str]:
    """What is not as published, one line each; nothing for a mouse that is none of the ten."""
    if (known := MICE.get(mouse.key)) is None:
        return []
    counts = Counter(mouse.tiers.tolist())
    pairs = {"units": (len(mouse.unit_ids), known.units), "pad length": (pad_of(mouse), known.pad)}
    pairs |= {f"{SHORT[t]} trials": (counts[t], n) for t, n in known.trials.items()}
    return [
        f"mouse {known.letter} ({mouse.key}) has {found} {what}, not the published {wanted}"
        for what, (found, wanted) in pairs.items()
        if found != wanted
    ]
