"""NIfTI-1 volumes, the little of it that NSD needs: one file, plain or gzipped, and an affine.

Source: nifti.nimh.nih.gov, nifti1.h. Values lie in Fortran order, x fastest.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from src.data.errors import DataError
from src.manifest import replacing

HEADER = np.dtype(
    {
        "names": (
            *("size", "dim", "datatype", "bitpix", "pixdim", "offset", "slope", "intercept"),
            *("qform", "sform", "quatern", "shift", "affine", "magic"),
        ),
        "formats": (
            *("i4", "8i2", "i2", "i2", "8f4", "f4", "f4", "f4"),
            *("i2", "i2", "3f4", "3f4", "(3,4)f4", "S4"),
        ),
        "offsets": (0, 40, 70, 72, 76, 108, 112, 116, 252, 254, 256, 268, 280, 344),
        "itemsize": 348,
    }
)
TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
CODES = {np.dtype(name): code for code, name in TYPES.items()}
AGAIN = "get the file again"


@dataclass(frozen=True, eq=False)
class Volume:
    """Values (x, y, z) and the affine (4, 4) from voxel numbers to millimeters."""

    values: np.ndarray
    affine: np.ndarray


def read_volume(path: Path) -> Volume:
    """A volume of three axes: -> (x, y, z). DataError for another file, or a damaged one."""
    with _opened(path) as (stream, header):
        shape = _shape(header)
        if len(shape) != 3:
            raise DataError(f"{path} is {shape}, not a volume (x, y, z): {AGAIN}")
        values = _take(path, stream, header, shape)
        _require_end(path, stream)
        return Volume(_scaled(values, header), _affine(header))


def read_series(path: Path, voxels: np.ndarray) -> np.ndarray:
    """Some voxels of a series of volumes, as stored: (v,) places in C order -> (t, v).

    One volume is held at a time.
    """
    with _opened(path) as (stream, header):
        shape = _shape(header)
        if len(shape) != 4:
            raise DataError(f"{path} is {shape}, not a series (x, y, z, t): {AGAIN}")
        place = np.unravel_index(voxels, shape[:3])
        kept = [_take(path, stream, header, shape[:3])[place] for _ in range(shape[3])]
        _require_end(path, stream)
        return np.array(kept)


def series_shape(path: Path) -> tuple[int, ...]:
    """Axes of a file, from its header: -> (x, y, z[, t])."""
    with _opened(path) as (_, header):
        return _shape(header)


def write_volume(path: Path, values: np.ndarray, affine: np.ndarray) -> Path:
    """Write (x, y, z[, t]) gzipped, with its affine; equal values give equal bytes."""
    values = np.asarray(values)
    if values.dtype not in CODES:
        raise DataError(
            f"{path}: {values.dtype} is no type of NIfTI: use {', '.join(map(str, CODES))}"
        )
    header = np.zeros((), HEADER)
    header["size"], header["magic"], header["offset"] = 348, b"n+1", 352
    header["dim"][: values.ndim + 1] = values.ndim, *values.shape
    header["dim"][values.ndim + 1 :] = 1
    header["datatype"], header["bitpix"] = CODES[values.dtype], 8 * values.dtype.itemsize
    header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    header["pixdim"][0] = header["pixdim"][4] = header["slope"] = 1
    header["sform"], header["affine"] = 1, affine[:3]
    with (
        replacing(path) as temporary,
        open(temporary, "wb") as file,
        gzip.GzipFile("", "wb", 1, file, mtime=0) as stream,
    ):
        stream.write(header.tobytes() + bytes(4))
        stream.write(values.tobytes("F"))
    return path


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, np.ndarray]]:
    """The file after its header, and the header in this machine's order of bytes."""
    if not path.is_file():
        raise DataError(f"{path} does not exist: put it there")
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if zipped else file
        header = np.frombuffer(_bytes(path, stream, 348), HEADER)[0]
        if header["size"] != 348:
            header = header.view(HEADER.newbyteorder())
        if header["size"] != 348 or header["magic"] not in (b"n+1", b"n+1\0"):
            raise DataError(f"{path} is no NIfTI-1 file: {AGAIN}")
        if int(header["datatype"]) not in TYPES:
            raise DataError(f"{path} has data type {int(header['datatype'])}: convert it to float")
        _bytes(path, stream, int(header["offset"]) - 348)
        yield stream, header


def _bytes(path: Path, stream: BinaryIO, count: int) -> bytes:
    try:
        data = stream.read(count)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}): {AGAIN}") from None
    if len(data) < count:
        raise DataError(f"{path} is cut off: {len(data)} of {count} bytes are left: {AGAIN}")
    return data


def _require_end(path: Path, stream: BinaryIO) -> None:
    """Read to the end, where gzip keeps its checksum; more bytes than the header says are wrong."""
    try:
        more = stream.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}): {AGAIN}") from None
    if more:
        raise DataError(f"{path} is longer than its header says: {AGAIN}")


def _shape(header: np.ndarray) -> tuple[int, ...]:
    return tuple(map(int, header["dim"][1 : header["dim"][0] + 1]))


def _take(path: Path, stream: BinaryIO, header: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The next values of a file, as stored: -> shape."""
    order = header.dtype["size"].byteorder
    dtype = np.dtype(TYPES[int(header["datatype"])]).newbyteorder(order)
    data = _bytes(path, stream, int(np.prod(shape)) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape, order="F").astype(dtype.newbyteorder("="))


def _scaled(values: np.ndarray, header: np.ndarray) -> np.ndarray:
    """Values in the file's unit; a slope of 0 says that they are already."""
    slope, intercept = float(header["slope"]), float(header["intercept"])
    return values if slope in (0, 1) and not intercept else values * slope + intercept


def _affine(header: np.ndarray) -> np.ndarray:
    """From voxel numbers to millimeters: the sform, or else the qform: -> (4, 4)."""
    affine = np.eye(4)
    if header["sform"] > 0:
        affine[:3] = header["affine"]
    elif header["qform"] > 0:
        b, c, d = map(float, header["quatern"])
        a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
        turn = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
            ]
        )
        scale = header["pixdim"][1:4] * [1, 1, -1 if header["pixdim"][0] < 0 else 1]
        affine[:3, :3], affine[:3, 3] = turn * scale, header["shift"]
    else:
        affine[:3, :3] = np.diag(header["pixdim"][1:4])
    return affine


def write_maps(
    stem: Path, values: Mapping[str, np.ndarray], places: np.ndarray, space: Volume
) -> dict[str, np.ndarray]:
    """Values of some voxels as files `stem`_name.nii.gz: (v,) by name, (v,) C-order -> (x, y, z).

    They have shape and affine of a volume of the same subject, so that they lie over its anatomy.
    """
    shape = space.values.shape
    volumes = {name: volume_of(np.asarray(v), places, shape) for name, v in values.items()}
    for name, volume in volumes.items():
        write_volume(stem.with_name(f"{stem.name}_{name}.nii.gz"), volume, space.affine)
    return volumes


def volume_of(values: np.ndarray, places: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Values of some voxels in their volume, 0 elsewhere: (v,), (v,) C-order -> (x, y, z) float32.

    What is not known of a voxel is 0 as well: viewers of brains have no color for nan.
    """
    volume = np.zeros(shape, np.float32)
    volume.ravel()[places] = np.where(np.isfinite(values), values, 0)
    return volume
