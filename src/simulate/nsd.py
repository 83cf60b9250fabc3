"""Simulated subjects in the on-disk layout of NSD, and the truth about them elsewhere.

    <folder>/nsddata_stimuli, nsddata, nsddata_betas     see src/data/nsd.py
    <folder>/simulation.json                             which simulation this folder holds
    <folder>/coco                                        what is where in the first images
    <truth_folder>/subjXX.npz                            see `Truth`

Every image is shown three times; the last subject misses its last scan session. A response is
offset + scale (signal + noise) + drift in percent, offset and scale of a scan session, times 300.
One more scan session shows patterns, as NSD-synthetic does.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
import pandas as pd
from scipy.io import savemat

from src.config import as_plain
from src.data.nifti import write_volume
from src.data.nsd import AREAS, EARLY, SATURATED, SCALE, NsdFiles
from src.data.nsd_synthetic import NsdSynthetic
from src.manifest import fingerprint, replacing, save_arrays, save_table
from src.seeds import numpy_stream
from src.simulate.mice import claim
from src.simulate.nsd_cortex import Generator, Voxels, signals
from src.simulate.nsd_scenes import BATCH, CROP, draw_patterns, draw_scenes, write_panoptic

VERSION = 3  # raise it with every change after which the same configuration gives other bytes
REPEATS = 3
AFFINE = np.array([[-1.8, 0, 0, 30], [0, 1.7, 0.2, -40], [0, -0.2, 1.9, -20], [0, 0, 0, 1.0]])


@dataclass(frozen=True)
class SimulatedNsd:
    """Sizes and planted effects of one simulation."""

    subjects: int = 2  # at most 8
    scans: int = 17
    trials_per_scan: int = 60
    shared: int = 40  # images that all subjects see
    pixels: int = 425
    volume: tuple[int, int, int] = (30, 34, 32)
    voxels: int = 15  # of each of V1, V2, V3, hV4
    generator: Generator = "hierarchical"
    ncsnr: float = 0.5  # median of signal over noise; .5 is a noise ceiling of 20 %
    spread: float = 0.35  # of its logarithm
    correlated: float = 0.0  # share of the noise that voxels have in common
    patterns: int = 24  # artificial images, each shown twice in a scan session of their own
    twins: bool = True  # a .nii.gz beside each .hdf5
    odd: bool = True  # in V1: one constant voxel, one without ncsnr, one that saturates

    @property
    def images(self) -> int:
        """Images of one subject."""
        return self.scans * self.trials_per_scan // REPEATS


PRESETS: Mapping[str, SimulatedNsd] = MappingProxyType(
    {
        "tiny": SimulatedNsd(
            scans=3, shared=6, pixels=113, volume=(10, 12, 11), voxels=6, ncsnr=1.0
        ),
        "smoke": SimulatedNsd(
            scans=4, shared=18, pixels=67, volume=(10, 12, 11), voxels=6, ncsnr=1.5
        ),
        "demo": SimulatedNsd(pixels=128, volume=(16, 18, 17), voxels=12, ncsnr=1.0),
    }
)


@dataclass(frozen=True)
class Truth:
    """What is known of one subject: i images in the order of its numbers, u voxels of V1 to hV4."""

    places: np.ndarray  # (u,) in C order in the volume
    area: np.ndarray  # (u,) place in EARLY
    fields: np.ndarray  # (u, 3) x, y, sigma in image widths, y upwards
    weights: np.ndarray  # (u, c)
    signal: np.ndarray  # (i, u) of mean 0 and variance 1
    ncsnr: np.ndarray  # (u,) 0 where a voxel is constant
    odd: np.ndarray  # (u,) str: constant, no ncsnr, saturated, or nothing


def simulate_nsd(
    folder: Path, truth_folder: Path, preset: str | SimulatedNsd, seed: int
) -> dict[str, NsdFiles]:
    """Write all subjects of a preset or configuration; returns where their files are, by key.

    The same configuration and seed give the same values; files that are there are left as they are.
    Raises FileExistsError where either folder holds anything but this same simulation.
    """
    config = PRESETS[preset] if isinstance(preset, str) else preset
    folder, truth_folder = Path(folder), Path(truth_folder)
    record = {"simulated": True, "version": VERSION, "seed": seed, "config": as_plain(config)}
    for claimed in (folder, truth_folder):
        claim(claimed, {"fingerprint": fingerprint(record), **record})
    found = {f.key: f for f in (NsdFiles(folder, i + 1) for i in range(config.subjects))}
    numbers = _image_numbers(config)
    first = next(iter(found.values()))
    order = _write_design(first.design, config, numbers, seed)
    if not first.stimuli.exists():
        _write_images(first.stimuli, config, int(numbers.max()) + 1, seed)
        write_panoptic(folder / "coco", int(numbers.max()) + 1, config.pixels, seed)
    patterns, shown = _write_patterns(first, config, seed)
    for files in found.values():
        if not (truth_folder / f"{files.key}.npz").exists():
            with h5py.File(files.stimuli) as file:
                images = file["imgBrick"][np.sort(numbers[files.subject - 1])]
            back = np.argsort(np.argsort(numbers[files.subject - 1]))
            truth = _truth(config, files.key, images[back], seed)
            _write_subject(files, config, truth, order, seed)
            artificial = _write_synthetic(files, config, truth, images[back], patterns, shown, seed)
            save_arrays(truth_folder / f"{files.key}_synthetic.npz", signal=artificial)
            arrays = {f.name: getattr(truth, f.name) for f in fields(truth)}
            save_arrays(truth_folder / f"{files.key}.npz", **arrays)
    return found


def load_truth(path: Path) -> Truth:
    """Read `<truth_folder>/subjXX.npz`."""
    with np.load(path, allow_pickle=False) as stored:
        return Truth(**{name: stored[name] for name in stored.files})


def _image_numbers(config: SimulatedNsd) -> np.ndarray:
    """Number in the file of stimuli of each subject's images, shared ones first: -> (s, i)."""
    own = config.images - config.shared
    shared = np.arange(config.shared) * 2 + 1  # not in a row, as in NSD
    others = np.setdiff1d(np.arange(config.shared + config.subjects * own), shared)
    private = others.reshape(config.subjects, own)
    return np.column_stack([np.broadcast_to(shared, (config.subjects, len(shared))), private])


def _write_design(path: Path, config: SimulatedNsd, numbers: np.ndarray, seed: int) -> np.ndarray:
    """The order of images, the same for all subjects: -> (t,)."""
    order = _image_order(config, seed)
    shared = numbers[0, : config.shared]
    content = {"masterordering": order[None] + 1, "subjectim": numbers + 1}
    content["sharedix"] = shared[None] + 1
    if not path.exists():
        _write_mat(path, content)
    count = int(numbers.max()) + 1
    info = pd.DataFrame({"nsdId": np.arange(count), "cocoId": 1000 + np.arange(count)})
    info["cropBox"] = str(CROP)
    info["shared1000"] = np.isin(info.nsdId, shared)
    save_table(info, path.with_name("nsd_stim_info_merged.csv"))
    return order


def _image_order(config: SimulatedNsd, seed: int) -> np.ndarray:
    """Every image three times, two thirds of the shared ones before the last scan session.

    The others are shown in it once at least, so that whoever misses it has seen them too rarely:
    they are those that stop a training, and with a handful of them chance would.
    """
    rng = numpy_stream(seed, "order")
    order = rng.permutation(np.repeat(np.arange(config.images), REPEATS))
    last = np.arange(len(order)) >= (config.scans - 1) * config.trials_per_scan
    early = order < config.shared * 2 / 3
    late = np.setdiff1d(np.arange(config.shared), np.union1d(order[early], order[last]))
    swaps = [((order == k) & ~last, last, 1) for k in late]
    for here, there, n in ((early & last, ~last, (early & last).sum()), *swaps):
        moved = np.flatnonzero(here)[:n]
        private = rng.choice(np.flatnonzero(there & (order >= config.shared)), len(moved), False)
        order[moved], order[private] = order[private], order[moved]
    return order


def _write_images(path: Path, config: SimulatedNsd, count: int, seed: int) -> None:
    size = config.pixels
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        shape = (count, size, size, 3)
        options = {"chunks": (1, *shape[1:]), "compression": "gzip", "compression_opts": 1}
        brick = file.create_dataset("imgBrick", shape, np.uint8, **options)
        for first in range(0, count, BATCH):
            n = min(BATCH, count - first)
            brick[first : first + n] = draw_scenes(numpy_stream(seed, "images", first), n, size)


def _write_patterns(
    files: NsdFiles, config: SimulatedNsd, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Artificial images and their order, twice each: -> (p, size, size, 3) uint8, (2 p,)."""
    count, size = config.patterns, config.pixels
    drawn = draw_patterns(numpy_stream(seed, "patterns"), count, size)
    order = numpy_stream(seed, "pattern order").permutation(np.repeat(np.arange(count), 2))
    found = NsdSynthetic(files)
    common = count - count // 4  # the others are the colored ones, in a file of each subject
    wide = np.pad(drawn, ((0, 0), (0, 0), (size // 2, size // 2), (0, 0)), mode="edge")
    subjects = (NsdSynthetic(NsdFiles(files.root, i + 1)) for i in range(config.subjects))
    pictures = {found.stimuli: wide[:common]} | {s.colored: wide[common:] for s in subjects}
    for path, some in pictures.items():
        if not path.exists():
            with replacing(path) as temporary, h5py.File(temporary, "w") as file:
                file["imgBrick"] = some
    if not found.design.exists():
        _write_mat(found.design, {"masterordering": order[None] + 1})
    return drawn, order


def _write_synthetic(
    files: NsdFiles,
    config: SimulatedNsd,
    truth: Truth,
    images: np.ndarray,
    patterns: np.ndarray,
    shown: np.ndarray,
    seed: int,
) -> np.ndarray:
    """The scan session of patterns, and their signal in units of that of images: -> (p, u)."""
    voxels, first = Voxels(truth.area, truth.fields, truth.weights), config.shared
    both = np.concatenate([images[:first], patterns])
    found = signals(both, voxels, config.generator, seed, first)
    signal = (found[first:] - found[:first].mean(0)) / found[:first].std(0)
    rng = numpy_stream(seed, "synthetic scan", files.key)
    stored = _scan(config, replace(truth, signal=signal), shown, rng)
    betas = NsdSynthetic(files).betas
    _write_scan(betas.with_name(betas.name.split(".")[0]), config, truth.places, stored)
    return signal


def _write_mat(path: Path, content: Mapping[str, np.ndarray]) -> None:
    written = io.BytesIO()
    savemat(written, content)
    with replacing(path) as temporary:  # the text it begins with holds the time of day
        temporary.write_bytes(b"MATLAB 5.0 MAT-file".ljust(116) + written.getvalue()[116:])


def _truth(config: SimulatedNsd, key: str, images: np.ndarray, seed: int) -> Truth:
    voxels = Voxels.draw(config.voxels, config.generator, seed, key)
    u, rng = len(voxels.area), numpy_stream(seed, "ncsnr", key)
    ncsnr = config.ncsnr * np.exp(config.spread * rng.standard_normal(u))
    odd = np.full(u, "", "U12")
    if config.odd:
        odd[:3] = "constant", "no ncsnr", "saturated"
        ncsnr[0] = 0
    interior = np.zeros(config.volume, bool)
    interior[1:-1, 2:-2, 1:-1] = True
    places = np.flatnonzero(interior)
    first = int(rng.integers(0, len(places) - 3 * u))
    signal = signals(images, voxels, config.generator, seed, config.shared)
    kept = voxels.area, voxels.fields, voxels.weights, signal, ncsnr, odd
    return Truth(places[first : first + 2 * u : 2], *kept)


def _write_subject(
    files: NsdFiles, config: SimulatedNsd, truth: Truth, order: np.ndarray, seed: int
) -> None:
    _write_volumes(files, config, truth)
    scans = config.scans - (files.subject == config.subjects)
    for scan in range(scans):
        first = scan * config.trials_per_scan
        shown = order[first : first + config.trials_per_scan]
        stored = _scan(config, truth, shown, numpy_stream(seed, "scan", files.key, scan))
        _write_scan(files.betas / f"betas_session{scan + 1:02}", config, truth.places, stored)


def _scan(
    config: SimulatedNsd, truth: Truth, shown: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Stored values of one scan session: (t,) images shown -> (t, u) int16."""
    t, u = len(shown), len(truth.area)
    common = rng.standard_normal((t, 2)) @ rng.standard_normal((2, u)) / np.sqrt(2)
    noise = np.sqrt(1 - config.correlated) * rng.standard_normal((t, u))
    noise += np.sqrt(config.correlated) * common
    z = (truth.ncsnr * truth.signal[shown] + noise) / np.sqrt(1 + truth.ncsnr**2)
    drift = 0.1 * np.sin(np.linspace(0, np.pi, t) + rng.uniform(0, 2 * np.pi, (u, 1))).T
    percent = rng.uniform(0.6, 1.6, u) + rng.uniform(0.7, 1.2, u) * z + drift
    percent[:, truth.odd == "constant"] = 0
    stored = np.clip(np.rint(SCALE * percent), *SATURATED).astype(np.int16)
    stored[::7, truth.odd == "saturated"] = SATURATED[1]
    return stored


def _write_scan(path: Path, config: SimulatedNsd, places: np.ndarray, stored: np.ndarray) -> None:
    """One scan session in both formats; what is no voxel of an area is 0, one corner saturated."""
    volume = np.zeros((*config.volume, len(stored)), np.int16)
    volume.reshape(-1, len(stored))[places] = stored.T
    volume[0, 0, 0] = SATURATED[0]
    x, y, z = np.unravel_index(np.append(places, 0), config.volume)
    with (
        replacing(path.with_name(f"{path.name}.hdf5")) as temporary,
        h5py.File(temporary, "w") as f,
    ):
        shape = (len(stored), *config.volume[::-1])
        betas = f.create_dataset(
            "betas", shape, np.int16, chunks=(len(stored), 1, 1, 1), fillvalue=0
        )
        for i, j, k in zip(x, y, z, strict=True):
            betas[:, k, j, i] = volume[i, j, k]
    if config.twins:
        write_volume(path.with_name(f"{path.name}.nii.gz"), volume, AFFINE)


def _write_volumes(files: NsdFiles, config: SimulatedNsd, truth: Truth) -> None:
    """Areas by moving bars and by atlas, which has more voxels, anatomy, and ncsnr."""
    size = int(np.prod(config.volume))
    prf, atlas, ncsnr = np.zeros(size, np.float32), np.full(size, -1.0, np.float32), np.zeros(size)
    ncsnr[:] = np.nan
    for i, name in enumerate(EARLY):
        here, numbers = truth.places[truth.area == i], AREAS[name]
        for part, number in zip(np.array_split(here, len(numbers)), numbers, strict=True):
            prf[part] = number
            atlas[part] = number
            atlas[part + 1] = number  # voxels the moving bars do not reach
    atlas[truth.places[-1] + 2 :][:4] = 0, 8, 14, 16
    known = np.where(truth.odd == "no ncsnr", np.nan, truth.ncsnr)
    ncsnr[truth.places] = known
    anatomy = (atlas >= 0).astype(np.int16)
    volumes = {
        "roi/prf-visualrois": prf,
        "roi/Kastner2015": atlas,
        "roi/nsdgeneral": (prf > 0).astype(np.float32),
        "aseg": anatomy,
        "brainmask": np.ones(size, np.uint8),
    }
    for name, values in volumes.items():
        path = files.functional / f"{name}.nii.gz"
        write_volume(path, values.reshape(config.volume), AFFINE)
    path = files.betas / "ncsnr.nii.gz"
    write_volume(path, ncsnr.reshape(config.volume).astype(np.float32), AFFINE)
