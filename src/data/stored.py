"""Files of arrays and tensors: read whole and never unpickled, or a DataError that names them."""

from __future__ import annotations

import pickle
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from src.data.errors import DataError

AGAIN = "get the file again"
# What numpy and scipy raise for bytes that are not what they expect.
UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(OverflowError, MemoryError, NotImplementedError, SyntaxError),
    tokenize.TokenError,
    *(zipfile.BadZipFile, zlib.error, MatReadError),
)


def read_npy(path: Path, where: str = "") -> np.ndarray:
    """The array of an npy file, mapped; pickled objects are refused, not loaded."""
    try:
        return np.lib.format.open_memmap(Path(path).expanduser(), mode="r")
    except UNREADABLE as error:
        what = f"{where}: " if where else ""
        raise DataError(f"{what}{path} is not a readable npy file ({error}): {AGAIN}") from None


def read_npz(path: Path, remedy: str = AGAIN) -> dict[str, np.ndarray]:
    """Every array of an npz by its name; pickled objects are refused, not loaded."""
    try:
        with open(path, "rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except UNREADABLE as error:
        raise DataError(f"{path} is no complete npz of plain arrays ({error}): {remedy}") from None
    if other := [name for name, value in found.items() if not isinstance(value, np.ndarray)]:
        raise DataError(f"{path}: {other[0]} is no array: {remedy}")
    return found


def read_tensors(path: Path, remedy: str = AGAIN, **options: Any) -> Any:
    """What torch.save wrote of tensors and plain values, on the CPU; other objects are refused."""
    try:
        with warnings.catch_warnings():  # torch warns of protocols it does not write itself
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True, **options)
    except (*UNREADABLE, RuntimeError, pickle.UnpicklingError) as error:
        reason = str(error).split("\n")[0]
        if isinstance(error, pickle.UnpicklingError):
            reason = "it is cut off, or holds more than tensors and plain values"
        raise DataError(f"{path} is no file of weights ({reason}): {remedy}") from None


def read_mat(path: Path, names: Sequence[str] | None = None, **options: Any) -> dict[str, Any]:
    """Variables of a .mat file, all or those of some names that it has."""
    if not path.is_file():
        raise DataError(f"{path} does not exist: {AGAIN}")
    try:
        return loadmat(path, variable_names=names, **options)
    except UNREADABLE as error:
        raise DataError(f"{path} is no complete .mat file ({error}): {AGAIN}") from None
