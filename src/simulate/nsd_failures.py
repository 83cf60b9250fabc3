"""What can be wrong with a subject of NSD on disk, planted on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from scipy.io import loadmat, savemat

from src.data.nifti import read_volume, write_volume
from src.data.nsd import NsdFiles
from src.manifest import replacing


def _missing_scan(files: NsdFiles) -> None:
    for path in files.betas.glob("betas_session02.*"):
        path.unlink()


def _truncated(files: NsdFiles) -> None:
    path = files.scans[1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _wrong_shape(files: NsdFiles) -> None:
    path = files.functional / "roi/prf-visualrois.nii.gz"
    found = read_volume(path)
    write_volume(path, found.values[:-1], found.affine)


def _permuted(files: NsdFiles) -> None:
    """Trials in another order than the design says."""
    content = {k: v for k, v in loadmat(files.design).items() if not k.startswith("__")}
    content["masterordering"] = np.roll(content["masterordering"], 7, axis=1)
    with replacing(files.design) as temporary, open(temporary, "wb") as stream:
        savemat(stream, content)


def _damaged_images(files: NsdFiles) -> None:
    files.stimuli.write_bytes(files.stimuli.read_bytes()[:5000])


FAILURES: Mapping[str, Callable[[NsdFiles], None]] = MappingProxyType(
    {
        "missing_scan": _missing_scan,
        "truncated_scan": _truncated,
        "wrong_shape": _wrong_shape,
        "permuted_trials": _permuted,
        "damaged_images": _damaged_images,
    }
)


def plant(name: str, files: NsdFiles) -> None:
    """Damage a subject's files in the way called `name`, in place."""
    FAILURES[name](files)
