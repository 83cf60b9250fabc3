"""A session inside an HDF5 file: read a block of rows at a time, every failure with its key."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from src.data.errors import DataError
from src.manifest import fingerprint

AGAIN = "get the file again"


class Entry(NamedTuple):
    """What an HDF5 file says of one of its arrays."""

    shape: tuple[int, ...]
    dtype: np.dtype
    chunks: tuple[int, ...] | None

    @property
    def text(self) -> bool:
        """Whether it holds text: bytes of one length, or of any."""
        return self.dtype.kind == "S" or h5py.check_string_dtype(self.dtype) is not None


def file_stamp(path: Path) -> str:
    """Fingerprint of a file's size and time of change."""
    found = path.stat()
    return fingerprint([found.st_size, found.st_mtime_ns])


def entries(path: Path) -> dict[str, Entry]:
    """Every array of an HDF5 file by its name. DataError if the file is missing or damaged."""
    if not path.is_file():
        raise DataError(f"{path} does not exist: give the HDF5 file")
    found: dict[str, Entry] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = Entry(item.shape, item.dtype, item.chunks)

    try:
        with h5py.File(path) as file:
            link = file.visititems_links(_elsewhere)
            file.visititems(note)
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a complete HDF5 file ({error}): {AGAIN}") from None
    if link:
        raise DataError(f"{path}: {link} is a link to another place: store the array itself")
    if null := [name for name, entry in found.items() if entry.shape is None]:
        raise DataError(f"{path}: {null[0]} is empty, without a shape: {AGAIN}")
    return found


def _elsewhere(name: str, link: Any) -> str | None:
    return None if isinstance(link, h5py.HardLink) else name


def read(path: Path, key: str, rows: Any = ()) -> np.ndarray:
    """Some rows, or all, of one array; text as str: -> (n, ...). DataError names the key."""
    try:
        with h5py.File(path) as file:
            values = file[key][rows]
    except KeyError:
        raise DataError(f"{path} has no {key}: {AGAIN}") from None
    except (OSError, RuntimeError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{path}: {key} is damaged ({error}): {AGAIN}") from None
    if not isinstance(values, np.ndarray | np.generic):
        raise DataError(f"{path}: {key} is empty: {AGAIN}")
    return texts(values, f"{path}: {key}") if values.dtype.kind in "SO" else values


def texts(stored: np.ndarray, where: str) -> np.ndarray:
    """Stored texts, of one length or of any: (...) -> (...) str. DataError for other objects."""
    if other := [v for v in stored.flat if not isinstance(v, bytes | str)]:
        raise DataError(f"{where} holds {type(other[0]).__name__}, not text: {AGAIN}")
    found = [text(v) if isinstance(v, bytes) else v for v in stored.flat]
    return np.array(found, str).reshape(stored.shape)


def text(stored: bytes) -> str:
    """Stored text: UTF-8, or latin-1 as the published files have it."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored.decode("latin-1")


class BlockSource(ABC):
    """n trials of u units that `pack` can read; images are (c, h, w) uint8, rates float32."""

    role = "recording"
    boxes_filled = 0  # no boxes, behavior or pupil here
    response_dtype = "float32"
    key: str
    tiers: np.ndarray  # (n,) str
    trial_ids: np.ndarray  # (n,) str
    image_ids: np.ndarray  # (n,) int
    unit_ids: np.ndarray  # (u,) int
    objects: np.ndarray | None  # (n,) str
    area: np.ndarray | None  # (u,) str

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: dict[str, tuple[range, np.ndarray]] = {}
        self._open()

    def _open(self) -> None:
        """Look at the file: what it holds, its stamp and its size."""
        self.entries = entries(self.path)
        self.stamp = file_stamp(self.path)
        self.n_bytes = self.path.stat().st_size

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return len(self.tiers)

    def has_kind(self, kind: str) -> bool:
        """Whether trials have `kind`: images and responses, nothing else."""
        return kind in ("images", "responses")

    def statistic(self, _kind: str, _name: str) -> None:
        """No statistics are shipped: they are computed when packing."""
        return None

    def optional(self, name: str) -> np.ndarray | None:
        """Area of the units or object of the trials, by a mouse's name for it; else None."""
        return {"meta/neurons/area": self.area, "meta/trials/object": self.objects}.get(name)

    def trial(self, kind: str, i: int) -> np.ndarray:
        """What trial `i` has of `kind`: images (c, h, w) uint8, responses (u,) float32."""
        if kind not in self._held or i not in self._held[kind][0]:
            block = self._block(i)
            self._held[kind] = block, self._read(kind, block)
        block, rows = self._held[kind]
        return rows[i - block.start]

    @abstractmethod
    def _block(self, i: int) -> range:
        """The trials that are read together with trial `i`."""

    @abstractmethod
    def _read(self, kind: str, block: range) -> np.ndarray:
        """One kind of the trials of a block: -> (n, ...)."""
