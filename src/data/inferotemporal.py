"""`IT_data.h5`: 3200 gray images of 64 objects and the mean rates of 168 IT sites to them.

    stimulus_{train,val,test}  (n, 3, h, w) float32, ImageNet-normalized
    object_{train,val,test}    (n,) bytes, latin-1
    spikes_{train,val}         (n, u) float32, 70-170 ms, mean over repetitions; test is withheld

The file has lost which monkey a site belongs to: it is one session, "pooled", a trial an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from src.data.blocks import AGAIN, BlockSource, read
from src.data.errors import DataError
from src.manifest import replacing

WORDS = {"train": "train", "validation": "val", "test": "test"}  # a tier: the file's word
STIMULI = {tier: f"stimulus_{word}" for tier, word in WORDS.items()}
NAMES = {tier: f"object_{word}" for tier, word in WORDS.items()}
RATES = {tier: f"spikes_{word}" for tier, word in WORDS.items() if tier != "test"}
KEYS = (*STIMULI.values(), *NAMES.values(), *RATES.values())

# Mean and standard deviation of ImageNet's channels, as torchvision's weights expect them.
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
CHANNELS_AGREE = 1e-3  # of gray images after un-normalizing
IN_RANGE = (-0.02, 1.02)
BLOCK_BYTES = 2**25


def normalize(gray: np.ndarray) -> np.ndarray:
    """Gray images as three ImageNet-normalized channels: (n, h, w) uint8 -> (n, 3, h, w)."""
    plain = gray[:, None].astype(np.float32) / 255
    return (plain - IMAGENET_MEAN[:, None, None]) / IMAGENET_STD[:, None, None]


def unnormalize(stored: np.ndarray) -> np.ndarray:
    """The inverse, 0..1: (n, 3, h, w) -> (n, 3, h, w) float32."""
    return stored.astype(np.float32) * IMAGENET_STD[:, None, None] + IMAGENET_MEAN[:, None, None]


def image_problem(stored: np.ndarray) -> tuple[int, str] | None:
    """First row that is no gray image normalized once, and why: (n, 3, h, w) -> row, text."""
    if not np.isfinite(stored).all():
        row = int(np.argmin(np.isfinite(stored).all((1, 2, 3))))
        return row, f"has values that are NaN or infinite: {AGAIN}"
    plain = unnormalize(stored)
    fits = _is_gray(plain)
    if fits.all():
        return None
    row = int(np.argmin(fits))
    if _is_gray(unnormalize(plain[row : row + 1])).all():
        return row, "is ImageNet-normalized twice: normalize it once"
    picture = plain[row]
    return row, (
        f"is no gray image: un-normalized, its channels differ by {np.ptp(picture, 0).max():.3g} "
        f"(at most {CHANNELS_AGREE}) in {picture.min():.3g} to {picture.max():.3g} "
        f"(at most {IN_RANGE[0]} to {IN_RANGE[1]}): {AGAIN}"
    )


def _is_gray(plain: np.ndarray) -> np.ndarray:
    """Whether channels agree and lie in 0..1, both nearly: (n, 3, h, w) -> (n,) bool."""
    low, high = plain.min((1, 2, 3)), plain.max((1, 2, 3))
    agree = (plain.max(1) - plain.min(1)).max((1, 2)) <= CHANNELS_AGREE
    return agree & (low >= IN_RANGE[0]) & (high <= IN_RANGE[1])


class InferotemporalFile(BlockSource):
    """The pooled session of one `IT_data.h5`: n images in file order, u sites; nothing held."""

    key = "pooled"

    def counts(self) -> dict[str, int]:
        """Rows of each tier."""
        return {tier: self.entries[key].shape[0] for tier, key in STIMULI.items()}

    @cached_property
    def tiers(self) -> np.ndarray:
        """Tier of each row: (n,) str."""
        return np.repeat(list(self.counts()), list(self.counts().values()))

    @cached_property
    def trial_ids(self) -> np.ndarray:
        """Tier and row, `train_0007`: (n,) str."""
        rows = ((tier, i) for tier, n in self.counts().items() for i in range(n))
        return np.array([f"{tier}_{i:04}" for tier, i in rows])

    @cached_property
    def image_ids(self) -> np.ndarray:
        """Place in the file, train before validation before test: (n,) int."""
        return np.arange(self.n_trials)

    @cached_property
    def unit_ids(self) -> np.ndarray:
        """Column of the rates: (u,) int."""
        return np.arange(self.entries[RATES["train"]].shape[1])

    @cached_property
    def objects(self) -> np.ndarray:
        """Object in each image: (n,) str."""
        return np.concatenate([read(self.path, key) for key in NAMES.values()])

    @cached_property
    def area(self) -> np.ndarray | None:
        """Sub-region of each site, of a rebuilt file only: (u,) str."""
        return read(self.path, "subregion") if "subregion" in self.entries else None

    def rates(self, tier: str) -> np.ndarray:
        """Rates of a tier: -> (n, u) float32."""
        return read(self.path, RATES[tier]).astype(np.float32)

    def blocks(self, tier: str) -> list[range]:
        """Rows of a tier to be read together: some 30 MB, up to 130 to have whole chunks."""
        entry = self.entries[STIMULI[tier]]
        rows = max(1, BLOCK_BYTES // (4 * int(np.prod(entry.shape[1:]))))
        chunk = entry.chunks[0] if entry.chunks else 1
        step = rows // chunk * chunk or min(4 * rows, chunk)
        return [range(i, min(i + step, entry.shape[0])) for i in range(0, entry.shape[0], step)]

    def stored(self, tier: str, rows: range) -> np.ndarray:
        """Images as stored: -> (n, 3, h, w) float32."""
        values = read(self.path, STIMULI[tier], slice(rows.start, rows.stop))
        return values.astype(np.float32, copy=False)

    def _start(self, tier: str) -> int:
        return int(np.argmax(self.tiers == tier))

    def _block(self, i: int) -> range:
        tier = str(self.tiers[i])
        start = self._start(tier)
        block = next(b for b in self.blocks(tier) if i - start in b)
        return range(start + block.start, start + block.stop)

    def _read(self, kind: str, block: range) -> np.ndarray:
        tier = str(self.tiers[block.start])
        start = block.start - self._start(tier)
        rows = range(start, start + len(block))
        if kind == "responses":
            if tier not in RATES:
                return np.zeros((len(rows), len(self.unit_ids)), np.float32)
            return read(self.path, RATES[tier], slice(rows.start, rows.stop)).astype(np.float32)
        stored = self.stored(tier, rows)
        if problem := image_problem(stored):
            row, text = problem
            raise DataError(f"{self.path}: {STIMULI[tier]} row {rows.start + row} {text}")
        return np.rint(unnormalize(stored)[:, :1] * 255).clip(0, 255).astype(np.uint8)


def open_inferotemporal(path: str | Path) -> InferotemporalFile:
    """The pooled session of an `IT_data.h5`, whatever its name. Only its directory is read."""
    return InferotemporalFile(Path(path).expanduser().resolve())


class Part(NamedTuple):
    """What the file holds of one tier."""

    images: np.ndarray  # (n, h, w) uint8
    objects: np.ndarray  # (n,) str
    rates: np.ndarray | None  # (n, u); None: withheld


def write_inferotemporal(
    path: Path, parts: Mapping[str, Part], extra: Mapping[str, Any] | None = None
) -> Path:
    """Write `IT_data.h5` from its three tiers; `extra` arrays mark the file as rebuilt."""
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for tier, part in parts.items():
            _write_images(file, STIMULI[tier], part.images)
            file[NAMES[tier]] = np.char.encode(part.objects.astype(str), "latin-1")
            if part.rates is not None:
                values = part.rates.astype(np.float32)
                file.create_dataset(RATES[tier], data=values, compression="gzip")
        if extra:
            file.attrs["rebuilt"] = True
        for name, values in (extra or {}).items():
            text = np.asarray(values).dtype.kind == "U"
            file[name] = np.char.encode(values, "latin-1") if text else values
    return path


def _write_images(file: h5py.File, key: str, gray: np.ndarray) -> None:
    n, *size = gray.shape
    rows = min(n, max(1, 2**20 // (12 * int(np.prod(size)))))
    layout = {"chunks": (rows, 3, *size), "compression": "gzip", "compression_opts": 1}
    stored = file.create_dataset(key, (n, 3, *size), np.float32, **layout)
    for first in range(0, n, rows):
        stored[first : first + rows] = normalize(gray[first : first + rows])
