"""Pack a session once into a few arrays that any number of processes can memory-map.

A packed session is one folder: `images.npy` (one row per different image, by content),
`images_quarter.npy` (sums of the central 2x2 of every 4x4 block), `image_index.npy` (trial ->
image), one row per trial of `responses.npy`, `behavior.npy`, `pupil_center.npy`, `xywh.npy`,
`meta.npz`, `source.json` (where it came from, to refuse a stale cache) and `manifest.json`.

It is built beside its place, a block of trials at a time, and renamed when complete: a folder with
a manifest is whole. A killed build continues at its last whole block and ends in the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from src import locks, manifest
from src.data.build import REMEDY, SCHEMA, Build
from src.data.checks import WIDTHS
from src.data.errors import DataError
from src.data.sensorium import KINDS
from src.data.sources import Source, current_stamp, require_consistent
from src.data.statistics import resolve

BLOCK = 128  # trials between two completion marks


class _NotWhole(Exception):
    """Images hold values other than whole numbers from 0 to 255."""


def pack(mouse: Source, folder: Path, build: Callable[[Source, Path], None] | None = None) -> None:
    """Pack `mouse` into `folder`, whole or not at all; does nothing if the cache there is current.

    `build` fills an empty folder; without one, trials show images. Memory stays bounded by a few
    blocks of trials. Raises DataError if the mouse is inconsistent,
    changes meanwhile, or the cache cannot be written; then nothing of the build is left.
    """
    folder = Path(folder)
    with locks.alone(folder):
        _pack(mouse, folder, build or _build)
    manifest.note_output(folder / "manifest.json")


def _pack(mouse: Source, folder: Path, build: Callable[[Source, Path], None]) -> None:
    if not _is_current(folder, mouse):
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "source.json").exists():
            raise DataError(
                f"{folder} holds files that are no packed session: give an empty folder"
            )
        require_consistent(mouse)
        partial = folder.with_name(f".{folder.name}.partial")
        try:
            if not _is_current(partial, mouse):
                build(mouse, partial)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        except (OSError, DataError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise _explained(error, mouse, folder) from None


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a packed session; refuses one that is incomplete, outdated or stale."""
    folder = Path(folder)
    if not (folder / "manifest.json").is_file():
        raise DataError(f"{folder} is not a packed session (no manifest.json): {REMEDY}")
    found = json.loads(manifest.note_input(folder / "manifest.json").read_text())
    if found["schema"] != SCHEMA:
        raise DataError(f"{folder} has cache layout {found['schema']}, not {SCHEMA}: {REMEDY}")
    source = json.loads((folder / "source.json").read_text())
    raw = (folder / source["path"]).resolve()
    if raw.exists() and current_stamp(raw) != source["stamp"]:
        raise DataError(
            f"{folder} is stale: {raw} changed since session '{found['key']}' was packed: {REMEDY}"
        )
    return found


def _is_current(folder: Path, mouse: Source) -> bool:
    try:
        source = json.loads((folder / "source.json").read_text())
        found = json.loads((folder / "manifest.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return False
    same = found["schema"] == SCHEMA and source["stamp"] == mouse.stamp
    same = same and found["key"] == mouse.key  # one file may hold several sessions
    same = same and found.get("response_dtype", "float32") == mouse.response_dtype
    return same and found.get("boxes_filled", 0) == mouse.boxes_filled


def _explained(error: OSError | DataError, mouse: Source, folder: Path) -> DataError:
    if isinstance(error, DataError):
        return error
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            remedy = f"free about {mouse.n_bytes / 1e6:.0f} MB or choose another data_root"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            remedy = "choose a data_root that can be written"
        case _:
            remedy = "check the disk"
    what = f"session '{mouse.key}' could not be packed into {folder}"
    where = f" at {error.filename}" if error.filename else ""
    return DataError(f"{what}: {error.strerror or error}{where}; nothing was kept: {remedy}")


class _Build(Build):
    """A build of trials that show images."""

    def __init__(self, mouse: Source, folder: Path, dtype: str = "uint8", reason: str = "") -> None:
        super().__init__(mouse, folder, dtype=dtype, reason=reason)
        self.shape = mouse.trial("images", 0).shape  # (c, h, w)
        row = self.shape[1:] if self.shape[0] == 1 else self.shape
        quarter = (*row[:-2], row[-2] // 4, row[-1] // 4)
        widths = {"responses": len(mouse.unit_ids), **WIDTHS}
        self.kinds = {
            kind: self.rows(kind, (widths[kind],), np.float32)
            for kind in KINDS[1:]
            if mouse.has_kind(kind)
        }
        self.index = self.rows("image_index", (), np.int32)
        self.images = self.rows("images", row, self.state["dtype"])
        whole = self.state["dtype"] == "uint8" and min(quarter) > 0
        self.quarter = self.rows("images_quarter", quarter, np.uint16) if whole else None
        self.seen: dict[bytes, int] = {}
        for _, images in self.images.blocks(self.state.get("images", 0)):
            self._number(images)

    def settled(self, fresh: dict[str, Any]) -> tuple[str, ...]:
        """Without a reason for another dtype, a build continues one that has found such."""
        return ("stamp", "key", "schema") if not fresh["reason"] else tuple(fresh)

    @property
    def block(self) -> int:
        """Trials between two completion marks."""
        return BLOCK

    def _number(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number of each image by content, and which of them are new: (n, ...) -> (n,), (n,)."""
        digests = [hashlib.blake2b(x.tobytes(), digest_size=16).digest() for x in images]
        known = len(self.seen)
        numbers = np.array([self.seen.setdefault(d, len(self.seen)) for d in digests])
        first = np.unique(numbers, return_index=True)[1]
        return numbers, np.sort(first[numbers[first] >= known])

    def add(self, trials: range) -> dict[str, Any]:
        """Write some trials, each different image once."""
        for kind, rows in self.kinds.items():
            rows.write(trials.start, _stack(self.mouse, kind, trials, rows.row))
        images = _stack(self.mouse, "images", trials, self.shape).reshape(-1, *self.images.row)
        if self.state["dtype"] == "uint8":
            images = _whole_numbers(images, trials)
        images = images.astype(self.images.dtype)
        known = len(self.seen)
        numbers, new = self._number(images)
        self.index.write(trials.start, numbers)
        self.images.write(known, images[new])
        if self.quarter:
            self.quarter.write(known, _quarter_sums(images[new]))
        return {"images": len(self.seen)}

    def close(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Headers and statistics."""
        n = self.mouse.n_trials
        for rows in (self.index, *self.kinds.values()):
            rows.finish(n)
        for rows in filter(None, (self.images, self.quarter)):
            rows.finish(len(self.seen))
        statistics, origin = resolve(self.mouse, self.images, self.index, self.kinds)
        tiers = np.unique(self.mouse.tiers).tolist()
        own = {
            "images": len(self.seen),
            "image_shape": list(self.shape),
            "image_dtype": self.state["dtype"],
            "image_dtype_reason": self.state["reason"] or "whole numbers from 0 to 255",
            "statistics": origin,
            "withheld_tiers": [t for t in tiers if not self._responds(t)],
        }
        return {**_tables(self.mouse), **statistics}, own

    def _responds(self, tier: str) -> bool:
        shown = self.mouse.tiers == tier
        blocks = self.kinds["responses"].blocks(len(shown))
        return any(rows[shown[where]].any() for where, rows in blocks)


def _build(mouse: Source, folder: Path) -> None:
    try:
        build = _Build(mouse, folder)
        build.run()
    except _NotWhole as found:
        build = _Build(mouse, folder, "float32", str(found))
        build.run()
    build.finish()


def _stack(mouse: Source, kind: str, trials: range, shape: tuple[int, ...]) -> np.ndarray:
    """One kind of some trials, checked: -> (n, *shape)."""
    arrays = [mouse.trial(kind, i) for i in trials]
    for i, array in zip(trials, arrays, strict=True):
        file = f"{mouse.path}/data/{kind}/{i}.npy"
        if array.shape != shape:
            raise DataError(f"{file} is {array.shape} but {shape} is expected: validate the mouse")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"{file} has values that are NaN or infinite: validate the mouse")
    return np.stack(arrays)


def _whole_numbers(images: np.ndarray, trials: range) -> np.ndarray:
    """Images of whole numbers from 0 to 255 as uint8: (n, ...) -> (n, ...)."""
    if images.dtype == np.uint8:
        return images
    for i, x in zip(trials, images, strict=True):
        if x.min() < 0 or x.max() > 255 or (x.dtype.kind == "f" and (x != np.floor(x)).any()):
            raise _NotWhole(f"data/images/{i}.npy has values that are not whole numbers in 0..255")
    return images.astype(np.uint8)


def _quarter_sums(images: np.ndarray) -> np.ndarray:
    """Sum of the central 2x2 of every 4x4 block: (n, ..., h, w) -> (n, ..., h // 4, w // 4)."""
    h, w = images.shape[-2] // 4 * 4, images.shape[-1] // 4 * 4
    x = images[..., :h, :w].astype(np.uint16)
    rows = x[..., 1::4, :] + x[..., 2::4, :]
    return rows[..., 1::4] + rows[..., 2::4]


def _tables(mouse: Source) -> dict[str, np.ndarray]:
    tables = {
        "tiers": mouse.tiers,
        "trial_idx": mouse.trial_ids,
        "frame_image_id": mouse.image_ids,
        "unit_ids": mouse.unit_ids,
    }
    names = {"area": "area", "layer": "layer", "coordinates": "cell_motor_coordinates"}
    optional = {ours: mouse.optional(f"meta/neurons/{theirs}") for ours, theirs in names.items()}
    optional["objects"] = mouse.optional("meta/trials/object")
    return tables | {name: array for name, array in optional.items() if array is not None}
