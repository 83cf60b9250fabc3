"""Simulated mice in the on-disk layout of SENSORIUM 2022, and the truth about them elsewhere.

    <folder>/static<key>-GrayImageNet-simulated[.zip]    one per mouse
    <folder>/simulation.json                             which simulation this folder holds
    <truth_folder>/<key>.npz, <key>.json                 see `truth.Truth`

The same configuration and seed give the same bytes. A mouse appears under its name only when
complete; whoever was interrupted runs it again, and a finished simulation is left as it is.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from src.config import as_plain
from src.manifest import clear_leftovers, explained, fingerprint, replacing, save_json
from src.simulate.config import PRESETS, SimulatedMouse, SimulationConfig
from src.simulate.layout import Write, write_mouse
from src.simulate.truth import save_truth

VERSION = 1  # raise it with every change after which the same configuration gives other bytes
RECORD = "simulation.json"


def simulate_mice(
    folder: Path, truth_folder: Path, preset: str | SimulationConfig, seed: int
) -> tuple[Path, ...]:
    """Write all mice of a preset or configuration; returns their paths, folders or zips.

    Raises FileExistsError where either folder holds anything but this same simulation.
    """
    config = PRESETS[preset] if isinstance(preset, str) else preset
    folder, truth_folder = Path(folder), Path(truth_folder)
    for claimed in (folder, truth_folder):
        claim(claimed, identity(config, seed))
    return tuple(_simulate(folder, truth_folder, config, mouse, seed) for mouse in config.mice)


def identity(config: SimulationConfig, seed: int) -> dict[str, Any]:
    """What decides every byte of a simulation, and its fingerprint."""
    record = {"simulated": True, "version": VERSION, "seed": seed, "config": as_plain(config)}
    return {"fingerprint": fingerprint(record), **record}


def claim(folder: Path, record: dict[str, Any]) -> None:
    """Mark an empty folder as this simulation's; refuse one that is another's or somebody's.

    Temporary files of a run that was killed while it wrote are removed.
    """
    path = folder / RECORD
    if path.exists():
        found = json.loads(path.read_text())
        if found["fingerprint"] != record["fingerprint"]:
            raise FileExistsError(
                f"{folder} holds another simulation (seed {found['seed']}, fingerprint "
                f"{found['fingerprint'][:8]}) than the one asked for (seed {record['seed']}, "
                f"{record['fingerprint'][:8]}): choose another folder, or remove this one yourself"
            )
    elif any(folder.glob("[!.]*")):
        raise FileExistsError(
            f"{folder} is not empty and has no {RECORD}: choose an empty folder for a simulation"
        )
    else:
        save_json(record, path)
    clear_leftovers(folder)


def _simulate(
    folder: Path, truth_folder: Path, config: SimulationConfig, mouse: SimulatedMouse, seed: int
) -> Path:
    suffix = ".zip" if mouse.archive else ""
    path = folder / f"static{mouse.key}-GrayImageNet-simulated{suffix}"
    truth_path = truth_folder / f"{mouse.key}.npz"
    if path.exists() and truth_path.exists():
        return path
    with appearing(path, mouse.archive) as write:
        save_truth(write_mouse(config, mouse, seed, write), truth_path)
    return path


def appearing(path: Path, archive: bool) -> AbstractContextManager[Write]:
    """What writes arrays of a mouse by name; its folder or zip is there when the block ends well.

    A mouse that is there already is left as it is.
    """
    new = _nothing if path.exists() else _new_zip if archive else _new_folder
    return new(path)


@contextmanager
def _nothing(path: Path) -> Iterator[Write]:
    """Writes nowhere: the mouse is there and only its truth is missing."""
    yield lambda name, array: None


@contextmanager
def _new_folder(path: Path) -> Iterator[Write]:
    """Writes into a hidden folder that takes its name when complete; what is there is kept."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")

    def write(name: str, array: np.ndarray) -> None:
        file = partial / f"{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "wb") as opened:
            np.lib.format.write_array(opened, array, allow_pickle=False)

    try:
        with explained(path):
            yield write
            if not path.exists():  # another process may have been as fast, with the same bytes
                partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _new_zip(path: Path) -> Iterator[Write]:
    """Writes into a zip with one top folder, as downloaded: fixed dates, no compression."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:

        def write(name: str, array: np.ndarray) -> None:
            npy = io.BytesIO()
            np.lib.format.write_array(npy, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{path.stem}/{name}.npy"), npy.getvalue())

        yield write
