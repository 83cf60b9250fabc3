"""An npy file filled row by row, so that a killed build can go on where it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

BLOCK = 128  # rows read at once


class Rows:
    """An npy file filled row by row; its header, of known length, is written at the end."""

    def __init__(self, path: Path, row: tuple[int, ...], dtype: np.typing.DTypeLike) -> None:
        self.path, self.row, self.dtype = path, row, np.dtype(dtype)
        self.row_bytes = int(np.prod(row)) * self.dtype.itemsize
        self.start = len(self._header(0))
        path.touch()

    def _header(self, n: int) -> bytes:
        stream, descr = BytesIO(), np.lib.format.dtype_to_descr(self.dtype)
        fields = {"descr": descr, "fortran_order": False, "shape": (n, *self.row)}
        np.lib.format.write_array_header_1_0(stream, fields)
        return stream.getvalue()

    def _put(self, position: int, data: bytes, end: int | None = None) -> None:
        with open(self.path, "r+b") as stream:
            stream.seek(position)
            stream.write(data)
            if end is not None:
                stream.truncate(end)
            stream.flush()
            os.fsync(stream.fileno())

    def write(self, first: int, rows: np.ndarray) -> None:
        """Rows `first`, `first` + 1, ...: (n, ...)."""
        self._put(self.start + first * self.row_bytes, rows.astype(self.dtype).tobytes())

    def read(self, first: int, count: int) -> np.ndarray:
        """`count` rows from `first` on, without mapping the file: -> (count, ...)."""
        offset, size = self.start + first * self.row_bytes, int(np.prod(self.row))
        return np.fromfile(self.path, self.dtype, count * size, offset=offset).reshape(
            -1, *self.row
        )

    def blocks(self, n: int) -> Iterator[tuple[slice, np.ndarray]]:
        """The first `n` rows, a block at a time, without mapping the file."""
        for first in range(0, n, BLOCK):
            where = slice(first, min(first + BLOCK, n))
            yield where, self.read(first, where.stop - first)

    def finish(self, n: int) -> None:
        """Make it an npy file of `n` rows."""
        self._put(0, self._header(n), end=self.start + n * self.row_bytes)
