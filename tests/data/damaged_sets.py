"""Small data sets of every study: how to make one, how we read it, and how numpy and h5py do.

Plain readers know nothing of checks. A damage that leaves a valid file of other numbers cannot be
noticed: then these numbers must come out, and no others.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
from scipy.io import loadmat

from src.config import InputConfig
from src.data.assemblies import Assembly
from src.data.assembly import find_assembly, open_monkeys
from src.data.assembly_files import open_assembly
from src.data.blocks import text
from src.data.checks import check_mouse, require_valid
from src.data.inferotemporal import open_inferotemporal, unnormalize
from src.data.inferotemporal_checks import check_inferotemporal
from src.data.movie_checks import check_movies, require_valid_movies
from src.data.movie_mouse import KINDS, open_movie_mice
from src.data.movie_pack import pack_movies
from src.data.movies import open_movie_sessions
from src.data.nsd_checks import check_nsd
from src.data.nsd_session import open_subjects
from src.data.pack import pack
from src.data.sensorium import open_mice
from src.data.session import Session, open_sessions
from src.simulate import config, inferotemporal, movie_config, nsd
from src.simulate.inferotemporal import simulate_inferotemporal
from src.simulate.mice import simulate_mice
from src.simulate.movie_mice import simulate_movie_mice
from src.simulate.nsd import simulate_nsd

Found = dict[str, np.ndarray]
FULL = InputConfig(scale="full", behavior=True, pupil=True)
COLUMNS = ("stimuli/stimulus_id", "stimuli/object_name", "units/region")
NIFTI = {2: "<u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8"}


class Kind(NamedTuple):
    """A kind of data set, and how many damages a test tries."""

    make: Callable[[Path, Path], Any]  # folder of recordings, folder of truth
    read: Callable[[Path, Path], Found]  # folder of recordings, folder of packed sessions
    plain: Callable[[Path], Found]
    examples: int


def contents(session: Session) -> Found:
    """Pixels, responses and tables of a packed session, as recorded; what models get is finite."""
    every, meta = np.arange(session.n_trials), dict(np.load(session.folder / "meta.npz"))
    batch = session.batch(every)
    assert all(np.isfinite(x).all() for x in (batch.images.numpy(), batch.responses.numpy()))
    tables = ("tiers", "trial_idx", "frame_image_id", "unit_ids", "area", "layer", "coordinates")
    found = {k: meta[k] for k in (*tables, "objects") if k in meta}
    found["images"] = session.pixels(every).astype(np.float32)
    for kind in ("responses", "behavior", "pupil_center", "xywh"):
        if (path := session.folder / f"{kind}.npy").exists():
            found[kind] = np.load(path)
    return found


def named(key: str, found: Found) -> Found:
    return {f"{key}/{name}": array for name, array in found.items()}


# Mice that saw images ----------------------------------------------------------------------------


def make_mice(root: Path, truth: Path) -> None:
    tiny = config.PRESETS["tiny"]
    few = replace(tiny, mice=tiny.mice[:1], train=8, validation=3, test_images=2)
    simulate_mice(root, truth, few, 5)


def read_mice(root: Path, out: Path) -> Found:
    for mouse in open_mice(root):
        require_valid(mouse, check_mouse(mouse))
        pack(mouse, out / mouse.key)
    (session,) = open_sessions(out, FULL).values()
    return contents(session)


def plain_mice(root: Path) -> Found:
    (folder,) = root.glob("static*")
    places = {"tiers": "trials/tiers", "frame_image_id": "trials/frame_image_id"}
    places |= {"trial_idx": "trials/trial_idx", "unit_ids": "neurons/unit_ids"}
    places |= {"area": "neurons/area", "coordinates": "neurons/cell_motor_coordinates"}
    files = {name: folder / f"meta/{place}.npy" for name, place in places.items()}
    found = {name: np.load(file) for name, file in files.items() if file.exists()}
    found |= {name: found[name].astype(str) for name in ("tiers", "trial_idx")}
    for kind in ("images", "responses", "behavior", "pupil_center", "xywh"):
        if list(folder.glob(f"data/{kind}/*")):
            files = [folder / f"data/{kind}/{i}.npy" for i in range(len(found["tiers"]))]
            arrays = [np.load(file).astype(np.float32) for file in files]
            row = (-1, *arrays[0].shape[-2:]) if kind == "images" else (-1,)
            found[kind] = np.stack([a.reshape(row) for a in arrays])
    return found


# Mice that saw films -----------------------------------------------------------------------------


def make_films(root: Path, truth: Path) -> None:
    tiny = movie_config.PRESETS["films_tiny"]
    few = {"train": 5, "own": 2, "main": 1, "ood": 1, "repeats": (2, 2), "none": 1}
    simulate_movie_mice(root, truth, replace(tiny, mice=tiny.mice[:1], **few), 7)


def read_films(root: Path, out: Path) -> Found:
    for mouse in open_movie_mice(root, "float32"):
        require_valid_movies(mouse, check_movies(mouse))
        pack_movies(mouse, out / mouse.key)
    (session,) = open_movie_sessions(out, FULL).values()
    found = {"tiers": session.tiers, "unit_ids": session.unit_ids, "lengths": session.lengths}
    for i, n in enumerate(map(int, session.lengths)):
        silent = session.withheld_trials(np.array([i]))[0]
        for kind in KINDS:
            first = session._starts[i, KINDS.index(kind)]
            rows = slice(first, first + (0 if silent and kind == "responses" else n))
            values = session.video(i, 0, n) if kind == "videos" else session._files[kind][rows]
            found[f"{kind}/{i}"] = values.astype(np.float32)
    return found


def plain_films(root: Path) -> Found:
    (folder,) = root.glob("dynamic*")
    tiers = np.load(folder / "meta/trials/tiers.npy").astype(str)
    found, lengths = {"tiers": tiers, "unit_ids": np.load(folder / "meta/neurons/unit_ids.npy")}, []
    for i in range(len(tiers)):
        arrays = {k: np.moveaxis(np.load(folder / f"data/{k}/{i}.npy"), -1, 0) for k in KINDS}
        silent = not arrays["responses"].any()
        known = [a for k, a in arrays.items() if not (silent and k == "responses")]
        lengths.append(min(map(finite_frames, known)))
        for kind, array in arrays.items():
            count = 0 if silent and kind == "responses" else lengths[-1]
            found[f"{kind}/{i}"] = array[:count].astype(np.float32)
    return found | {"lengths": np.array(lengths)}


def finite_frames(array: np.ndarray) -> int:
    """Frames before those at the end that are NaN: (T, ...) -> t."""
    finite = np.isfinite(array.astype(float)).reshape(len(array), -1).all(1)
    return len(array) - int(np.argmax(finite[::-1])) if finite.any() else 0


# Sites of IT -------------------------------------------------------------------------------------


def make_means(root: Path, truth: Path) -> None:
    simulate_inferotemporal(root, truth, replace(inferotemporal.PRESETS["tiny"], size=8), 5)


def read_means(root: Path, out: Path) -> Found:
    source = open_inferotemporal(root / "IT_data.h5")
    require_valid(source, check_inferotemporal(source))
    pack(source, out / source.key)
    return contents(Session(out / source.key, InputConfig(scale="full")))


def plain_means(root: Path) -> Found:
    with h5py.File(root / "IT_data.h5") as file:
        stored = [file[f"stimulus_{t}"][()] for t in ("train", "val", "test")]
        objects = [words(file[f"object_{t}"][()]) for t in ("train", "val", "test")]
        rates = [file[f"spikes_{t}"][()].astype(np.float32) for t in ("train", "val")]
    gray = [np.rint(unnormalize(x)[:, :1] * 255).clip(0, 255).astype(np.float32) for x in stored]
    rates.append(np.zeros((len(stored[2]), rates[0].shape[1]), np.float32))
    found = {"images": gray, "responses": rates, "objects": objects}
    return {name: np.concatenate(parts) for name, parts in found.items()}


def words(values: np.ndarray) -> np.ndarray:
    """Texts of an HDF5 file as numpy's."""
    return np.array([v if isinstance(v, str) else text(v) for v in values], str)


def make_presentations(root: Path, truth: Path) -> None:
    few = replace(inferotemporal.PRESETS["tiny"], size=8, repetitions=(2, 3))
    simulate_inferotemporal(root, truth, few, 5, assembly=True)
    (root / "IT_data.h5").unlink()


def read_presentations(root: Path, out: Path) -> Found:
    path, _ = find_assembly(root / "assembly.h5", out / "IT_data.h5", 3)
    means, found = open_inferotemporal(path), {}
    require_valid(means, check_inferotemporal(means))
    for monkey in open_monkeys(root / "assembly.h5", 3):
        pack(monkey, out / monkey.key)
        found |= named(monkey.key, contents(Session(out / monkey.key, InputConfig(scale="full"))))
    return found


def plain_presentations(root: Path) -> Found:
    with h5py.File(root / "assembly.h5") as file:
        values, pixels = file["values"][()], file["images/pixels"][()]
        shown, objects = (words(file[f"stimuli/{k}"][()]) for k in ("stimulus_id", "object_name"))
        region, animal = (words(file[f"units/{k}"][()]) for k in ("region", "animal"))
        row = {name: i for i, name in enumerate(words(file["images/stimulus_id"][()]))}
    images = pixels[[row[name] for name in shown]][:, None].astype(np.float32)
    values, found = values.reshape(len(values), -1), {}
    for key in np.unique(animal[region == "IT"]):
        own = values[:, (region == "IT") & (animal == key)].astype(np.float32)
        found |= named(str(key), {"images": images, "objects": objects, "responses": own})
    return found


# Assemblies with labels --------------------------------------------------------------------------


def labeled() -> Assembly:
    stimuli = pd.DataFrame({"stimulus_id": [f"s{i % 5}" for i in range(15)]})
    stimuli["object_name"] = [f"o{i % 5}" for i in range(15)]
    units = pd.DataFrame({"unit_id": range(4), "region": ["IT", "IT", "V4", "V4"]})
    return Assembly(np.arange(60.0).reshape(15, 4) / 7, stimuli, units)


def make_hdf5(root: Path, _truth: Path) -> None:
    labeled().save(root / "assembly.h5")


def make_npz(root: Path, _truth: Path) -> None:
    root.mkdir()
    assembly = labeled()
    tables = {"stimuli": assembly.stimuli, "units": assembly.units}
    columns = {name: tables[name.split("/")[0]][name.split("/")[1]] for name in COLUMNS}
    arrays = {name: column.to_numpy(str) for name, column in columns.items()}
    np.savez(root / "assembly.npz", values=assembly.values, **arrays)


def labels(assembly: Assembly) -> Found:
    known = "object_name" in assembly.stimuli  # a column that may be absent
    return {
        "values": assembly.values,
        COLUMNS[0]: assembly.stimulus_ids,
        **({COLUMNS[1]: assembly.column("object_name")} if known else {}),
        COLUMNS[2]: assembly.units["region"].to_numpy(),
    }


def read_hdf5(root: Path, _out: Path) -> Found:
    return labels(open_assembly(root / "assembly.h5"))


def read_npz(root: Path, _out: Path) -> Found:
    return labels(open_assembly(root / "assembly.npz"))


def plain_hdf5(root: Path) -> Found:
    with h5py.File(root / "assembly.h5") as file:
        there = [k for k in COLUMNS if isinstance(file.get(k), h5py.Dataset)]
        return as_texts({k: file[k][()] for k in ("values", *there)})


def plain_npz(root: Path) -> Found:
    with np.load(root / "assembly.npz") as stored:
        return as_texts({k: stored[k] for k in ("values", *COLUMNS) if k in stored.files})


def as_texts(found: Found) -> Found:
    found = {k: words(v) if v.dtype.kind in "SO" else v for k, v in found.items()}
    return found | {COLUMNS[0]: found[COLUMNS[0]].astype(str)}


# Subjects of NSD ---------------------------------------------------------------------------------


def make_nsd(root: Path, truth: Path) -> None:
    few = replace(nsd.PRESETS["tiny"], trials_per_scan=20, pixels=24, twins=False)
    simulate_nsd(root, truth, few, 5)


def read_nsd(root: Path, out: Path) -> Found:
    found = {}
    for subject in open_subjects(root, 16):
        require_valid(subject, check_nsd(subject))
        pack(subject, out / subject.key)
        session = Session(out / subject.key, InputConfig(scale="full"))
        found |= named(subject.key, contents(session) | {"ncsnr": subject.ncsnr})
    return found


def plain_nsd(root: Path) -> Found:
    design = loadmat(root / "nsddata/experiments/nsd/nsd_expdesign.mat")
    order, images = (design[k].astype(int) - 1 for k in ("masterordering", "subjectim"))
    found = {}
    for k in (0, 1):
        where = f"ppdata/subj{k + 1:02}/func1pt8mm"
        betas = root / "nsddata_betas" / where / "betas_fithrf_GLMdenoise_RR"
        units = np.flatnonzero(volume(root / f"nsddata/{where}/roi/prf-visualrois.nii.gz") > 0)
        scans = [normal(path, units) for path in sorted(betas.glob("*.hdf5"))]
        own = {"unit_ids": units, "responses": np.concatenate(scans)}
        own["frame_image_id"] = images[k, order.ravel()[: len(own["responses"])]]
        own["ncsnr"] = volume(betas / "ncsnr.nii.gz")[units]
        found |= named(f"subj{k + 1:02}", own)
    return found


def normal(path: Path, units: np.ndarray) -> np.ndarray:
    """One scan session, each voxel over its trials: -> (t, v) float32."""
    with h5py.File(path) as file:
        x = file["betas"][()].transpose(0, 3, 2, 1).reshape(len(file["betas"]), -1)[:, units] / 300
    return ((x - x.mean(0)) / (x.std(0) + 1e-6)).astype(np.float32)


def volume(path: Path) -> np.ndarray:
    """Values of a NIfTI file in C order of voxels."""
    data = gzip.decompress(path.read_bytes())
    shape, kind = np.frombuffer(data, "<i2", 3, 42), int(np.frombuffer(data, "<i2", 1, 70)[0])
    offset, slope, intercept = np.frombuffer(data, "<f4", 3, 108).astype(float)
    values = np.frombuffer(data, NIFTI[kind], int(shape.prod()), int(offset))
    values = values.reshape(shape, order="F").ravel()
    return values if (slope, intercept) in ((0, 0), (1, 0)) else values * slope + intercept


KINDS_OF_SETS = {
    "mice": Kind(make_mice, read_mice, plain_mice, 40),
    "films": Kind(make_films, read_films, plain_films, 8),
    "means": Kind(make_means, read_means, plain_means, 30),
    "presentations": Kind(make_presentations, read_presentations, plain_presentations, 8),
    "hdf5": Kind(make_hdf5, read_hdf5, plain_hdf5, 50),
    "npz": Kind(make_npz, read_npz, plain_npz, 50),
    "nsd": Kind(make_nsd, read_nsd, plain_nsd, 25),
}
