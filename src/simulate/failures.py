"""What can be wrong with a mouse on disk, planted on purpose: one failure, one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from src.manifest import replacing


class Failure(NamedTuple):
    """Where a validation report should point."""

    file: str  # relative to the mouse; of a zip its suffix
    field: str


TIERS, STD = "meta/trials/tiers.npy", "meta/statistics/responses/all/std.npy"

FAILURES: Mapping[str, Failure] = MappingProxyType(
    {
        "missing_response": Failure("data/responses/3.npy", "responses"),
        "extra_image": Failure("data/images/999999.npy", "images"),
        "wrong_tier": Failure(TIERS, "tiers"),
        "unit_mismatch": Failure("data/responses/0.npy", "responses"),
        "nan_response": Failure("data/responses/3.npy", "responses"),
        "wrong_image_size": Failure("data/images/3.npy", "images"),
        "zero_statistics": Failure(STD, "std"),
        "duplicate_trial": Failure("meta/trials/trial_idx.npy", "trial_idx"),
        "leaked_image": Failure(TIERS, "image ids"),
        "empty_validation": Failure(TIERS, "tiers"),
        "truncated_npy": Failure("data/images/3.npy", "images"),
        "box_outside": Failure("data/xywh/3.npy", "xywh"),
        "corrupt_zip": Failure(".zip", "zip"),
    }
)


def plant(name: str, mouse: Path) -> None:
    """Damage the mouse folder (for `corrupt_zip`: the zip) in the way called `name`, in place."""
    mouse = Path(mouse)
    file = mouse / FAILURES[name].file
    match name:
        case "missing_response":
            file.unlink()
        case "extra_image":
            file.write_bytes((mouse / "data/images/0.npy").read_bytes())
        case "wrong_tier":
            edit(file, lambda tiers: np.where(np.arange(len(tiers)) == 3, "trian", tiers))
        case "unit_mismatch":
            for response in file.parent.glob("*.npy"):
                edit(response, lambda values: values[:-1])
        case "nan_response":
            edit(file, lambda values: np.where(np.arange(len(values)) == 1, np.nan, values))
        case "wrong_image_size":
            edit(file, lambda image: image[:, ::2, ::2])
        case "zero_statistics":
            edit(file, np.zeros_like)
        case "duplicate_trial":
            edit(file, lambda ids: np.append(ids[1], ids[1:]))
        case "leaked_image":
            _leak(mouse)
        case "empty_validation":
            edit(file, lambda tiers: np.where(tiers == "validation", "train", tiers))
        case "truncated_npy" | "corrupt_zip":
            whole = mouse if name == "corrupt_zip" else file
            whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        case "box_outside":
            edit(file, lambda box: box + np.eye(4)[2])


def edit(file: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Write another array in place of the one in an npy file."""
    array = change(np.load(file))
    with replacing(file) as temporary, open(temporary, "wb") as stream:
        np.save(stream, array)


def _leak(mouse: Path) -> None:
    """Give the first training trial the image id of the first test trial."""
    tiers = np.load(mouse / TIERS)
    train, test = (np.flatnonzero(tiers == tier)[0] for tier in ("train", "test"))
    order = np.arange(len(tiers))
    order[train] = test
    edit(mouse / "meta/trials/frame_image_id.npy", lambda ids: ids[order])
