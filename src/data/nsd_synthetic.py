"""NSD-synthetic: one scan session of artificial images, for models that were trained on others.

    nsddata_stimuli/stimuli/nsdsynthetic/nsdsynthetic_stimuli.hdf5              220, of all subjects
    nsddata_stimuli/stimuli/nsdsynthetic/nsdsynthetic_colorstimuli_subjXX.hdf5  64, of one subject
    nsddata/experiments/nsdsynthetic/nsdsynthetic_expdesign.mat                 masterordering, 744
    nsddata_betas/ppdata/subjXX/func1pt8mm/nsdsynthetic<betas>/betas_nsdsynthetic.hdf5

Images fill the screen, whose middle square is where NSD's images stand. Counts (284 images, 744
trials in one order for all subjects, one session) are those of specification nsd_gnet, NSD-34, of
the NSD Data Manual, "Functional data (nsdsynthetic)", and of Gifford et al. 2025. The specification
does not list the files. Their names follow the manual's scheme for NSD itself, and that the colored
ones come behind the others, from image 221 on, is its way of counting; neither was checked against
the files, which need an agreement. A missing file is named in the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy.io import loadmat

from src.data.blocks import AGAIN
from src.data.errors import DataError
from src.data.nsd import BETAS, NsdFiles, read_scan, z_scored
from src.data.nsd_session import resized

NAME = "nsdsynthetic"


@dataclass(frozen=True)
class NsdSynthetic:
    """Where the files of one subject are."""

    files: NsdFiles

    @property
    def betas(self) -> Path:
        """Responses of the one scan session, .hdf5 or .nii.gz."""
        path = self.files.betas.with_name(f"{NAME}{BETAS}") / f"betas_{NAME}.hdf5"
        twin = path.with_name(f"betas_{NAME}.nii.gz")
        return twin if twin.exists() and not path.exists() else path

    @property
    def stimuli(self) -> Path:
        """Images of all subjects."""
        return self.files.root / f"nsddata_stimuli/stimuli/{NAME}/{NAME}_stimuli.hdf5"

    @property
    def colored(self) -> Path:
        """Images in colors of the subject's own, numbered behind the others."""
        return self.stimuli.with_name(f"{NAME}_colorstimuli_{self.files.key}.hdf5")

    @property
    def design(self) -> Path:
        """Which image each trial shows."""
        return self.files.root / f"nsddata/experiments/{NAME}/{NAME}_expdesign.mat"


@dataclass(frozen=True, eq=False)
class SyntheticScan:
    """i images, t trials of them, and responses of u voxels, standardized over the trials."""

    images: np.ndarray  # (i, 3, size, size) uint8
    shown: np.ndarray  # (t,) image of each trial
    responses: np.ndarray  # (t, u) float32


def read_synthetic(files: NsdFiles, voxels: np.ndarray, size: int) -> SyntheticScan:
    """The scan session of a subject: some voxels (C-order places), images of a size."""
    found = NsdSynthetic(files)
    for path in (found.betas, found.stimuli, found.colored, found.design):
        if not path.is_file():
            raise DataError(f"{path} does not exist: get NSD-synthetic, or do without it")
    shown = loadmat(found.design)["masterordering"].astype(int).ravel() - 1
    images = np.concatenate([_squares(path, size) for path in (found.stimuli, found.colored)])
    responses = z_scored(read_scan(found.betas, voxels))
    if len(responses) != len(shown) or shown.max() >= len(images) or shown.min() < 0:
        raise DataError(
            f"{found.betas} has {len(responses)} trials, the design {len(shown)} of images up to "
            f"{shown.max() + 1}, and there are {len(images)} images: {AGAIN}"
        )
    return SyntheticScan(images, shown, responses)


def _squares(path: Path, size: int) -> np.ndarray:
    """The middle squares of the images of a file: -> (i, 3, size, size) uint8."""
    try:
        with h5py.File(path) as file:
            pictures = file["imgBrick"][:]
    except (OSError, KeyError) as error:
        raise DataError(f"{path}: imgBrick is missing or damaged ({error}): {AGAIN}") from None
    h, w = pictures.shape[1:3]
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    squares = pictures[:, top : top + side, left : left + side]
    return np.stack([resized(square, size) for square in squares])
