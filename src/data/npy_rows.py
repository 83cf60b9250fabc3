"""Some rows of an npy file, without a memory map: files of which thousands are read in turn."""

from __future__ import annotations

import numpy as np

from src.data.errors import DataError


def npy_header(path: str) -> tuple[np.dtype, int]:
    """Dtype of an npy file and where its numbers begin."""
    with open(path, "rb") as stream:
        np.lib.format.read_magic(stream)
        dtype = np.lib.format.read_array_header_1_0(stream)[2]
        return dtype, stream.tell()


def read_rows(
    path: str, header: tuple[np.dtype, int], start: int, shape: tuple[int, ...]
) -> np.ndarray:
    """An array of `shape`, which begins with row `start` of the file; one read, no copy."""
    dtype, offset = header
    found = np.empty(shape, dtype)
    if not found.nbytes:
        return found
    with open(path, "rb", buffering=0) as stream:
        stream.seek(offset + start * (found.nbytes // shape[0]))
        if stream.readinto(found) != found.nbytes:
            raise DataError(f"{path} ends before row {start + shape[0]}: run 01_preprocess again")
    return found
