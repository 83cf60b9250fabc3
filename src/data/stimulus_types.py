"""What kind of film a trial showed, told from its tier, its length and how much it stands still.

The files do not say it. Valid lengths are 300 frames for natural films and Gabors, 240 for random
dot kinematograms, 315 for Gaussian dots, 324 for pink noise, 305 to 326 for flashed images
(specification sensorium2023, 3.4), and only the last stand still most of the time.
"""

from __future__ import annotations

import numpy as np

from src.data.movie_tables import MICE

TYPES = ("natural", "gabor", "dots", "rdk", "pink", "images")
BY_LENGTH = {300: "gabor", 240: "rdk", 315: "dots", 324: "pink"}
HELD = 0.5  # share of frames that equal the one before, above which images were flashed


def stimulus_types(
    key: str, tiers: np.ndarray, lengths: np.ndarray, held: np.ndarray
) -> np.ndarray:
    """Type of each trial: str, (n,) str, (n,), (n,) share of held frames -> (n,) str.

    natural outside the OOD tiers; unknown where nothing fits, or where the ten published mice are
    known not to have been shown such in that tier.
    """
    pairs = zip(lengths, held, strict=True)
    types = np.array([_out_of_domain(n, h) for n, h in pairs], dtype="<U7")
    bonus = np.char.endswith(tiers, "bonus")
    if known := MICE.get(key):
        for tier, shown in (
            ("live_test_bonus", known.live_ood),
            ("final_test_bonus", known.final_ood),
        ):
            types[(tiers == tier) & ~np.isin(types, shown)] = "unknown"
    types[~bonus] = "natural"
    types[lengths == 0] = "unknown"
    return types


def _out_of_domain(frames: int, held: float) -> str:
    if held > HELD:
        return "images"
    return BY_LENGTH.get(int(frames), "unknown")
