"""SIGKILL at random moments: the run that survives equals the one nobody touched, to the byte."""

import os
import subprocess
import sys
from pathlib import Path

from src.paths import ROOT


def test_a_run_killed_again_and_again_gives_the_same_bytes(packed, tmp_path):
    script = Path(__file__).with_name("killed_run.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    finished = subprocess.run(
        [sys.executable, script, packed, tmp_path], env=environment, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    kills, midway = map(int, finished.stdout.splitlines()[-1].split())
    assert kills >= midway >= 5
    folders = tmp_path / "whole", tmp_path / "killed"
    whole, killed = ({f.name: f.read_bytes() for f in folder.iterdir()} for folder in folders)
    assert set(whole) == {"weights.pt", "history.csv", "steps.csv"}
    assert whole == killed
