"""The Natural Scenes Dataset on disk: which trial shows which image, which voxel is in which area.

    nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5          imgBrick (images, h, w, 3) uint8
    nsddata/experiments/nsd/nsd_expdesign.mat             masterordering, subjectim, sharedix
    nsddata/ppdata/subjXX/func1pt8mm/roi/*.nii.gz         prf-visualrois, Kastner2015, ...
    nsddata_betas/ppdata/subjXX/func1pt8mm/<betas>/       betas_sessionNN.hdf5 or .nii.gz, ncsnr

Source: specification nsd_gnet, 3 and 4. Image numbers count from 0 here: those of a subject (of
10 000), and those of the file of stimuli (of 73 000). Nothing is read but what is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from scipy.ndimage import convolve1d

from src.data.blocks import AGAIN, entries
from src.data.errors import DataError
from src.data.nifti import Volume, read_series, read_volume, series_shape
from src.data.stored import read_mat

BETAS = "betas_fithrf_GLMdenoise_RR"
SPACE = "func1pt8mm"
SCALE = 300.0  # stored values in one percent of signal change
SATURATED = (-32768, 32767)
GAP = 4  # voxels between two that are read all the same
AREAS = {
    **{"V1": (1, 2), "V2": (3, 4), "V3": (5, 6), "hV4": (7,), "V3ab": (16, 17), "LO": (14, 15)},
    **{"IPS": tuple(range(18, 24)), "VO": (8, 9), "PHC": (10, 11), "MT": (13,), "MST": (12,)},
    "other": (24, 25, 0),
}
EARLY = ("V1", "V2", "V3", "hV4")


@dataclass(frozen=True)
class NsdFiles:
    """Where the files of one subject are, below the root of the data."""

    root: Path
    subject: int  # 1 to 8

    @property
    def key(self) -> str:
        """subj01."""
        return f"subj{self.subject:02}"

    @property
    def betas(self) -> Path:
        """Folder of responses, a file a scan session."""
        return self.root / "nsddata_betas/ppdata" / self.key / SPACE / BETAS

    @property
    def functional(self) -> Path:
        """Folder of brain mask, anatomy and areas."""
        return self.root / "nsddata/ppdata" / self.key / SPACE

    @property
    def stimuli(self) -> Path:
        """Images of all subjects."""
        return self.root / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"

    @property
    def design(self) -> Path:
        """Which image each trial shows."""
        return self.root / "nsddata/experiments/nsd/nsd_expdesign.mat"

    @property
    def scans(self) -> tuple[Path, ...]:
        """Files of responses in order; DataError where one is missing in between, or all are."""
        kinds = ("hdf5", "nii.gz")
        found = [sorted(self.betas.glob(f"betas_session*.{kind}")) for kind in kinds]
        files = found[0] or found[1]
        wanted = [f"betas_session{i + 1:02}" for i in range(len(files))]
        for file, name in zip(files, wanted, strict=True):
            if file.name.split(".")[0] != name:
                raise DataError(f"{self.betas} lacks {name}, but has {file.name}: {AGAIN}")
        if not files:
            raise DataError(f"{self.betas} has no betas_session*.hdf5 or .nii.gz: {AGAIN}")
        return tuple(files)


def find_subjects(root: Path) -> dict[str, NsdFiles]:
    """Subjects whose responses are below a root, by key. DataError if there is none."""
    root = Path(root)
    keys = [f"subj{i:02}" for i in range(1, 9)]
    found = {key: NsdFiles(root, i) for i, key in enumerate(keys, start=1)}
    found = {key: files for key, files in found.items() if files.betas.is_dir()}
    if not found:
        raise DataError(f"{root} has no nsddata_betas/ppdata/subj01 to 08: give NSD's root")
    return found


@dataclass(frozen=True, eq=False)
class Design:
    """The order of images: the same 10 000 numbers for all subjects, other images behind them."""

    order: np.ndarray  # (t,) a subject's image number of each trial
    images: np.ndarray  # (s, i) number in the file of stimuli
    n_shared: int  # the first image numbers are of images that all subjects saw

    @classmethod
    def read(cls, path: Path) -> Design:
        """From `nsd_expdesign.mat`, whose numbers begin at 1."""
        names = ("masterordering", "subjectim", "sharedix")
        found = read_mat(path, names)
        if missing := [name for name in names if name not in found]:
            raise DataError(f"{path} has no {', '.join(missing)}: {AGAIN}")
        for name in names:
            if not _counts(found[name]):
                raise DataError(f"{path}: {name} is no table of numbers from 1 on: {AGAIN}")
        order, images, shared = (found[name].astype(int) for name in names)
        if order.max() > images.shape[1]:
            raise DataError(
                f"{path}: masterordering asks for image {order.max()} of a subject, subjectim is "
                f"{images.shape}: {AGAIN}"
            )
        return cls(order.ravel() - 1, images - 1, shared.size)


def _counts(found: np.ndarray) -> bool:
    """Whether all are whole numbers from 1 on."""
    number = found.dtype.kind in "iuf" and found.ndim == 2 and found.size > 0
    return number and bool((found >= 1).all() and (found == np.floor(found)).all())


def tiers_of(design: Design, trials: dict[str, int], n_times: int = 3) -> dict[str, np.ndarray]:
    """Tier of each trial of each subject: trials by key -> (n,) str by key.

    train: images of one subject alone; test: shared images that every subject saw `n_times`;
    validation: the other shared ones. No image is in two tiers (specification nsd_gnet, 4.4).
    """
    least = design.order[: min(trials.values())]
    seen = np.bincount(least, minlength=design.images.shape[1])
    shared = np.arange(len(seen)) < design.n_shared
    tier = np.where(shared, np.where(seen >= n_times, "test", "validation"), "train")
    return {key: tier[design.order[:n]] for key, n in trials.items()}


@dataclass(frozen=True, eq=False)
class Areas:
    """Areas of one subject's volume."""

    files: NsdFiles

    def volume(self, name: str) -> Volume:
        """One of the volumes in the folder of areas, or above it."""
        folder = self.files.functional
        here = folder / f"roi/{name}.nii.gz"
        return read_volume(here if here.exists() else folder / f"{name}.nii.gz")

    @cached_property
    def prf(self) -> Volume:
        """Areas found with moving bars; above 0 in V1 to hV4 numbers as in the atlas."""
        return self.volume("prf-visualrois")

    @cached_property
    def labels(self) -> np.ndarray:
        """Number of the area of each voxel, the atlas where bars say nothing: -> (x, y, z) int."""
        prf, atlas = self.prf.values, self.volume("Kastner2015").values
        if prf.shape != atlas.shape:
            raise DataError(
                f"{self.files.functional}/roi: prf-visualrois is {prf.shape}, Kastner2015 "
                f"{atlas.shape}: {AGAIN}"
            )
        return np.where(prf > 0, prf, atlas).astype(int)

    def early(self) -> np.ndarray:
        """Voxels of V1 to hV4 by moving bars, the default: -> (x, y, z) bool."""
        return self.prf.values > 0

    def visual(self) -> np.ndarray:
        """Voxels of any area of atlas or moving bars; not NSD's `nsdgeneral`: -> (x, y, z) bool."""
        return self.labels > 0

    def brain(self, inflated: bool = False) -> np.ndarray:
        """Voxels of anatomy or of any visual region, on request grown: -> (x, y, z) bool."""
        general, atlas = (self.volume(n).values for n in ("nsdgeneral", "Kastner2015"))
        tight = (self.volume("aseg").values != 0) | (general == 1) | (atlas >= 0)
        return inflate(tight) if inflated else tight


def inflate(mask: np.ndarray) -> np.ndarray:
    """Fill gaps of one voxel, and leave voxels alone that stand alone: (x, y, z) bool -> the same.

    Weights 1 of a voxel, 1/2 of a face, 1/4 of an edge, 1/8 of a corner must sum to 1.
    """
    grown = mask.astype(float)
    for axis in range(3):
        grown = convolve1d(grown, [0.5, 1, 0.5], axis, mode="constant")
    return grown >= 1


def area_names(labels: np.ndarray) -> np.ndarray:
    """Name of the area of each voxel by its number: (v,) int -> (v,) str; "" outside cortex."""
    name_of = {number: name for name, numbers in AREAS.items() for number in numbers}
    return np.array([name_of.get(int(number), "") for number in labels])


def scan_shape(path: Path) -> tuple[int, int, int, int]:
    """Axes of one scan session: -> (t, x, y, z)."""
    if path.suffix != ".hdf5":
        *space, trials = series_shape(path)
        return trials, *space
    found = entries(path)
    betas = found.get("betas")
    if betas is None or len(betas.shape) != 4 or betas.dtype.kind not in "iu":
        what = "no betas" if betas is None else f"betas {betas.shape} {betas.dtype}"
        raise DataError(f"{path} has {what}, not (trials, z, y, x) of integers: {AGAIN}")
    trials, *space = betas.shape
    return trials, *space[::-1]


def read_scan(path: Path, voxels: np.ndarray) -> np.ndarray:
    """Responses of some voxels in one scan session, as stored: (v,) C-order places -> (t, v) int16.

    Of an HDF5 file, where a voxel is a chunk, only these are read, neighbors together.
    """
    if path.suffix != ".hdf5":
        return read_series(path, voxels)
    x, y, z = np.unravel_index(voxels, scan_shape(path)[1:])
    order = np.lexsort((x, y, z))
    apart = (np.diff(z[order]) != 0) | (np.diff(y[order]) != 0) | (np.diff(x[order]) > GAP)
    try:
        with h5py.File(path) as file:
            betas = file["betas"]
            values = np.empty((len(betas), len(voxels)), betas.dtype)
            for run in np.split(order, np.flatnonzero(apart) + 1):
                first, last = x[run[0]], x[run[-1]]
                row = betas[:, z[run[0]], y[run[0]], first : last + 1]
                values[:, run] = row[:, x[run] - first]
    except OSError as error:
        raise DataError(f"{path}: betas is damaged ({error}): {AGAIN}") from None
    return values


def z_scored(stored: np.ndarray) -> np.ndarray:
    """Responses of one scan session, each voxel over its trials: (t, v) int16 -> (t, v) float32.

    (x - mean) / (population SD + 1e-6) of percent signal change; a constant voxel is 0.
    """
    x = stored.astype(np.float64) / SCALE
    x -= x.mean(0)
    x /= np.sqrt((x**2).mean(0)) + 1e-6
    return x.astype(np.float32)


def saturated(stored: np.ndarray) -> np.ndarray:
    """Trials whose value is at an end of int16: (t, v) -> (v,) counts."""
    return np.isin(stored, SATURATED).sum(0)
