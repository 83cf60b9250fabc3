"""Whatever can be packed as a session, recognized by what it is on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

from src.data.blocks import file_stamp
from src.data.checks import require_tables, require_valid
from src.data.inferotemporal import InferotemporalFile
from src.data.inferotemporal_checks import tables_report
from src.data.movie_checks import require_valid_movies
from src.data.movie_mouse import MovieMouse
from src.data.nsd import BETAS
from src.data.nsd_session import nsd_stamp
from src.data.sensorium import Mouse, open_mouse


class Source(Protocol):
    """One session as recorded: a `Mouse`, or what is read in blocks of rows (`BlockSource`)."""

    path: Path
    key: str
    role: str
    stamp: str  # changes when the files do
    n_bytes: int
    n_trials: int
    tiers: np.ndarray  # (n,) str
    trial_ids: np.ndarray  # (n,) str
    image_ids: np.ndarray  # (n,)
    unit_ids: np.ndarray  # (u,)
    boxes_filled: int
    response_dtype: str  # in which responses are packed

    def has_kind(self, kind: str) -> bool:
        """Whether trials have `kind`."""

    def trial(self, kind: str, i: int) -> np.ndarray:
        """What trial `i` has of `kind`: images (c, h, w), all else (k,)."""

    def statistic(self, kind: str, name: str) -> np.ndarray | None:
        """A statistic that came with the recording."""

    def optional(self, name: str) -> np.ndarray | None:
        """A table of units or trials by its name in a mouse's folder, or None."""


def current_stamp(path: Path) -> str:
    """Stamp of the source as it is on disk now, to be compared with one taken earlier."""
    if path.name == BETAS:
        return nsd_stamp(path)
    hdf5 = path.is_file() and h5py.is_hdf5(path)
    return file_stamp(path) if hdf5 else open_mouse(path).stamp


def require_consistent(source: Source) -> None:
    """Raise the first error of the tables of a source; no trial is read."""
    if isinstance(source, Mouse):
        require_tables(source)
    elif isinstance(source, MovieMouse):
        require_valid_movies(source, trials=False)
    elif isinstance(source, InferotemporalFile):
        require_valid(source, tables_report(source))
