"""One random damage to one file of a data set, of the kinds that disks, networks and people do."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np

Rng = np.random.Generator
MARK = "ran"  # file that untrusted code makes beside what it came in


class Bomb:
    """An object whose unpickling makes a file: untrusted code that ran."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)


# Any file: its bytes -----------------------------------------------------------------------------


def remove(path: Path, rng: Rng) -> None:
    path.unlink()


def empty(path: Path, rng: Rng) -> None:
    path.write_bytes(b"")


def truncate(path: Path, rng: Rng) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.integers(len(data))])


def extend(path: Path, rng: Rng) -> None:
    path.write_bytes(path.read_bytes() + rng.bytes(int(rng.integers(1, 20))))


def flip(path: Path, rng: Rng) -> None:
    """One bit, every other time in the first bytes, where headers are."""
    data = bytearray(path.read_bytes())
    end = len(data) if rng.random() < 0.5 else min(len(data), 512)
    data[rng.integers(end)] ^= 1 << int(rng.integers(8))
    path.write_bytes(bytes(data))


def blank(path: Path, rng: Rng) -> None:
    """A stretch of zeros, as a sector that was never written."""
    data = bytearray(path.read_bytes())
    start = int(rng.integers(len(data)))
    length = min(int(rng.integers(1, 600)), len(data) - start)
    data[start : start + length] = bytes(length)
    path.write_bytes(bytes(data))


def page(path: Path, rng: Rng) -> None:
    """What a server answers instead of the file."""
    path.write_bytes(b"<!DOCTYPE html><html><title>404 Not Found</title></html>\n")


def folder(path: Path, rng: Rng) -> None:
    path.unlink()
    path.mkdir()


def code(path: Path, rng: Rng) -> None:
    """A pickle, plain or inside an npy."""
    bomb = Bomb(path.with_name(MARK))
    if rng.random() < 0.5:
        path.write_bytes(pickle.dumps(bomb))
    else:
        boxed = np.empty(3, object)
        boxed[0] = bomb
        path.write_bytes(npy(boxed))


BYTES = (remove, empty, truncate, extend, flip, blank, page, folder, code)

# Arrays ------------------------------------------------------------------------------------------


def npy(array: np.ndarray) -> bytes:
    stream = BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def spoil(array: np.ndarray, rng: Rng) -> np.ndarray:
    """One value becomes what it cannot be."""
    if array.dtype.kind not in "iuf" or not array.size:
        return array
    changed = array.copy()
    place = tuple(rng.integers(n) for n in array.shape)
    odd = [np.nan, np.inf, -np.inf, -1.0, -0.0, 1e30, 1e300, 0.5, 70000.0]
    if array.dtype.kind != "f":
        changed[place] = rng.choice([np.iinfo(array.dtype).max, np.iinfo(array.dtype).min, 0])
    else:
        with np.errstate(over="ignore"):
            changed[place] = odd[rng.integers(len(odd))]
    return changed


def retype(array: np.ndarray, rng: Rng) -> np.ndarray:
    """The same values as another type, or in the other order of bytes."""
    kinds = ["<i4", "<i8", "<f8", "<f4", "<f2", "<c16", "?", "U8", "S8", "<M8[s]", "<m8[s]", "V8"]
    with np.errstate(all="ignore"):
        try:
            wide = array.astype(kinds[rng.integers(len(kinds))])
        except (ValueError, TypeError):
            wide = array
        return array.astype(array.dtype.newbyteorder(">")) if rng.random() < 0.3 else wide


def reshape(array: np.ndarray, rng: Rng) -> np.ndarray:
    """Fewer rows, other axes, or none."""
    ways: list[Callable[[np.ndarray], np.ndarray]] = [
        lambda x: x[:-1],
        lambda x: x[:0],
        lambda x: x[None],
        lambda x: x[..., None],
        lambda x: x.T,
        lambda x: x.ravel(),
        lambda x: x.ravel()[0] if x.size else x,
        lambda x: np.asfortranarray(x),
        lambda x: np.concatenate([x, x[:1]]),
        lambda x: x[..., :-1],
        lambda x: x[..., :0],
    ]
    way = ways[rng.integers(len(ways))]
    return np.asarray(way(array) if array.ndim else array[None])


def repeat(array: np.ndarray, rng: Rng) -> np.ndarray:
    """One row stands where another should."""
    if not array.ndim or len(array) < 2:
        return array
    changed = array.copy()
    a, b = rng.choice(len(array), 2, replace=False)
    changed[a] = changed[b]
    return changed


def constant(array: np.ndarray, rng: Rng) -> np.ndarray:
    return np.zeros_like(array)


ARRAYS = (spoil, spoil, retype, reshape, reshape, repeat, constant)


def change_npy(path: Path, rng: Rng) -> None:
    array = np.load(path)
    path.write_bytes(npy(ARRAYS[rng.integers(len(ARRAYS))](array, rng)))


def change_hdf5(path: Path, rng: Rng) -> None:
    """One array of the file is spoiled, gone, or something else."""
    with h5py.File(path, "r+") as file:
        keys: list[str] = []
        file.visititems(lambda k, v: keys.append(k) if isinstance(v, h5py.Dataset) else None)
        key = keys[rng.integers(len(keys))]
        values = file[key][()]
        del file[key]
        way = rng.integers(12)
        if way == 0:
            return
        if way == 1:
            file.create_group(key)
        elif way == 2:
            file[key] = h5py.SoftLink("/nowhere")
        elif way == 3:
            file[key] = h5py.ExternalLink(str(path.with_name("other.h5")), key)
        elif way == 4:
            file[key] = np.array([file.ref] * 3, h5py.ref_dtype)
        elif way == 5:
            file.create_dataset(key, data=h5py.Empty("f4"))
        else:
            if values.dtype.kind == "O":
                values = values.astype("S")
            changed = ARRAYS[rng.integers(len(ARRAYS))](values, rng)
            if changed.dtype.kind == "U":
                changed = np.char.encode(changed, "utf-8")
            if changed.dtype.kind in "mM":
                changed = changed.astype("i8")
            file[key] = changed


def damage(path: Path, rng: Rng) -> str:
    """Do one random damage to a file; returns what was done."""
    known = {".npy": change_npy, ".hdf5": change_hdf5, ".h5": change_hdf5}
    if path.suffix in known and rng.random() < 0.6:
        way = known[path.suffix]
    else:
        way = BYTES[rng.integers(len(BYTES))]
    way(path, rng)
    return way.__name__


def restore(path: Path, data: bytes) -> None:
    """Put the whole file back."""
    if path.is_dir():
        shutil.rmtree(path)
    path.write_bytes(data)
