"""Every file that becomes an Assembly: our HDF5 layout, NetCDF, npz, csv, and `IT_data.h5`."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from src.data.assemblies import Assembly, from_tables, values_hash
from src.data.blocks import AGAIN, entries, read
from src.data.errors import DataError
from src.data.inferotemporal import RATES, open_inferotemporal
from src.data.stored import read_npz

DIMENSION_ONLY = b"This is a netCDF dimension but not"  # so begins the name of one without values
# Columns of a csv that describe a trial: all others are units, unless a table of units names them.
OF_STIMULI = (
    *("stimulus_id", "image_id", "object_name", "category_name", "repetition", "variation"),
    *("background_id", "rxy", "rxz", "ryz", "s", "ty", "tz", "size", "split"),
)


def open_assembly(path: str | Path) -> Assembly:
    """The assembly in a file, recognized by what it is: HDF5, NetCDF-4, npz or csv.

    npz: `values`, `stimuli/<column>`, `units/<column>`, `time_bins`, as in our HDF5 layout. csv: a
    row a trial, columns that describe it (`stimulus_id` first of all) and one a unit; a table
    `<name>.units.csv` beside it, with `unit_id`, names and describes the units. DataError says what
    is missing or does not fit.
    """
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        raise DataError(f"{path} does not exist: give an assembly (.h5, .nc, .npz or .csv)")
    if path.suffix == ".csv":
        return _of_csv(path)
    if path.suffix == ".npz":
        return _of_npz(path)
    with path.open("rb") as stream:
        if stream.read(3) == b"CDF":
            raise DataError(f"{path} is NetCDF-3: write it with format='NETCDF4'")
    found = entries(path)
    if "values" in found:
        return _of_layout(path)
    if RATES["train"] in found:
        return _of_means(path)
    return _of_netcdf(path)


def _grouped(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Columns by the axis they describe, from names such as stimuli/object_name."""
    axes = {"stimuli": "presentation", "units": "neuroid"}
    tables: dict[str, dict[str, np.ndarray]] = {axis: {} for axis in axes.values()}
    for key, column in arrays.items():
        group, _, name = key.rpartition("/")
        if group in axes:
            tables[axes[group]][name] = column
    if "time_bins" in arrays:
        ends = arrays["time_bins"].T
        tables["time_bin"] = dict(zip(("time_bin_start", "time_bin_end"), ends, strict=True))
    return tables


def _of_layout(path: Path) -> Assembly:
    values, tables = read(path, "values"), {k: read(path, k) for k in entries(path) if "/" in k}
    tables = {k: v for k, v in tables.items() if not k.startswith("images/")}
    if "time_bins" in entries(path) and values.ndim == 3:
        tables["time_bins"] = read(path, "time_bins")
    with h5py.File(path) as file:
        stated = file.attrs.get("hash")
    if stated is not None and stated != values_hash(values):
        raise DataError(f"{path}: values do not match the attribute `hash`: {AGAIN}")
    return from_tables(values, _grouped(tables), str(path))


def _of_npz(path: Path) -> Assembly:
    arrays = read_npz(path)
    if "values" not in arrays:
        raise DataError(f"{path} has {', '.join(arrays)}, no values (trials, units[, bins])")
    return from_tables(arrays.pop("values"), _grouped(arrays), str(path))


def _of_csv(path: Path) -> Assembly:
    ids = dict.fromkeys(("stimulus_id", "image_id", "object_name"), str)
    table, beside = pd.read_csv(path, dtype=ids), path.with_suffix(".units.csv")
    if beside.is_file():
        units = pd.read_csv(beside, dtype={"unit_id": str})
        if "unit_id" not in units:
            raise DataError(f"{beside} has {', '.join(units)}, no unit_id: name the units")
        names = units["unit_id"].tolist()
    else:
        names = [c for c in table if c not in OF_STIMULI]
        units = pd.DataFrame({"unit_id": names})
    if absent := sorted(set(names) - set(table)):
        raise DataError(f"{path}: {len(absent)} units of {beside.name} are no column: {absent[0]}")
    if wrong := [c for c in names if table[c].dtype.kind not in "iuf"]:
        raise DataError(
            f"{path}: column {wrong[0]} is no number: name the units in {beside.name}, or leave it "
            "out"
        )
    return Assembly(table[names].to_numpy(float), table.drop(columns=names), units, None, str(path))


def _of_means(path: Path) -> Assembly:
    """`IT_data.h5`: means of the images whose rates are not withheld; no repetitions."""
    file = open_inferotemporal(path)
    rows = np.isin(file.tiers, list(RATES))
    stimuli = pd.DataFrame(
        {"stimulus_id": file.trial_ids, "object_name": file.objects, "split": file.tiers}
    )
    units = pd.DataFrame({"unit_id": file.unit_ids, "region": "IT"})
    values = np.concatenate([file.rates(tier) for tier in RATES])
    return Assembly(values, stimuli[rows], units, None, str(path))


def _of_netcdf(path: Path) -> Assembly:
    """A labeled array as xarray writes it: one variable of two or three axes, and coordinates."""
    tables: dict[str, dict[str, np.ndarray]] = {"presentation": {}, "neuroid": {}, "time_bin": {}}
    with h5py.File(path) as file:
        arrays = {k: v for k, v in file.items() if isinstance(v, h5py.Dataset)}
        axes = {name: _axes(v) for name, v in arrays.items()}
        data = [k for k, a in axes.items() if {"presentation", "neuroid"} <= set(a) <= set(tables)]
        if len(data) != 1:
            raise DataError(
                f"{path} has {', '.join(arrays) or 'nothing'}, of which {len(data)} have the axes "
                "presentation and neuroid: give one assembly"
            )
        for name, (*along,) in axes.items():
            if len(along) == 1 and along[0] in tables and name != along[0]:
                tables[along[0]][name] = read(path, name)
        order = [axes[data[0]].index(a) for a in tables if a in axes[data[0]]]
    values = np.transpose(read(path, data[0]), order)
    return from_tables(values, tables, str(path))


def _axes(array: h5py.Dataset) -> tuple[str, ...]:
    """Names of the axes of a NetCDF-4 variable; none for an axis itself without values."""
    if array.attrs.get("NAME", b"").startswith(DIMENSION_ONLY):
        return ()
    if array.is_scale and array.ndim == 1 and "DIMENSION_LIST" not in array.attrs:
        return (array.name.lstrip("/"),)
    return tuple(d[0].name.lstrip("/") if len(d) else "" for d in array.dims)
