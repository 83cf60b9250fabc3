"""An assembly of single presentations, as Majaj et al. 2015 recorded IT, in one HDF5 file:

    values                 (n, u) or (n, u, 1) float32, one 70-170 ms bin; attribute `hash`
    stimuli/<coordinate>   (n,) stimulus_id, object_name, category_name, variation, repetition
    units/<coordinate>     (u,) neuroid_id, animal, region, subregion, arr
    images/pixels          (i, h, w) uint8, and images/stimulus_id (i,)

That is the layout of `assemblies.Assembly` with images. Here values stay on disk, and each monkey
is a session whose trials are presentations, so that ceilings can be computed; the means
of all IT sites make the arrays of an `IT_data.h5`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from src.data.assemblies import ROWS, write_layout
from src.data.blocks import AGAIN, BlockSource, entries, file_stamp, read
from src.data.errors import DataError
from src.data.inferotemporal import WORDS, Part, write_inferotemporal
from src.data.objects import categories_of, stratified_tiers
from src.manifest import fingerprint

STIMULI = ("stimulus_id", "object_name", "repetition")  # coordinates that are needed
UNITS = ("animal", "region", "subregion")
IMAGES = ("images/pixels", "images/stimulus_id")
RATE_BIN = np.array([[70, 170]])  # ms


class ObjectAssembly:
    """Tables of one assembly, i images in order of stimulus id; values stay on disk.

    Tiers are drawn from `seed`: an assembly has none.
    """

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        _require_layout(path)
        pictured = read(path, IMAGES[1])
        self.row_of_image = np.argsort(pictured)  # (i,) where images/pixels has each image
        self.stimulus_ids = pictured[self.row_of_image]  # (i,) str, ascending
        shown = read(path, "stimuli/stimulus_id")
        if len(unknown := np.setdiff1d(shown, pictured)):
            raise DataError(f"{path}: {IMAGES[1]} lacks {len(unknown)} shown, first {unknown[0]!r}")
        self.image = np.searchsorted(self.stimulus_ids, shown)  # (n,) image of each presentation
        self.repetition = read(path, "stimuli/repetition").astype(int)  # (n,)
        self.repetitions = np.bincount(self.image, minlength=len(pictured))  # (i,)
        if not self.repetitions.all():
            never = self.stimulus_ids[np.argmin(self.repetitions)]
            raise DataError(f"{path}: image {never!r} was never presented: remove it from images")
        first = np.unique(self.image, return_index=True)[1]
        self.objects = read(path, "stimuli/object_name")[first]  # (i,) str
        categories_of(self.objects)  # refuses unknown names
        self.tiers = stratified_tiers(self.objects, seed)  # (i,) str
        self.sites = np.flatnonzero(read(path, "units/region") == "IT")  # (u,) columns of values
        if not len(self.sites):
            raise DataError(f"{path}: units/region has no unit in IT: {AGAIN}")
        self.animal, self.subregion = (read(path, f"units/{n}")[self.sites] for n in UNITS[::2])

    def values(self, rows: range) -> np.ndarray:
        """Rates of all IT sites in some presentations: -> (n, u) float32. DataError for NaN."""
        values = read(self.path, "values", slice(rows.start, rows.stop))
        values = values.reshape(len(rows), -1)[:, self.sites].astype(np.float32)
        if len(bad := np.flatnonzero(~np.isfinite(values).all(1))):
            row = rows.start + bad[0]
            raise DataError(f"{self.path}: values row {row} has NaN or infinite values: {AGAIN}")
        return values

    def pixels(self, images: np.ndarray) -> np.ndarray:
        """Images by their place in `stimulus_ids`: (k,) -> (k, h, w) uint8."""
        rows, back = np.unique(self.row_of_image[images], return_inverse=True)
        return read(self.path, IMAGES[0], rows)[back]

    def blocks(self) -> list[range]:
        """All presentations, some at a time."""
        n = len(self.image)
        return [range(i, min(i + ROWS, n)) for i in range(0, n, ROWS)]

    def means(self) -> np.ndarray:
        """Mean over repetitions of each image: -> (i, u)."""
        total = np.zeros((len(self.stimulus_ids), len(self.sites)))
        for rows in self.blocks():
            np.add.at(total, self.image[rows.start : rows.stop], self.values(rows))
        return total / self.repetitions[:, None]


class Monkey(BlockSource):
    """IT sites of one animal of an assembly; a trial is one presentation."""

    def __init__(self, assembly: ObjectAssembly, animal: str) -> None:
        super().__init__(assembly.path)
        self.assembly, self.key = assembly, animal
        self.unit_ids = np.flatnonzero(assembly.animal == animal)  # columns of a rebuilt file
        self.area = assembly.subregion[self.unit_ids]
        self.image_ids = assembly.image
        self.tiers = assembly.tiers[assembly.image]
        self.objects = assembly.objects[assembly.image]

    @cached_property
    def trial_ids(self) -> np.ndarray:
        """Stimulus id and repetition: (n,) str. DataError if one occurs twice."""
        shown = self.assembly.stimulus_ids[self.image_ids]
        ids = np.char.add(np.char.add(shown, "_"), self.assembly.repetition.astype(str))
        names, counts = np.unique(ids, return_counts=True)
        if counts.max() > 1:
            twice = names[np.argmax(counts > 1)]
            raise DataError(f"{self.path}: stimuli/repetition has {twice} twice: number each anew")
        return ids

    def _block(self, i: int) -> range:
        return self.assembly.blocks()[i // ROWS]

    def _read(self, kind: str, block: range) -> np.ndarray:
        if kind == "images":
            return self.assembly.pixels(self.image_ids[block.start : block.stop])[:, None]
        return self.assembly.values(block)[:, self.unit_ids]


def open_monkeys(path: str | Path, seed: int) -> list[Monkey]:
    """Sessions of an assembly, one an animal, in order of name; they share the split of `seed`."""
    assembly = ObjectAssembly(Path(path).expanduser().resolve(), seed)
    return [Monkey(assembly, str(animal)) for animal in np.unique(assembly.animal)]


def rebuild(assembly: str | Path, path: Path, seed: int) -> Path:
    """Write the arrays of an `IT_data.h5` from an assembly, marked `rebuilt`, at `path`.

    Besides them: repetitions and stimulus_id by tier, animal and subregion by site, and origin, by
    which a file made from this very assembly and seed is known and left as it is.
    """
    source = ObjectAssembly(Path(assembly).expanduser().resolve(), seed)
    origin = np.array([fingerprint([file_stamp(source.path), seed])])
    if path.exists() and "origin" in entries(path) and read(path, "origin") == origin:
        return path
    means, parts, extra = source.means(), {}, {"origin": origin}
    for tier, word in WORDS.items():
        rows = np.flatnonzero(source.tiers == tier)
        rates = None if tier == "test" else means[rows]
        parts[tier] = Part(source.pixels(rows), source.objects[rows], rates)
        extra[f"repetitions_{word}"] = source.repetitions[rows]
        extra[f"stimulus_id_{word}"] = source.stimulus_ids[rows]
    extra |= {"animal": source.animal, "subregion": source.subregion}
    return write_inferotemporal(path, parts, extra)


def find_assembly(path: Path, rebuilt: Path, seed: int) -> tuple[Path, ObjectAssembly | None]:
    """The file of means to read for `path`, and the assembly of its presentations, if there is one.

    `path` is an `IT_data.h5` or an assembly, of which the means are rebuilt as `rebuilt`. Where it
    does not exist, `assembly.h5` beside it is taken; where it does, that is looked at for noise.
    """
    path = Path(path).expanduser().resolve()
    beside = path.with_name("assembly.h5")
    if beside.exists() and not path.exists():
        path = beside
    if path.exists() and "values" in entries(path):
        return rebuild(path, rebuilt, seed), ObjectAssembly(path, seed)
    return path, ObjectAssembly(beside, seed) if beside.exists() else None


def _require_layout(path: Path) -> None:
    """Raise what is missing, of wrong length, or changed since the file was written."""
    found = entries(path)
    stimuli, units = ([f"{g}/{n}" for n in k] for g, k in (("stimuli", STIMULI), ("units", UNITS)))
    for key in ("values", *stimuli, *units, *IMAGES):
        if key not in found:
            raise DataError(f"{path} has no {key} among its {len(found)} arrays: {AGAIN}")
    shape = found["values"].shape
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,)):
        raise DataError(f"{path}: values is {shape}, not (presentations, units[, 1 time bin])")
    lengths = dict.fromkeys(stimuli, shape[0]) | dict.fromkeys(units, shape[1])
    lengths[IMAGES[1]] = found[IMAGES[0]].shape[0]
    for key, length in lengths.items():
        if found[key].shape != (length,):
            raise DataError(
                f"{path}: {key} is {found[key].shape} but values {shape} and {IMAGES[0]} "
                f"{found[IMAGES[0]].shape} ask for ({length},): {AGAIN}"
            )
    with h5py.File(path) as file:
        stated = file.attrs.get("hash")
    if stated is not None and stated != _hash(path, shape[0]):
        raise DataError(f"{path}: values do not match the attribute `hash`: {AGAIN}")


def _hash(path: Path, n: int) -> str:
    """sha256 of all values, in order."""
    digest = hashlib.sha256()
    for first in range(0, n, ROWS):
        digest.update(np.ascontiguousarray(read(path, "values", slice(first, first + ROWS))))
    return digest.hexdigest()


def write_assembly(
    path: Path,
    blocks: Iterable[np.ndarray],
    stimuli: Mapping[str, np.ndarray],
    units: Mapping[str, np.ndarray],
    images: tuple[np.ndarray, np.ndarray],
    time_bins: np.ndarray = RATE_BIN,
) -> Path:
    """Write an assembly; `blocks` of presentations x units [x bins] are asked for one by one.

    `images` are pixels (i, h, w) uint8 and their stimulus ids (i,), `time_bins` (t, 2) start and
    end in ms; with one bin, blocks have no axis for it.
    """
    tables = {
        f"{g}/{k}": v for g, t in (("stimuli", stimuli), ("units", units)) for k, v in t.items()
    }
    tables |= dict(zip(IMAGES, images, strict=True)) | {"time_bins": time_bins}
    n, u = (len(next(iter(table.values()))) for table in (stimuli, units))
    shape = (n, u) if len(time_bins) == 1 else (n, u, len(time_bins))
    return write_layout(path, blocks, shape, tables)
