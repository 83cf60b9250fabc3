"""A mouse on disk in the SENSORIUM 2023 layout: one file a trial and kind, time on the last axis.

    data/videos/<i>.npy (h, w, T)   responses (u, T)   behavior (2, T)   pupil_center (2, T)

T is one pad length for all trials of a mouse; what is valid is shorter, and may differ between the
kinds of one trial by a frame. Nothing is ever written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np

from src.data.errors import DataError
from src.data.npy_tree import NpyRecording, NpySource, open_all, open_source
from src.data.stimulus_kinds import FILMS

KINDS = ("videos", "responses", "behavior", "pupil_center")
REQUIRED_KINDS = ("videos", "responses")
TIERS = (
    *("train", "oracle", "live_test_main", "live_test_bonus"),
    *("final_test_main", "final_test_bonus", "none"),
)
RATE = 30.0  # frames a second
KEY_IN_NAME = re.compile(r"dynamic(\d+-\d+-\d+)(?:-|$)")
SUFFIXES = {
    "8744edeac3b4d1ce16b680916b5267ce": "public",  # all responses are there
    "9b4f6a1a067fe51e15306b9628efea20": "scored",  # those of test tiers are withheld
}


@dataclass(frozen=True)
class MovieTrial:
    """The valid frames of one trial, time first; a kind that was not recorded is absent."""

    kinds: Mapping[str, np.ndarray]  # videos (t, h, w), responses (t, u), all else (t, 2)
    pad: int  # frames of its files
    padding: Literal["none", "nan", "zero"]
    withheld: bool  # responses are all zero: none of their frames counts

    @property
    def lengths(self) -> dict[str, int]:
        """Valid frames of each kind that was recorded."""
        return {kind: len(values) for kind, values in self.kinds.items()}

    @property
    def frames(self) -> int:
        """Frames that are valid in every kind, responses left out where they are withheld."""
        own = {k: n for k, n in self.lengths.items() if k != "responses" or not self.withheld}
        return min(own.values())


class MovieMouse(NpyRecording):
    """One mouse, or an imported recording, whose trials are films."""

    def __init__(self, source: NpySource, name: str, response_dtype: str = "float16") -> None:
        super().__init__(source)
        self.name = self._best_name(name)  # in full, as submission files have it
        self.response_dtype = response_dtype  # in which responses are packed

    def _best_name(self, given: str) -> str:
        """Of the given name, that of the files, and that inside the zip, the one with a key."""
        names = (given, self.path.name.removesuffix(".zip"), Path(self._source.top).name)
        return next((n for n in names if KEY_IN_NAME.match(n)), names[0])

    @property
    def key(self) -> str:
        """`animal-session-scan` of its name, else the whole name."""
        found = KEY_IN_NAME.match(self.name)
        return found[1] if found else self.name

    @property
    def role(self) -> str:
        """public | scored by the ending of the name, else recording."""
        return SUFFIXES.get(self.name.rpartition("-")[2], "recording")

    @property
    def trial_ids(self) -> np.ndarray:
        """Numbers of the trials, which their files are named after: (n,) str."""
        return np.arange(self.n_trials).astype(str)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that were recorded."""
        return tuple(kind for kind in KINDS if self.has_kind(kind))

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Height and width of a frame, from the first trial."""
        return self.numbers("videos", 0).shape[:2]

    def row(self, kind: str) -> tuple[int, ...]:
        """Shape of one frame of `kind`."""
        if kind == "videos":
            return self.shape
        return (len(self.unit_ids),) if kind == "responses" else (2,)

    def trial(self, kind: str, i: int) -> np.ndarray:
        """All frames of trial `i`, padding included, time first: -> (T, h, w) or (T, k)."""
        array, row = self.numbers(kind, i), self.row(kind)
        if array.shape[:-1] != row or not array.ndim:
            wanted = ", ".join([*map(str, row), "T"])
            raise DataError(
                f"session '{self.key}': {self.path}/data/{kind}/{i}.npy is {array.shape}, not "
                f"({wanted}) as the first film and meta/neurons/unit_ids.npy have it: get the "
                "recording again"
            )
        return np.ascontiguousarray(np.moveaxis(array, -1, 0))

    def movie(self, i: int) -> MovieTrial:
        """The valid frames of trial `i`. DataError for kinds of unequal T, and for NaN between."""
        padded = {kind: self.trial(kind, i) for kind in self.kinds}
        pads = {len(array) for array in padded.values()}
        if len(pads) > 1:
            sizes = ", ".join(f"{kind} {array.shape}" for kind, array in padded.items())
            raise DataError(
                f"session '{self.key}': files of trial {i} in {self.path} differ in frames (first "
                f"axis here: {sizes}): get the recording again"
            )
        ends = {kind: self._end(kind, i, array) for kind, array in padded.items()}
        pad, withheld = pads.pop(), not padded["responses"].any()
        padding = "none" if min(ends.values()) == pad else "nan"
        if padding == "none":
            ends = _zero_ends(padded)
            padding = "none" if min(ends.values()) == pad else "zero"
        ends["responses"] = 0 if withheld else ends["responses"]
        return MovieTrial({k: a[: ends[k]] for k, a in padded.items()}, pad, padding, withheld)

    def _end(self, kind: str, i: int, array: np.ndarray) -> int:
        """Number of frames before the padding with NaN: (T, ...) -> t."""
        if array.dtype.kind != "f":
            return len(array)
        finite = np.isfinite(array).reshape(len(array), -1).all(1)
        end = int(np.flatnonzero(finite)[-1]) + 1 if finite.any() else 0
        if not finite[:end].all():
            bad = np.flatnonzero(~finite[:end])
            raise DataError(
                f"session '{self.key}': {self.path}/data/{kind}/{i}.npy has NaN or infinite values "
                f"in {len(bad)} of its {end} frames (first: {bad[0]}), not only after the last: "
                "get the recording again, or set the trial's tier to none"
            )
        return end


def _zero_ends(padded: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Valid frames of each kind where padding is zeros, if it is: (T, ...) each -> t each.

    A pupil is never of size 0 nor at (0, 0), but a film may be black and all units silent at its
    end: what pads are frames in which behavior, pupil and film are all zero.
    """
    ends = {kind: len(array) for kind, array in padded.items()}
    sides = {
        k: int(np.flatnonzero(a.any(axis=1))[-1]) + 1
        for k, a in padded.items()
        if k in KINDS[2:] and a.any()
    }
    if not sides:
        return ends
    shown = np.flatnonzero(padded["videos"].reshape(ends["videos"], -1).any(axis=1))
    end = max([*sides.values(), shown[-1] + 1 if len(shown) else 0])
    ends |= sides | {"videos": int(end)}
    if not padded["responses"][end:].any():
        ends["responses"] = int(end)
    return ends


def open_movie_mouse(path: str | Path, response_dtype: str = "float16") -> MovieMouse:
    """A mouse from its folder or its zip (nothing is extracted), also behind a symbolic link."""
    name = Path(path).expanduser().absolute().name.removesuffix(".zip")
    return MovieMouse(open_source(path), name, response_dtype)


def open_movie_mice(folder: str | Path, response_dtype: str = "float16") -> list[MovieMouse]:
    """All mice in a folder, each a sub-folder or a zip, in order of name.

    Raises DataError if there is none, if one is of images, or if two are the same session.
    """
    return open_all(folder, partial(open_movie_mouse, response_dtype=response_dtype), FILMS)
