"""Shared fixtures: the published implementations' stored outputs, and nothing written outside tmp_path."""

from pathlib import Path

import pytest

from src.paths import ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of fixtures and real recordings beside the repository; tests skip without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"published fixtures and recordings are not here: no folder {folder.name}/ beside")
    return folder
