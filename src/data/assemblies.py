"""Responses with labels: an array [trial x unit (x time)], a table of trials and one of units.

    values               (n, u) or (n, u, t) float; attribute `hash`, sha256 of its bytes
    stimuli/<column>     (n,) stimulus_id; where known object_name, repetition, category_name, ...
    units/<column>       (u,) unit_id, region; where known animal, subject, subregion, ...
    time_bins            (t, 2) start and end in ms, where known

is the one HDF5 layout of what neurons, voxels or the layers of a network answered to stimuli.
Plain arrays inside, pandas for the labels: `labeled` takes what xarray made without needing it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from src.data.errors import DataError
from src.manifest import fingerprint, replacing

ROWS = 512  # trials written or hashed together
OURS = {"neuroid_id": "unit_id", "image_id": "stimulus_id"}  # words of source files


@dataclass(frozen=True, eq=False)
class Assembly:
    """n trials of u units, in t time bins where values have three axes; rows in any order."""

    values: np.ndarray  # (n, u) or (n, u, t)
    stimuli: pd.DataFrame  # n rows
    units: pd.DataFrame  # u rows
    time_bins: np.ndarray | None = None  # (t, 2) ms
    source: str = "assembly"  # named in errors

    def __post_init__(self) -> None:
        """Raise what does not fit together; ids become texts, absent unit labels are filled."""
        stimuli, units = (_renamed(table) for table in (self.stimuli, self.units))
        n, u, t = (*self.values.shape, 1, 1)[:3] if self.values.ndim in (2, 3) else (-1, -1, -1)
        if (n, u) != (len(stimuli), len(units)):
            raise DataError(
                f"{self.source}: values are {self.values.shape} but stimuli has {len(stimuli)} "
                f"rows and units {len(units)}: give (trials, units[, bins]), a row for each"
            )
        if "stimulus_id" not in stimuli:
            known = ", ".join(stimuli) or "nothing"
            raise DataError(f"{self.source}: stimuli has {known}, no stimulus_id: name the stimuli")
        bins = None if self.time_bins is None else np.asarray(self.time_bins, float)
        if bins is not None and (bins.shape != (t, 2) or (bins[:, 0] >= bins[:, 1]).any()):
            raise DataError(f"{self.source}: time_bins are {bins.shape}, not ({t}, 2), start < end")
        stimuli["stimulus_id"] = stimuli["stimulus_id"].astype(str)
        if "unit_id" not in units:
            units["unit_id"] = np.arange(u)
        if "region" not in units:
            units["region"] = ""
        for name, value in (("stimuli", stimuli), ("units", units), ("time_bins", bins)):
            object.__setattr__(self, name, value)

    @cached_property
    def stimulus_ids(self) -> np.ndarray:
        """Stimulus of each trial: (n,) str."""
        return self.stimuli["stimulus_id"].to_numpy(str)

    def column(self, name: str) -> np.ndarray:
        """A column of the stimuli: -> (n,). DataError where it is absent."""
        if name not in self.stimuli:
            known = ", ".join(self.stimuli)
            raise DataError(f"{self.source}: stimuli has {known}, no {name}, which this needs")
        found = self.stimuli[name].to_numpy()
        return found.astype(str) if found.dtype.kind in "OUT" else found

    @cached_property
    def content_hash(self) -> str:
        """sha256 of values, stimulus ids and unit ids: changes when the data do."""
        ids = self.stimulus_ids.tolist(), self.units["unit_id"].astype(str).tolist()
        return fingerprint([values_hash(self.values), self.values.shape, *ids])

    def take(self, rows: Any = slice(None), units: Any = slice(None)) -> Assembly:
        """Some trials and units, by index, slice or mask."""
        stimuli, table = self.stimuli.iloc[rows], self.units.iloc[units]
        values = self.values[rows][:, units]
        both = {"stimuli": stimuli, "units": table}
        return replace(self, values=values, **both)

    def of_region(self, region: str) -> Assembly:
        """The units of one region. DataError naming the regions there are."""
        names = self.units["region"].to_numpy(str)
        if not (names == region).any():
            known = ", ".join(repr(str(name)) for name in np.unique(names))
            raise DataError(f"{self.source}: no unit is in region {region!r}: choose of {known}")
        return self.take(units=names == region)

    def in_bin(self, start: float, end: float) -> Assembly:
        """The time bin from start to end, in ms: values become (n, u)."""
        bins = np.empty((0, 2)) if self.time_bins is None else self.time_bins
        if not (match := (bins == (start, end)).all(axis=1)).any():
            raise DataError(f"{self.source}: no bin {start}-{end} ms among {bins.tolist()}")
        values = self.values[..., np.argmax(match)]
        return replace(self, values=values, time_bins=np.array([[start, end]]))

    def averaged(self) -> Assembly:
        """Mean over the trials of each stimulus, sorted by stimulus id (as texts).

        Columns that differ between trials of a stimulus are left out. DataError for NaN, and where
        a stimulus has two objects.
        """
        if len(bad := np.flatnonzero(~np.isfinite(self.values).all(axis=tuple(self._axes)))):
            raise DataError(
                f"{self.source}: values {self.values.shape} have NaN or infinite ones in "
                f"{len(bad)} trials, first {bad[0]}: leave those trials or units out"
            )
        ids, first, index = np.unique(self.stimulus_ids, return_index=True, return_inverse=True)
        same = [c for c in self.stimuli if self._agrees(c, first[index])]
        if "object_name" in self.stimuli and "object_name" not in same:
            raise DataError(f"{self.source}: a stimulus_id has two object_name: name images anew")
        means = mean_by(index, len(ids), self.values)
        return replace(self, values=means, stimuli=self.stimuli[same].iloc[first])

    @property
    def _axes(self) -> range:
        return range(1, self.values.ndim)

    def _agrees(self, name: str, representative: np.ndarray) -> bool:
        column = self.stimuli[name].to_numpy()
        return name != "repetition" and bool((column == column[representative]).all())

    def save(self, path: Path) -> Path:
        """Write the HDF5 layout above; `open_assembly` reads it."""
        arrays = {
            f"{group}/{name}": np.asarray(_plain(table[name]))
            for group, table in (("stimuli", self.stimuli), ("units", self.units))
            for name in table
        }
        if self.time_bins is not None:
            arrays["time_bins"] = self.time_bins
        blocks = (self.values[i : i + ROWS] for i in range(0, len(self.values), ROWS))
        kind = np.result_type(self.values.dtype, np.float32)
        return write_layout(path, blocks, self.values.shape, arrays, kind)


def _renamed(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(table).rename(columns=OURS).reset_index(drop=True)


def _plain(column: pd.Series) -> np.ndarray:
    return column.to_numpy() if column.dtype.kind in "biuf" else column.to_numpy(str)


def mean_by(index: np.ndarray, groups: int, values: np.ndarray) -> np.ndarray:
    """Mean over the rows of each group, nan for an empty one: (n,), (n, ...) -> (g, ...)."""
    n, flat = len(values), values.reshape(len(values), -1)
    members = sparse.csr_array((np.ones(n), (index, np.arange(n))), shape=(groups, n))
    counts = np.bincount(index, minlength=groups)[:, None]
    found = np.full((groups, flat.shape[1]), np.nan)
    np.divide(members @ flat, counts, out=found, where=counts > 0)
    return found.reshape(groups, *values.shape[1:])


def values_hash(values: np.ndarray) -> str:
    """sha256 of all values, in order: of an array, or of what reads one by slices."""
    digest = hashlib.sha256()
    for first in range(0, len(values), ROWS):
        digest.update(np.ascontiguousarray(values[first : first + ROWS]))
    return digest.hexdigest()


def write_layout(
    path: Path,
    blocks: Iterable[np.ndarray],
    shape: tuple[int, ...],
    arrays: Mapping[str, np.ndarray],
    kind: Any = np.float32,
) -> Path:
    """Write an assembly's HDF5 file; `blocks` of trials are asked for one after another."""
    digest, done = hashlib.sha256(), 0
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        chunks = (min(shape[0], ROWS), *shape[1:])
        values = file.create_dataset("values", shape, kind, chunks=chunks)
        for block in blocks:
            rows = np.ascontiguousarray(block, kind)
            values[done : done + len(rows)] = rows
            digest.update(rows)
            done += len(rows)
        file.attrs["hash"] = digest.hexdigest()
        for key, column in arrays.items():
            file[key] = np.char.encode(column, "utf-8") if column.dtype.kind == "U" else column
    return path


def labeled(array: Any, source: str = "array") -> Assembly:
    """An Assembly of an xarray DataArray with axes presentation, neuroid[, time_bin].

    Only `dims`, `coords` and `values` are looked at. A coordinate labels the axis it lies along.
    """
    names = [d for d in ("presentation", "neuroid", "time_bin") if d in array.dims]
    if set(names) != set(array.dims) or names[:2] != ["presentation", "neuroid"]:
        raise DataError(f"{source}: axes are {array.dims}, not presentation, neuroid[, time_bin]")
    tables: dict[str, dict[str, np.ndarray]] = {name: {} for name in names}
    for name, coordinate in array.coords.items():
        if len(coordinate.dims) == 1 and name not in array.dims:
            tables[coordinate.dims[0]][str(name)] = np.asarray(coordinate.values)
    values = np.transpose(np.asarray(array.values), [array.dims.index(d) for d in names])
    return from_tables(values, tables, source)


def from_tables(
    values: np.ndarray, tables: Mapping[str, Mapping[str, np.ndarray]], source: str
) -> Assembly:
    """An Assembly from columns by axis: presentation, neuroid, and time_bin where there is one."""
    bins = tables.get("time_bin", {})
    ends = [bins.get(f"time_bin_{end}") for end in ("start", "end")]
    times = None if any(e is None for e in ends) else np.stack(ends, axis=1)
    n, u = values.shape[:2]
    for axis, size in (("presentation", n), ("neuroid", u)):
        for name, column in tables[axis].items():
            if np.shape(column) != (size,):
                text = f"{axis} {name} are {np.shape(column)}, but values {values.shape}"
                raise DataError(f"{source}: {text}: give one entry along that axis")
    stimuli, units = (
        pd.DataFrame(dict(tables[axis]), index=range(size))
        for axis, size in (("presentation", n), ("neuroid", u))
    )
    return Assembly(values, stimuli, units, times, source)
