"""A mouse on disk in the SENSORIUM 2022 layout, from a folder or straight from a zip.

The words of the source files stop here: what they call data key, tier, frame image id and xywh is a
session's key, a trial's tier, an image id and a box from here on. Imported recordings use the same
layout without animal ids, and may lack everything but images, responses, unit ids and trial tables.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np

from src.data.errors import DataError
from src.manifest import fingerprint

ROLES = {
    "26872-17-20": "sensorium",
    "27204-5-13": "sensorium+",
    "21067-10-18": "pretraining",
    "22846-10-16": "pretraining",
    "23343-5-17": "pretraining",
    "23656-14-22": "pretraining",
    "23964-4-22": "pretraining",
}
TIERS = ("train", "validation", "test", "final_test")
FULL_FRAME = (0.5, 0.5, 1.0, 1.0)  # the box of an image in which nothing was detected
KINDS = ("images", "responses", "behavior", "pupil_center", "xywh")  # one file a trial, each
REQUIRED_KINDS = ("images", "responses")
IMAGE_ID_NAMES = ("frame_image_id", "image_id", "colorframeprojector_image_id")

KEY_IN_NAME = re.compile(r"static(\d+-\d+-\d+)(?:-|$)")
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
    except ValueError as error:
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


class _Source(ABC):
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


class _Folder(_Source):
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


class _Zip(_Source):
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


class Mouse:
    """One mouse or imported recording: n trials of u units, one file per kind and trial.

    With `fill_boxes`, a trial whose box file is missing among others has the full frame.
    """

    def __init__(self, source: _Source, fill_boxes: bool = False) -> None:
        self._source, self.fill_boxes = source, fill_boxes
        self.path = source.path

    @cached_property
    def key(self) -> str:
        """`animal-session-scan` from the name, else from meta/neurons; else the folder's name."""
        name = self.path.name.removesuffix(".zip")
        for candidate in (name, Path(self._source.top).name):
            if found := KEY_IN_NAME.match(candidate):
                return found[1]
        return self.key_of_neurons or name

    @cached_property
    def key_of_neurons(self) -> str | None:
        """The key that meta/neurons states, if it states one."""
        names = [f"meta/neurons/{n}" for n in ("animal_ids", "sessions", "scan_idx")]
        if not all(map(self.has, names)):
            return None
        values = [np.unique(self.array(n)) for n in names]
        if any(v.size != 1 for v in values):
            found = ", ".join(str(v.tolist()) for v in values)
            raise DataError(
                f"{self.path}/meta/neurons: animal_ids, sessions and scan_idx must hold one value "
                f"each, not {found}: one folder is one session"
            )
        return "-".join(str(v[0]) for v in values)

    @property
    def role(self) -> str:
        """pretraining | sensorium | sensorium+ for the seven published mice, else recording."""
        return ROLES.get(self.key, "recording")

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

    @cached_property
    def boxes_filled(self) -> int:
        """How many trials have the full frame because of `fill_boxes`."""
        missing = {str(i) for i in range(self.n_trials)} - self.trial_names("xywh")
        return len(missing) if self.fill_boxes and self.has_kind("xywh") else 0

    def array(self, name: str) -> np.ndarray:
        """One array by its relative name without `.npy`, as stored: any shape and dtype."""
        if not self.has(name):
            raise DataError(f"{self.path}/{name}.npy is missing: get the recording again")
        return parse_npy(self._source.read(f"{name}.npy"), f"{self.path}/{name}.npy")

    def optional(self, name: str) -> np.ndarray | None:
        """As `array`, or None if it is not there."""
        return self.array(name) if self.has(name) else None

    def trial(self, kind: str, i: int) -> np.ndarray:
        """What trial `i` has of `kind`, as stored: images (c, h, w), all else (k,)."""
        if kind == "xywh" and self.boxes_filled and str(i) not in self.trial_names(kind):
            return np.array(FULL_FRAME)
        array = self.array(f"data/{kind}/{i}")
        if array.dtype.kind not in "buif":
            raise DataError(
                f"{self.path}/data/{kind}/{i}.npy holds {array.dtype}, not real numbers: "
                "save it as floating point or integers"
            )
        if kind != "images":
            return array.reshape(-1)
        if array.ndim not in (2, 3):
            raise DataError(
                f"{self.path}/data/images/{i}.npy is {array.shape}, not (channels, height, width): "
                "save one image a file"
            )
        return array if array.ndim == 3 else array[None]

    def statistic(self, kind: str, name: str) -> np.ndarray | None:
        """Shipped statistic over all frames, float64: 0-d, (1,) or full shape; None if absent."""
        array = self.optional(f"meta/statistics/{kind}/all/{name}")
        return None if array is None else array.astype(np.float64)

    @cached_property
    def tiers(self) -> np.ndarray:
        """Tier of each trial: (n,) str."""
        return self.array("meta/trials/tiers").astype(str)

    @property
    def n_trials(self) -> int:
        """Number of trials, excluded ones not counted."""
        return len(self.tiers)

    @cached_property
    def trial_ids(self) -> np.ndarray:
        """Trial ids as text, because two mice have hashed ones: (n,) str."""
        return self.array("meta/trials/trial_idx").astype(str)

    @cached_property
    def image_ids(self) -> np.ndarray:
        """Image shown in each trial: (n,) integers or str."""
        for name in IMAGE_ID_NAMES:
            if self.has(f"meta/trials/{name}"):
                return self.array(f"meta/trials/{name}")
        raise DataError(
            f"{self.path}/meta/trials has no image ids: add one of {', '.join(IMAGE_ID_NAMES)}"
        )

    @cached_property
    def unit_ids(self) -> np.ndarray:
        """Ids of the units in the order of the responses: (u,), ascending with gaps."""
        return self.array("meta/neurons/unit_ids")


def open_mouse(path: str | Path, fill_boxes: bool = False) -> Mouse:
    """A mouse from its folder or its zip (nothing is extracted), whatever their names."""
    path = Path(path).expanduser().resolve()
    if not path.exists():
        raise DataError(f"{path} does not exist: give the folder or the zip of one mouse")
    return Mouse(_Folder(path) if path.is_dir() else _Zip(path), fill_boxes)


def open_mice(folder: Path, fill_boxes: bool = False) -> list[Mouse]:
    """All mice in a folder, each a sub-folder or a zip, in order of name.

    Raises DataError if there is none, or if two are the same session.
    """
    visible = sorted(p for p in Path(folder).glob("[!.]*") if p.is_dir() or p.suffix == ".zip")
    if not visible:
        raise DataError(f"{folder} holds no recording, neither folder nor zip: put them there")
    mice = [open_mouse(path, fill_boxes) for path in visible]
    names: dict[str, str] = {}
    for mouse in mice:
        if (other := names.setdefault(mouse.key, mouse.path.name)) != mouse.path.name:
            raise DataError(
                f"{folder} holds session '{mouse.key}' twice, as {other} and {mouse.path.name}: "
                "remove one"
            )
    return mice
