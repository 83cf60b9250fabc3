"""Images in folders, one a class, as ImageNet comes:

<data>/train/<class>/*
<data>/val_in_folders/<class>/*     or <data>/val/<class>/*
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from src.data.errors import DataError
from src.data.pictures import decode, is_litter, natural

PARTS = {"train": ("train",), "validation": ("val_in_folders", "val")}
HASHED = 2**30  # bytes: folders up to this size are known by their content, others by file sizes


@dataclass(frozen=True)
class PictureFolder:
    """n images of k classes, read when asked for; it can be sent to another process."""

    root: Path
    names: tuple[str, ...]  # class/file
    labels: np.ndarray  # (n,) places in `classes`
    classes: tuple[str, ...]  # sorted

    def __len__(self) -> int:
        return len(self.names)

    def read(self, i: int) -> np.ndarray:
        """Image `i`: -> (h, w, 3) uint8. DataError names a file that is no image."""
        return decode(str(self.root), self.names[i], self._bytes)

    def _bytes(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of names, sizes and, up to 1 GB, the files themselves."""
        digest, sizes = hashlib.sha256(), [(self.root / n).stat().st_size for n in self.names]
        for name, size in zip(self.names, sizes, strict=True):
            digest.update(f"{name} {size}\n".encode())
            if sum(sizes) <= HASHED:
                digest.update(self._bytes(name))
        return digest.hexdigest()


def open_folders(data: str | Path) -> tuple[PictureFolder, PictureFolder]:
    """Training and validation images; DataError unless both have the same classes."""
    data = Path(data).expanduser()
    train, held_out = (_open(data, part) for part in PARTS)
    if train.classes != held_out.classes:
        lacks, more = set(train.classes) - set(held_out.classes), set(held_out.classes)
        raise DataError(
            f"{held_out.root} has {len(held_out.classes)} classes, {train.root} "
            f"{len(train.classes)}: it lacks {sorted(lacks)[:3]}, and has besides "
            f"{sorted(more - set(train.classes))[:3]}: give both the same folders"
        )
    return train, held_out


def _open(data: Path, part: str) -> PictureFolder:
    """One part; classes are sorted as text, files of a class by number."""
    root = next((data / name for name in PARTS[part] if (data / name).is_dir()), None)
    if root is None:
        raise DataError(f"{data} has no folder {' or '.join(PARTS[part])}: a folder a class in it")
    classes = tuple(sorted(f.name for f in root.iterdir() if f.is_dir() and not is_litter(f.name)))
    names, labels = [], []
    for label, name in enumerate(classes):
        files = (f.name for f in (root / name).iterdir() if not is_litter(f.name))
        found = sorted(files, key=natural)
        if not found:
            raise DataError(f"{root / name} holds no image: fill or remove it")
        names += [f"{name}/{file}" for file in found]
        labels += [label] * len(found)
    if len(classes) < 2:
        raise DataError(f"{root} has {len(classes)} folders: naming needs two classes or more")
    return PictureFolder(root, tuple(names), np.array(labels), classes)
