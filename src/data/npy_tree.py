"""Recordings on disk as a folder or a zip of npy files, one file a kind and trial."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np

from src.data.errors import DataError
from src.data.stimulus_kinds import KINDS, StimulusKind, raw_hint, require_kind
from src.data.stored import UNREADABLE
from src.manifest import fingerprint

TOP = re.compile(r"^(.*?/)??(?:data/(?:images|responses)|meta/(?:trials|neurons))/[^/]+$")


@lru_cache(maxsize=256)
def _npy_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    stream = BytesIO(header)
    version = np.lib.format.read_magic(stream)
    first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    return read(stream)


def parse_npy(data: bytes, name: str) -> np.ndarray:
    """The array in the bytes of an npy file: () -> any shape. Read-only; never unpickles.

    Equals `numpy.load`, but the header, the same for every trial, is parsed once.
    """
    start = 10 + int.from_bytes(data[8:10], "little")
    if data[6:7] > b"\x01":
        start = 12 + int.from_bytes(data[8:12], "little")
    try:
        shape, fortran, dtype = _npy_header(data[:start])
    except UNREADABLE as error:
        raise DataError(
            f"{name} is not a complete npy file ({error}): get the file again"
        ) from None
    if dtype.hasobject:
        raise DataError(
            f"{name} holds pickled objects, which are never loaded: save numbers or text"
        )
    expected = int(np.prod(shape)) * dtype.itemsize
    if len(data) - start != expected:
        raise DataError(
            f"{name} is truncated: its header promises {shape} {dtype}, {expected} bytes, but "
            f"{len(data) - start} are there: get the file again"
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")


class NpySource(ABC):
    """Files of a folder or zip, in which the mouse may lie one or more folders deep."""

    def __init__(self, path: Path) -> None:
        self.path = path
        listed = {n: s for n, s in self._list() if n.endswith(".npy") and "/._" not in f"/{n}"}
        tops = {m[1] or "" for n in listed if (m := TOP.match(n)) and not n.startswith("__MACOSX/")}
        if len(tops) != 1:
            found = f"several mice: {', '.join(sorted(tops))}" if tops else "no mouse"
            raise DataError(
                f"{path} holds {found}: give the one folder or zip that contains data/ and meta/"
            )
        self.top = tops.pop()
        wanted = (self.top + "data/", self.top + "meta/")
        self.stamps = {n[len(self.top) :]: s for n, s in listed.items() if n.startswith(wanted)}

    @abstractmethod
    def _list(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Relative name and (size, time of change or checksum) of every file."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of one file; `name` is relative to the mouse."""


class _Folder(NpySource):
    def _list(self) -> Iterator[tuple[str, tuple[int, int]]]:
        stack = [(self.path, "")]
        while stack:
            folder, prefix = stack.pop()
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir():
                        stack.append((entry.path, f"{prefix}{entry.name}/"))
                    else:
                        found = entry.stat()
                        yield prefix + entry.name, (found.st_size, found.st_mtime_ns)

    def read(self, name: str) -> bytes:
        with open(f"{self.path}/{self.top}{name}", "rb", buffering=0) as stream:
            return stream.read()


class _Zip(NpySource):
    def __init__(self, path: Path) -> None:
        try:
            self.zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DataError(f"{path} is not a complete zip ({error}): download it again") from None
        super().__init__(path)

    def _list(self) -> Iterator[tuple[str, tuple[int, int]]]:
        return ((i.filename, (i.file_size, i.CRC)) for i in self.zip.infolist())

    def read(self, name: str) -> bytes:
        try:
            return self.zip.read(self.top + name)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(
                f"{self.path} is corrupt at {name} ({error}): download it again"
            ) from None


class NpyRecording(ABC):
    """A recording of n trials of u units in npy files; what its trials hold, a subclass knows."""

    key: str
    response_dtype = "float32"  # in which responses are packed
    boxes_filled = 0

    def __init__(self, source: NpySource) -> None:
        self._source, self.path = source, source.path

    @property
    def stamp(self) -> str:
        """Fingerprint of names, sizes, and times of change (folder) or checksums (zip)."""
        return fingerprint(sorted([n, *map(str, s)] for n, s in self._source.stamps.items()))

    @property
    def n_bytes(self) -> int:
        """Size of the source, unpacked."""
        return sum(size for size, _ in self._source.stamps.values())

    def has(self, name: str) -> bool:
        """Whether the array `name` (`meta/neurons/area`) is there."""
        return f"{name}.npy" in self._source.stamps

    def has_kind(self, kind: str) -> bool:
        """Whether trials of this session have files of `kind`."""
        return bool(self.trial_names(kind))

    def trial_names(self, kind: str) -> frozenset[str]:
        """Names without folder and `.npy` of the files of `kind`: ideally, trial numbers."""
        return self._trial_names.get(kind, frozenset())

    @cached_property
    def _trial_names(self) -> dict[str, frozenset[str]]:
        names = defaultdict(list)
        for file in self._source.stamps:
            folder, _, name = file.removesuffix(".npy").rpartition("/")
            names[folder.removeprefix("data/")].append(name)
        return {kind: frozenset(found) for kind, found in names.items()}

    def array(self, name: str) -> np.ndarray:
        """One array by its relative name without `.npy`, as stored: any shape and dtype."""
        if not self.has(name):
            raise DataError(f"{self.path}/{name}.npy is missing: get the recording again")
        return parse_npy(self._source.read(f"{name}.npy"), f"{self.path}/{name}.npy")

    def numbers(self, kind: str, i: int) -> np.ndarray:
        """The file of `kind` of trial `i`, real numbers of any shape."""
        return self._real(f"data/{kind}/{i}")

    def _real(self, name: str) -> np.ndarray:
        array = self.array(name)
        if array.dtype.kind not in "buif":
            raise DataError(
                f"{self.path}/{name}.npy holds {array.dtype}, not real numbers: save it as "
                "floating point or integers"
            )
        return array

    def optional(self, name: str) -> np.ndarray | None:
        """As `array`, or None if it is not there."""
        return self.array(name) if self.has(name) else None

    def statistic(self, kind: str, name: str) -> np.ndarray | None:
        """Shipped statistic over all frames, float64: 0-d, (1,) or full shape; None if absent."""
        file = f"meta/statistics/{kind}/all/{name}"
        return self._real(file).astype(np.float64) if self.has(file) else None

    @cached_property
    def tiers(self) -> np.ndarray:
        """Tier of each trial: (n,) str."""
        return self.array("meta/trials/tiers").astype(str)

    @property
    def n_trials(self) -> int:
        """Number of trials, excluded ones not counted."""
        return len(self.tiers)

    @cached_property
    def unit_ids(self) -> np.ndarray:
        """Ids of the units in the order of the responses: (u,), ascending with gaps."""
        return self.array("meta/neurons/unit_ids")

    @abstractmethod
    def trial(self, kind: str, i: int) -> np.ndarray:
        """What trial `i` has of `kind`, its axes as the study knows them."""


R = TypeVar("R", bound=NpyRecording)


def open_source(path: str | Path) -> NpySource:
    """The files of one recording from its folder or its zip (nothing is extracted)."""
    path = Path(path).expanduser().resolve()
    if not path.exists():
        raise DataError(f"{path} does not exist: give the folder or the zip of one mouse")
    return _Folder(path) if path.is_dir() else _Zip(path)


def open_all(folder: str | Path, opened: Callable[[Path], R], kind: StimulusKind) -> list[R]:
    """All recordings in a folder, each a sub-folder or a zip, in order of name.

    Raises DataError if there is none, if one is of another kind of stimulus, or if two are the same
    session.
    """
    folder = Path(folder).expanduser().absolute()
    visible = sorted(p for p in folder.glob("[!.]*") if p.is_dir() or p.suffix == ".zip")
    if not visible:
        raise DataError(
            f"{folder} holds no recording, neither folder nor zip: put them there"
            f"{raw_hint(folder, kind)}"
        )
    found = [opened(path) for path in visible]
    for one in found:
        require_kind(one.path, {k.folder for k in KINDS if one.has_kind(k.folder)}, kind)
    names: dict[str, str] = {}
    for one in found:
        if (other := names.setdefault(one.key, one.path.name)) != one.path.name:
            raise DataError(
                f"{folder} holds session '{one.key}' twice, as {other} and {one.path.name}: "
                "remove one"
            )
    return found
