"""One session of somebody's recording as plain arrays: found by file name, checked, as trials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.data.errors import DataError
from src.data.pictures import open_pictures
from src.data.stimulus_kinds import IMAGES, arrays_hint
from src.data.stored import read_npy

SHAPES = {
    "responses": ("units, images", "units, images, repeats"),
    "behavior": ("images, 3", "images, repeats, 3"),
    "pupil": ("images, 2", "images, repeats, 2"),
    "coordinates": ("units, 3",),
}
KINDS = {"responses": "responses", "behavior": "behavior", "pupil": "pupil_center"}  # on disk

Source = np.ndarray | str | Path


@dataclass(frozen=True)
class SessionArrays:
    """One session as plain arrays, or as paths of npy files; images also a folder or a zip."""

    images: Source  # (n, h, w[, c])
    responses: Source  # (u, n) means, or (u, n, r) single repeats padded with NaN
    behavior: Source | None = None  # (n[, r], 3) pupil size, its derivative, running speed
    pupil: Source | None = None  # (n[, r], 2) horizontal, vertical
    coordinates: Source | None = None  # (u, 3) micrometers: x, y, depth


@dataclass(frozen=True)
class Trials:
    """What n trials hold; `images` are indices of the images shown."""

    images: np.ndarray  # (n,)
    values: dict[str, np.ndarray]  # name of the folder on disk -> (n, k) float64


def discover_sessions(source: str | Path, only: Iterable[str] = ()) -> dict[str, SessionArrays]:
    """Sessions of a folder by the names of its files, sorted by name.

    `images_<session>.zip`, `.npy` or a folder `images_<session>`, with `responses_<session>.npy`
    or `responses_raw_<session>.npy` (single repeats, used where there are both); optionally
    `behavior_`, `pupil_` and `coordinates_<session>.npy`. DataError for an unknown session in
    `only`, and for images without responses or the reverse.
    """
    source, only = Path(source).expanduser(), tuple(only)
    if not source.is_dir():
        raise DataError(f"{source} is not a folder: give the one that holds images_<session>.zip")
    images = _by_session(source, "images_*")
    raw = _by_session(source, "responses_raw_*.npy")
    means = _by_session(source, "responses_*.npy")
    responses = {n: f for n, f in means.items() if f not in raw.values()} | raw
    known = sorted(images.keys() | responses.keys())
    hint = "" if images else arrays_hint(source, IMAGES)
    if hint or not known:
        raise DataError(f"{source} holds no images_<session>.zip: give the folder that does{hint}")
    for name in only:
        if name not in known:
            raise DataError(f"{source} has no session '{name}': choose of {', '.join(known)}")
    found = {}
    for name in only or known:
        for kind, files in (("images", images), ("responses", responses)):
            if name not in files:
                raise DataError(
                    f"session '{name}' has no {kind} in {source}: add {kind}_{name}"
                    f"{'.zip' if kind == 'images' else '.npy'}, or name the sessions to import"
                )
        optional = {k: source / f"{k}_{name}.npy" for k in ("behavior", "pupil", "coordinates")}
        optional = {kind: file for kind, file in optional.items() if file.is_file()}
        found[name] = SessionArrays(images[name], responses[name], **optional)
    return found


def _by_session(source: Path, pattern: str) -> dict[str, Path]:
    """Files by session: what the first star of the pattern stands for."""
    prefix = len(pattern.split("*")[0])
    files = sorted(source.glob(pattern))
    return {f.name.removesuffix(".npy").removesuffix(".zip")[prefix:]: f for f in files}


class RecordedSession:
    """Images and arrays of one session, all of fitting shapes and without missing values.

    DataError, naming session, array, both shapes and the remedy, where they do not fit.
    """

    def __init__(self, name: str, arrays: SessionArrays) -> None:
        self.name, self.pictures = name, open_pictures(name, arrays.images)
        self._sizes = {"images": len(self.pictures)}
        given = {field: getattr(arrays, field) for field in SHAPES}
        self.arrays = {f: self._read(f, a) for f, a in given.items() if a is not None}
        self.coordinates = self.arrays.pop("coordinates", None)  # (u, 3)
        self.complete = self._complete()  # (images, repeats) bool
        self._require_finite()

    @property
    def n_units(self) -> int:
        """Number of units u."""
        return self._sizes["units"]

    @property
    def incomplete(self) -> int:
        """Number of repeats left out, because some units have a value and others have none."""
        some = ~np.isnan(self._repeats("responses")).all(2)
        return int((some & ~self.complete).sum())

    def trials(self, averaged: np.ndarray) -> Trials:
        """All complete repeats, or their mean for images where `averaged`: (images,) -> Trials.

        In the order of the images.
        """
        images, repeats = np.nonzero(self.complete)
        starts = ~averaged[images]  # of a new trial: every repeat, or the first of an image
        starts[np.searchsorted(images, np.arange(len(averaged)))] = True
        first, trial = np.flatnonzero(starts), np.cumsum(starts) - 1
        size = np.bincount(trial)[:, None]
        values = {}
        for field in self.arrays:
            each = self._repeats(field)[images, repeats]
            values[KINDS[field]] = np.add.reduceat(each, first) / size
        return Trials(images[first], values)

    def _read(self, field: str, source: Source) -> np.ndarray:
        """One array as float64, its axes fitting the images and the arrays before it."""
        where = f"session '{self.name}': {field}"
        array = source if isinstance(source, np.ndarray) else read_npy(Path(source), where)
        if array.dtype.kind not in "uif":
            raise DataError(f"{where} holds {array.dtype}, not numbers: save it as float64")
        for axes in (shape.split(", ") for shape in SHAPES[field]):
            sizes = [int(a) if a.isdigit() else self._sizes.get(a) for a in axes]
            pairs = zip(sizes, array.shape, strict=False)
            if len(axes) == array.ndim and all(size in (None, n) for size, n in pairs):
                self._sizes |= dict(zip(axes, array.shape, strict=True))
                return array.astype(np.float64)
        known = " and ".join(f"{n} {axis}" for axis, n in self._sizes.items() if axis.isalpha())
        wanted = " or ".join(f"({shape})" for shape in SHAPES[field])
        raise DataError(
            f"{where} is {array.shape}, not {wanted}, where there are {known} "
            f"({self.pictures.where}): give every image one entry, in the order of the images"
        )

    def _repeats(self, field: str) -> np.ndarray:
        """An array with the axes (images, repeats, k), whatever form it was given in."""
        array = self.arrays[field]
        if field == "responses":
            array = array.transpose(1, 2, 0) if array.ndim == 3 else array.T
        shape = (self._sizes["images"], self._sizes.get("repeats", 1), array.shape[-1])
        return np.broadcast_to(array if array.ndim == 3 else array[:, None], shape)

    def _complete(self) -> np.ndarray:
        """Which repeats were recorded from every unit: () -> (images, repeats)."""
        responses = self._repeats("responses")
        complete = ~np.isnan(responses).any(2)
        if len(missing := np.flatnonzero(~complete.any(1))):
            i = missing[0]
            unit = np.isnan(responses[i]).sum(0).argmax()
            raise DataError(
                f"session '{self.name}': responses {self.arrays['responses'].shape} have NaN for "
                f"image {i} (from 0; {len(missing)} such images), most for unit {unit}: no repeat "
                "of it has all units; leave out that image or that unit"
            )
        return complete

    def _require_finite(self) -> None:
        for field in self.arrays:
            values = self._repeats(field)[self.complete]
            if not np.isfinite(values).all() or (field == "responses" and values.min() < 0):
                low = " or negative" if field == "responses" else ""
                raise DataError(
                    f"session '{self.name}': {field} {self.arrays[field].shape} has NaN, infinite"
                    f"{low} values where the image was shown: leave out those images, or correct "
                    "the values"
                )
        if self.coordinates is not None and not np.isfinite(self.coordinates).all():
            raise DataError(
                f"session '{self.name}': coordinates {self.coordinates.shape} have NaN: leave them "
                "out, or leave out the units without"
            )
