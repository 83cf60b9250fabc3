"""Trains once undisturbed in `whole`, then in `killed`, where a random SIGKILL ends each attempt.

Usage: killed_run.py FOLDER. Prints how often it killed, and how often a resume file was there then.
Each attempt is a process of its own, forked before this one computes anything.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch._dynamo  # noqa: F401 - the optimizer imports it at first use: once here, not in each attempt
from conftest import MODEL, SimulatedSession

from src.config import TrainingConfig
from src.data.splits import official_split
from src.models.encoder import Encoder
from src.training.trainer import train

CONFIG = TrainingConfig(batch_size=64, max_epochs=24, patience=6, recalibrate=True)


def attempt(folder: Path) -> int:
    """Start training in `folder` in a process of its own; -> its id."""
    if pid := os.fork():
        return pid
    sessions = {"mouse1": SimulatedSession("mouse1", 20, 300), "mouse2": SimulatedSession("mouse2")}
    splits = {key: official_split(session) for key, session in sessions.items()}
    encoder = Encoder(MODEL, sessions, seed=1)
    train(encoder, sessions, splits, CONFIG, 7, folder, "cpu", progress=False)
    os._exit(0)


def seconds_of(folder: Path) -> float:
    """Seconds an undisturbed run takes."""
    start = time.monotonic()
    _, status = os.waitpid(attempt(folder), 0)
    assert status == 0
    return time.monotonic() - start


def main(folder: Path) -> None:
    whole, random = seconds_of(folder / "whole"), np.random.default_rng()
    kills = with_resume_file = 0
    while not (folder / "killed" / "weights.pt").exists() or kills < 8:
        pid = attempt(folder / "killed")
        time.sleep(random.uniform(0, whole / 3))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        kills += 1
        with_resume_file += (folder / "killed" / "resume.pt").exists()
    seconds_of(folder / "killed")
    print(kills, with_resume_file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
