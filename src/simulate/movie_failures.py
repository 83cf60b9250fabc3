"""What can be wrong with a mouse that watched films, planted on purpose: one failure, one place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from src.simulate.failures import Failure, edit

TIERS, UNITS = "meta/trials/tiers.npy", "meta/neurons/unit_ids.npy"
STD = "meta/statistics/behavior/all/std.npy"

# Where a report should point; those of `ERRORS` stop packing, the others are to be judged.
MOVIE_FAILURES: Mapping[str, Failure] = MappingProxyType(
    {
        "nan_inside": Failure("data/responses/3.npy", "unreadable"),
        "truncated_npy": Failure("data/videos/3.npy", "unreadable"),
        "missing_file": Failure("data/pupil_center/3.npy", "pupil_center"),
        "extra_file": Failure("data/videos/999999.npy", "videos"),
        "unit_mismatch": Failure("data/responses/0.npy", "unreadable"),
        "other_pad": Failure("data/videos/3.npy", "unreadable"),
        "unknown_tier": Failure(TIERS, "tiers"),
        "no_training": Failure(TIERS, "tiers"),
        "missing_units": Failure(UNITS, "unit_ids"),
        "statistics_shape": Failure(STD, "std"),
        "zero_statistics": Failure("meta/statistics/responses/all/std.npy", "std"),
        "behavior_std_zero": Failure(STD, "std"),
        "zero_speed": Failure("data/behavior/3.npy", "speed"),
        "all_nan_video": Failure("data/videos/3.npy", "no video"),
    }
)
WARNINGS = ("behavior_std_zero", "zero_speed", "all_nan_video")
ERRORS = tuple(name for name in MOVIE_FAILURES if name not in WARNINGS)


def plant_in_movies(name: str, mouse: Path) -> None:
    """Damage the mouse folder in the way called `name`, in place."""
    file = Path(mouse) / MOVIE_FAILURES[name].file
    match name:
        case "nan_inside":
            edit(file, lambda x: np.where(np.arange(x.shape[-1]) == 100, np.nan, x))
        case "truncated_npy":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        case "missing_file" | "missing_units":
            file.unlink()
        case "extra_file":
            file.write_bytes((file.parent / "0.npy").read_bytes())
        case "unit_mismatch":
            for response in file.parent.glob("*.npy"):
                edit(response, lambda x: x[:-1])
        case "other_pad" | "statistics_shape":
            edit(file, lambda x: x[..., :-1])
        case "unknown_tier":
            edit(file, lambda tiers: np.where(np.arange(len(tiers)) == 3, "trian", tiers))
        case "no_training":
            edit(file, lambda tiers: np.where(tiers == "train", "none", tiers))
        case "zero_statistics":
            edit(file, lambda x: 0 * x)
        case "behavior_std_zero":
            edit(file, lambda x: np.where(np.arange(x.shape[-1]) == 120, 0, x))
        case "zero_speed":
            edit(file, lambda x: x * [[1], [0]])
        case "all_nan_video":
            edit(file, lambda x: np.full_like(x, np.nan))
