"""Features of images on disk: one npy file a layer, one manifest that proves the order of rows.

`folder/<layer>.npy` is (n, ...), row i that of image i, and `folder/manifest.json` holds the
sha256 of every image in that order. It is built beside its place and renamed when complete: a
folder with a manifest is whole, and a killed build continues at its last whole batch.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from src import manifest
from src.data.errors import DataError
from src.data.rows import Rows

AGAIN = "extract the features again"


@dataclass(frozen=True)
class ImagesFrom:
    """n images which a function reads or draws: `read(first, stop)` -> (stop - first, ...)."""

    n: int
    read: Callable[[int, int], np.ndarray]

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, where: slice) -> np.ndarray:
        first, stop, _ = where.indices(self.n)
        return self.read(first, stop)


def is_current(folder: Path, description: Mapping[str, Any]) -> bool:
    """Whether the folder holds the whole of what `description` says."""
    try:
        found = json.loads((folder / "manifest.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return False
    return found["fingerprint"] == manifest.fingerprint(description)


class FeatureBuild:
    """Features of `description` on their way into `folder`, from where a killed build ended."""

    def __init__(self, folder: Path, description: Mapping[str, Any], dtype: str) -> None:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "manifest.json").exists():
            raise DataError(f"{folder} holds files that are no features: give an empty folder")
        self.folder, self.description, self.dtype = folder, description, dtype
        self.partial = folder.with_name(f".{folder.name}.partial")
        self.mark = self.partial / "progress.json"
        fresh = {"fingerprint": manifest.fingerprint(description), "rows": 0, "shapes": {}}
        found = json.loads(self.mark.read_text()) if self.mark.exists() else fresh
        self.state = found if found["fingerprint"] == fresh["fingerprint"] else fresh
        if not self.state["rows"]:
            self.discard()
            self.partial.mkdir(parents=True)
        self.rows = {name: self._rows(name, row) for name, row in self.state["shapes"].items()}

    @property
    def done(self) -> int:
        """Number of images whose features are on disk."""
        return self.state["rows"]

    def discard(self) -> None:
        """Remove what was built."""
        shutil.rmtree(self.partial, ignore_errors=True)

    def _rows(self, name: str, row: Sequence[int]) -> Rows:
        return Rows(self.partial / f"{name}.npy", tuple(row), self.dtype)

    def write(self, features: Mapping[str, np.ndarray]) -> None:
        """The next images' features: layer -> (m, ...); DataError for those that are not finite."""
        for name, wide in features.items():
            with np.errstate(over="ignore"):  # infinite in float16: refused in the next line
                x = wide.astype(self.dtype)
            if not np.isfinite(x).all():
                remedy = "keep float32" if self.dtype == "float16" else "check the weights"
                where = f"images {self.done} to {self.done + len(x) - 1}"
                raise DataError(f"layer '{name}', {where}: features are not finite: {remedy}")
            rows = self.rows.setdefault(name, self._rows(name, x.shape[1:]))
            if rows.row != x.shape[1:]:
                raise DataError(
                    f"layer '{name}' is {x.shape[1:]}, before {rows.row}: resize images"
                )
            rows.write(self.done, x)
        shapes = {name: list(rows.row) for name, rows in self.rows.items()}
        count = len(next(iter(features.values())))
        self.state = {**self.state, "rows": self.done + count, "shapes": shapes}
        with manifest.replacing(self.mark, note=False) as temporary:
            temporary.write_text(json.dumps(self.state))

    def finish(self, **made_by: Any) -> None:
        """Headers, the check that features vary, the manifest, and the folder to its place."""
        for name, rows in self.rows.items():
            rows.finish(self.done)
            self._require_variation(name)
        files = {name: manifest.file_sha256(rows.path) for name, rows in self.rows.items()}
        self.mark.unlink(missing_ok=True)
        found = {
            **self.description,
            "fingerprint": self.state["fingerprint"],
            "shapes": self.state["shapes"],
            "dtype": self.dtype,
            "sha256": files,
            **made_by,
        }
        with manifest.replacing(self.partial / "manifest.json", note=False) as temporary:
            temporary.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.partial.rename(self.folder)

    def _require_variation(self, name: str) -> None:
        x, hashes = np.load(self.rows[name].path, mmap_mode="r"), self.description["image_sha256"]
        others = [i for i, found in enumerate(hashes) if found != hashes[0]]
        if others and not any((x[i] != x[0]).any() for i in others):
            raise DataError(
                f"layer '{name}': all {len(x)} images have the same {x.shape[1:]} features: check "
                "weights and preprocessing"
            )


def open_features(folder: Path, layer: str, expected: Sequence[str]) -> np.ndarray:
    """Features of one layer, memory-mapped: (n, ...); row i is that of the image of `expected[i]`.

    `expected` is `image_sha256` of the images the rows are to be used with. DataError if the
    features are of other images, or of these in another order (defect D1).
    """
    folder, expected = Path(folder), list(expected)
    if not (folder / "manifest.json").is_file():
        raise DataError(f"{folder} holds no features (no manifest.json): {AGAIN}")
    found = json.loads(manifest.note_input(folder / "manifest.json").read_text())
    if layer not in found["shapes"]:
        known = ", ".join(found["shapes"])
        raise DataError(f"{folder} has no layer '{layer}': choose of {known}, or {AGAIN}")
    hashes = found["image_sha256"]
    if hashes != expected:
        shuffled = sorted(hashes) == sorted(expected)
        what = "the same images in another order" if shuffled else "other images"
        raise DataError(
            f"{folder}/{layer}.npy has features of {what} ({len(hashes)} rows, {len(expected)} "
            f"expected): {AGAIN}, from the images in the order of their use"
        )
    features = np.load(folder / f"{layer}.npy", mmap_mode="r", allow_pickle=False)
    if features.shape != (wanted := (len(hashes), *found["shapes"][layer])):
        raise DataError(f"{folder}/{layer}.npy is {features.shape}, not {wanted}: {AGAIN}")
    return features


def layer_names(network: Path) -> tuple[str, ...]:
    """Layers whose features lie in `<network>/<session>`, in order of depth."""
    first = next(iter(sorted(Path(network).glob("[!.]*/manifest.json"))), None)
    if first is None:
        raise DataError(f"{network} holds no features (no manifest.json): {AGAIN}")
    return tuple(json.loads(first.read_text())["shapes"])
