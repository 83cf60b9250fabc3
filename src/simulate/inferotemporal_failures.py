"""What can be wrong with an `IT_data.h5`, planted on purpose: one failure, one place.

Sites of reliability 0 and rates of pure noise are settings of the simulation (`noise_sites`),
because an assembly has them too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from src.data.inferotemporal import IMAGENET_MEAN, IMAGENET_STD
from src.manifest import replacing
from src.seeds import numpy_stream

FAILURES: Mapping[str, str] = MappingProxyType(  # name: the field a report should name
    {
        "constant_site": "spikes_train",
        "nan_row": "spikes_train",
        "missing_key": "object_val",
        "float64_file": "stimulus_train",
        "unequal_channels": "stimulus_val",
        "normalized_twice": "stimulus_train",
        "object_without_test": "object_test",
        "wrong_rows": "spikes_val",
        "permuted_rates": "spikes_train",
        "leaked_image": "stimulus_test",
        "unknown_object": "object_train",
        "damaged_chunk": "stimulus_val",
        "truncated": "IT_data.h5",
    }
)


def plant(name: str, path: Path) -> None:
    """Damage the file in the way called `name`; it is replaced whole."""
    path = Path(path)
    change = _CHANGES[name]
    with replacing(path) as temporary:
        shutil.copyfile(path, temporary)
        change(temporary)


def _edit(key: str, change: Callable[[np.ndarray], Any]) -> Callable[[Path], None]:
    """Give an array other values, or another shape or type."""

    def edit(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            values = change(file[key][:])
            del file[key]
            file.create_dataset(key, data=values, compression="gzip")

    return edit


def _set(row: Any, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[row] = value
        return values

    return change


def _twice(values: np.ndarray) -> np.ndarray:
    return (values - IMAGENET_MEAN[:, None, None]) / IMAGENET_STD[:, None, None]


def _renamed(old: bytes, new: bytes) -> Callable[[np.ndarray], np.ndarray]:
    return lambda names: np.where(names == old, new, names)


def _remove(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["object_val"]


def _widen(path: Path) -> None:
    with h5py.File(path) as file:
        wide = [key for key, values in file.items() if values.dtype == np.float32]
    for key in wide:
        _edit(key, lambda values: values.astype(np.float64))(path)


def _leak(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["stimulus_test"][0] = file["stimulus_train"][0]


def _damage(path: Path) -> None:
    """Overwrite the middle of the first compressed block of images."""
    with h5py.File(path) as file:
        chunk = file["stimulus_val"].id.get_chunk_info(0)
    with open(path, "r+b") as stream:
        stream.seek(chunk.byte_offset + chunk.size // 2)
        stream.write(bytes(64))


def _truncate(path: Path) -> None:
    with open(path, "r+b") as stream:
        stream.truncate(path.stat().st_size // 2)


_CHANGES: Mapping[str, Callable[[Path], None]] = {
    "constant_site": _edit("spikes_train", _set((slice(None), 2), 0.25)),
    "nan_row": _edit("spikes_train", _set(7, np.nan)),
    "missing_key": _remove,
    "float64_file": _widen,
    "unequal_channels": _edit("stimulus_val", _set((3, 1), 0.0)),
    "normalized_twice": _edit("stimulus_train", _twice),
    "object_without_test": _edit("object_test", _renamed(b"bear", b"cow")),
    "wrong_rows": _edit("spikes_val", lambda rates: rates[:-1]),
    "permuted_rates": _edit(
        "spikes_train", lambda rates: numpy_stream(0, "permuted").permutation(rates)
    ),
    "leaked_image": _leak,
    "unknown_object": _edit("object_train", _renamed(b"bear", b"beer")),
    "damaged_chunk": _damage,
    "truncated": _truncate,
}
