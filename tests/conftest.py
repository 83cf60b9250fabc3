"""Shared fixtures: stored outputs of published implementations, and a finished smoke run."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from src.paths import ROOT


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
    """The smoke profile, run once without interruption, two notebooks at a time."""
    folder = tmp_path_factory.mktemp("smoke")
    places = ["--data-root", str(folder / "data"), "--output-root", str(folder / "figures")]
    done = subprocess.run(
        ["bash", str(ROOT / "run_all.sh"), "--profile", "smoke", "--jobs", "2", *places],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return SmokeRun(folder / "data", folder / "figures", done.stdout)
