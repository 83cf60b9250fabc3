"""Shared fixtures: stored outputs of published implementations, and a finished smoke run."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from src import locks, manifest
from src.data.movie_mouse import open_movie_mouse
from src.data.movie_pack import pack_movies
from src.paths import ROOT
from src.simulate.movie_config import PRESETS, MovieSimulation
from src.simulate.movie_mice import simulate_movie_mice

SEED = 7  # of the simulated films


def pytest_configure():
    """Runs that tests interrupt must hear it, also where a shell started all of this with `&`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """First the kills of a run, which take longest; where two processes test, one does the rest."""
    items.sort(key=lambda item: item.path.name != "test_crash.py")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of fixtures and real recordings beside the repository; tests skip without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(
            f"published fixtures and recordings are not here: no folder {folder.name}/ beside"
        )
    return folder


@dataclass(frozen=True)
class SmokeRun:
    """Folders of a run of the smoke profile, and what it printed."""

    data: Path
    output: Path
    said: str


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory) -> SmokeRun:
    """The smoke profile, run once without interruption, two notebooks at a time.

    Of the processes of tests/run.sh the first that needs it makes it for all.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "smoke"
    told = folder / "told.json"
    with locks.lock(folder / ".lock", "another process makes the smoke run"):
        if not told.exists():
            manifest.save_json(run_smoke(folder), told)
    status, out, err = json.loads(told.read_text())
    assert status == 0, out + err
    return SmokeRun(folder / "data", folder / "figures", out)


def run_smoke(folder: Path) -> tuple[int, str, str]:
    """Exit status of the run, what it said, and its complaints."""
    places = ["--data-root", str(folder / "data"), "--output-root", str(folder / "figures")]
    command = ["bash", str(ROOT / "run_all.sh"), "--profile", "smoke", "--jobs", "2", *places]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="session")
def films(tmp_path_factory) -> SimpleNamespace:
    """A pair of simulated mice that watched few films: config, raw, truth, processed; never change.

    `mice` are the paths in raw by key; the first is public and a folder, the second scored, a zip.
    """
    root = tmp_path_factory.mktemp("films")
    few = {"train": 5, "own": 2, "main": 1, "ood": 1, "repeats": (2, 2), "none": 1}
    config = MovieSimulation(PRESETS["films_tiny"].mice, **few)
    paths = simulate_movie_mice(root / "raw", root / "truth", config, SEED)
    keys = [mouse.key for mouse in config.mice]
    for key, path in zip(keys, paths, strict=True):
        pack_movies(open_movie_mouse(path), root / "processed" / key)
    folders = {name: root / name for name in ("raw", "truth", "processed")}
    return SimpleNamespace(config=config, mice=dict(zip(keys, paths, strict=True)), **folders)
