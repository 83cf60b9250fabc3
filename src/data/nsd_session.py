"""A subject of NSD as a session that `pack` reads: voxels of its areas, a trial a presentation."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from src.data.blocks import AGAIN, BlockSource, Entry, entries
from src.data.errors import DataError
from src.data.nifti import read_volume
from src.data.nsd import (
    Areas,
    Design,
    NsdFiles,
    area_names,
    find_subjects,
    read_scan,
    scan_shape,
    tiers_of,
    z_scored,
)
from src.manifest import fingerprint

SIZE = 227  # pixels a side that images are resized to


class NsdSubject(BlockSource):
    """n trials of u voxels of one subject; responses are z-scored within each scan session.

    Images are (3, size, size) uint8, resized with Pillow's antialiased bilinear filter. `voxels`
    are places in C order in the volume, by default those of V1 to hV4 by moving bars.
    """

    def __init__(
        self, files: NsdFiles, tiers: np.ndarray, voxels: np.ndarray | None = None, size: int = SIZE
    ) -> None:
        self.files, self.key, self.size, self.tiers = files, files.key, size, tiers
        super().__init__(files.betas)
        areas = Areas(files)
        self.unit_ids = np.flatnonzero(areas.early()) if voxels is None else np.asarray(voxels)
        self.area = area_names(areas.labels.ravel()[self.unit_ids])
        space = areas.prf.values.shape
        for path, shape in zip(files.scans, self.shapes, strict=True):
            if shape[1:] != space:
                raise DataError(f"{path} is {shape[1:]} but prf-visualrois is {space}: {AGAIN}")
        design = Design.read(files.design)
        self.order = design.order[: len(tiers)]  # (n,) the subject's image number
        self.image_ids = design.images[files.subject - 1, self.order]  # (n,) of the stimuli
        self.trial_ids = np.array([f"{self.key}_{i:05}" for i in range(len(tiers))])

    def _open(self) -> None:
        self.shapes = [scan_shape(path) for path in self.files.scans]
        if (found := sum(shape[0] for shape in self.shapes)) != len(self.tiers):
            raise DataError(f"{self.path} has {found} trials, not {len(self.tiers)}: {AGAIN}")
        self.stamp = nsd_stamp(self.path)
        self.n_bytes = len(self.tiers) * 3 * self.size**2

    objects = None

    @cached_property
    def starts(self) -> np.ndarray:
        """First trial of each scan session, and the number of trials: -> (scans + 1,)."""
        return np.concatenate([[0], np.cumsum([shape[0] for shape in self.shapes])])

    def statistic(self, kind: str, name: str) -> np.ndarray | None:
        """Responses are normalized already."""
        return np.ones(1) if (kind, name) == ("responses", "std") else None

    def optional(self, name: str) -> np.ndarray | None:
        """Area of the units, and their places (x, y, z) in the volume."""
        if name == "meta/neurons/cell_motor_coordinates":
            return np.stack(np.unravel_index(self.unit_ids, self.shapes[0][1:]), 1).astype(float)
        return super().optional(name)

    @cached_property
    def ncsnr(self) -> np.ndarray:
        """Standard deviation of signal over that of noise of each voxel: -> (u,)."""
        path, space = self.path / "ncsnr.nii.gz", self.shapes[0][1:]
        volume = read_volume(path).values
        if volume.shape != space:
            raise DataError(f"{path} is {volume.shape}, responses are {space}: {AGAIN}")
        return volume.ravel()[self.unit_ids].astype(float)

    def _block(self, i: int) -> range:
        scan = int(np.searchsorted(self.starts, i, "right")) - 1
        return range(self.starts[scan], self.starts[scan + 1])

    def _read(self, kind: str, block: range) -> np.ndarray:
        if kind == "images":
            return read_images(
                self.files.stimuli, self.image_ids[block.start : block.stop], self.size
            )
        scan = int(np.searchsorted(self.starts, block.start))
        return z_scored(read_scan(self.files.scans[scan], self.unit_ids))


def open_subjects(root: Path, size: int = SIZE) -> list[NsdSubject]:
    """All subjects below a root, their tiers by what every one of them saw."""
    found = find_subjects(root)
    design = Design.read(next(iter(found.values())).design)
    trials = {k: sum(scan_shape(p)[0] for p in f.scans) for k, f in found.items()}
    tiers = tiers_of(design, trials)
    return [NsdSubject(files, tiers[key], size=size) for key, files in found.items()]


def read_images(path: Path, ids: np.ndarray, size: int) -> np.ndarray:
    """Stimuli by number, resized: (n,) -> (n, 3, size, size) uint8; each is read once."""
    unique, back = np.unique(ids, return_inverse=True)
    found = entries(path).get("imgBrick", Entry((), np.dtype("V"), None))
    if found.dtype != np.uint8 or len(found.shape) != 4 or found.shape[3] != 3:
        what = f"imgBrick is {found.shape} {found.dtype}, not (images, h, w, 3) uint8"
        raise DataError(f"{path}: {what}: {AGAIN}")
    if unique[-1] >= found.shape[0]:
        what = f"imgBrick is {found.shape} but a trial shows image {unique[-1]} (from 0)"
        raise DataError(f"{path}: {what}: get it and nsd_expdesign.mat again")
    try:
        with h5py.File(path) as file:
            return np.stack([resized(file["imgBrick"][i], size) for i in unique])[back]
    except OSError as error:
        raise DataError(f"{path}: imgBrick is damaged ({error}): {AGAIN}") from None


def resized(image: np.ndarray, size: int) -> np.ndarray:
    """(h, w, 3) uint8 -> (3, size, size) uint8."""
    picture = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(picture).transpose(2, 0, 1)


def nsd_stamp(betas: Path) -> str:
    """Fingerprint of names, sizes and times of a subject's files, by its folder of responses."""
    subject = int(betas.parents[1].name.removeprefix("subj"))
    files = NsdFiles(betas.parents[4], subject)
    used = *files.scans, files.stimuli, files.design, *sorted(files.functional.rglob("*.nii.gz"))
    stats = [(str(p.relative_to(files.root)), p.stat()) for p in used if p.exists()]
    return fingerprint([[name, s.st_size, s.st_mtime_ns] for name, s in stats])
