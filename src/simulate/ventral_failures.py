"""What can be wrong in a folder of images, sites and choices, planted on purpose.

A site of reliability 0 and a constant one are in every simulation (`ventral.py`). A cell or an
image of which a single trial is left lacks trials in one of any two halves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
import pandas as pd
from PIL import Image

from src.data.assemblies import values_hash
from src.manifest import replacing, save_table


def _choices(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "behavior.csv"
        save_table(change(pd.read_csv(path, dtype=str)), path)

    return edit


def _once(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """All trials but those that are alike in these columns to the first one."""
    alike = (table[columns] == table[columns].iloc[0]).all(axis=1)
    return table[~alike | (np.arange(len(table)) == 0)]


def _assembly(
    key: str, change: Callable[[np.ndarray], np.ndarray], hashed: bool = True
) -> Callable[[Path], None]:
    """Give a table or the values others, and the file the hash that goes with them."""

    def edit(folder: Path) -> None:
        with h5py.File(folder / "assembly.h5", "r+") as file:
            values = change(file[key][:])
            del file[key]
            file[key] = values
            if hashed:
                file.attrs["hash"] = values_hash(file["values"][:])

    return edit


def _first_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(np.arange(x.size).reshape(x.shape) == 0, value, x).astype(x.dtype)


def _picture(folder: Path) -> Path:
    """The first image to train on."""
    return sorted((folder / "pictures/train").rglob("*.png"))[0]


def _repainted(mode: str, pixels: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = _picture(folder)
        image = pixels(np.asarray(Image.open(path).convert("RGB")))
        with replacing(path) as temporary:
            Image.fromarray(np.ascontiguousarray(image)).convert(mode).save(temporary, "PNG")

    return edit


FAILURES: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {
        "cell_in_one_half": _choices(lambda t: _once(t, ["stimulus_id", "dist_obj"])),
        "image_in_one_half": _choices(lambda t: _once(t, ["stimulus_id"])),
        "choice_not_offered": _choices(lambda t: t.assign(choice=t["dist_obj"].iloc[0] + "_")),
        "two_objects_of_an_image": _choices(
            lambda t: t.assign(stimulus_id=t["stimulus_id"].iloc[0])
        ),
        "missing_value": _assembly("values", _first_value(np.nan)),
        "changed_value": _assembly("values", lambda x: -x, hashed=False),
        "missing_stimuli": _assembly("stimuli/stimulus_id", lambda x: x[:-1]),
        "not_a_picture": lambda folder: _picture(folder).with_name("notes.txt").touch(),
        "gray_picture": _repainted("L", lambda x: x),
        "transparent_picture": _repainted("RGBA", lambda x: x),
        "changed_pixels": _repainted("RGB", lambda x: 255 - x),
        "empty_class": lambda folder: (folder / "pictures/train/nothing").mkdir(),
    }
)


def plant(name: str, folder: Path) -> None:
    """Damage a simulated folder in the way called `name`, in place."""
    FAILURES[name](folder)
