"""Trains once undisturbed in `whole`, then in `killed`, where a random SIGKILL ends each attempt.

Usage: killed_run.py PACKED FOLDER, PACKED with packed sessions. Prints how often it killed, and
how often in the middle of a run. Each attempt is a process of its own, forked before this one
computes anything.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch._dynamo  # noqa: F401 - or each attempt's optimizer would import it again

from src.config import BaselineCoreConfig, InputConfig, ModelConfig, TrainingConfig
from src.data.session import open_sessions
from src.data.splits import official_split
from src.models.encoder import Encoder
from src.training.trainer import train

INPUTS = InputConfig(behavior=True, pupil=True)
MODEL = ModelConfig("cnn_plus", BaselineCoreConfig(2, channels=4), INPUTS, shifter=True)
CONFIG = TrainingConfig(batch_size=16, max_epochs=24, patience=6, recalibrate=True)


def attempt(packed: Path, folder: Path) -> int:
    """Start training in `folder` in a process of its own; -> its id."""
    if pid := os.fork():
        return pid
    sessions = open_sessions(packed, MODEL.inputs)
    splits = {key: official_split(session) for key, session in sessions.items()}
    encoder = Encoder(MODEL, sessions, seed=1)
    train(encoder, sessions, splits, CONFIG, 7, folder, "cpu", progress=False)
    os._exit(0)


def seconds_of(packed: Path, folder: Path) -> float:
    """Seconds an undisturbed run takes."""
    start = time.monotonic()
    _, status = os.waitpid(attempt(packed, folder), 0)
    assert status == 0
    return time.monotonic() - start


def killed_attempt(packed: Path, folder: Path, wait: float, progress: bool) -> bool:
    """Kill an attempt after `wait` seconds, counted from its first finished epoch if `progress`.

    Returns whether it was in the middle: a resume file there, and no final weights.
    """
    resume, weights = folder / "resume.pt", folder / "weights.pt"
    before = resume.stat().st_mtime_ns if resume.exists() else 0
    pid, limit = attempt(packed, folder), time.monotonic() + 60

    def waiting() -> bool:
        fresh = resume.exists() and resume.stat().st_mtime_ns != before
        return not (fresh or weights.exists() or time.monotonic() > limit)

    while progress and waiting():
        time.sleep(0.002)
    time.sleep(wait)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return resume.exists() and not weights.exists()


def main(packed: Path, folder: Path) -> None:
    epoch = seconds_of(packed, folder / "whole") / CONFIG.max_epochs
    random, kills, midway = np.random.default_rng(), 0, 0
    while kills < 40 and not (folder / "killed" / "weights.pt").exists():
        wait, progress = random.uniform(0, 2 * epoch), random.random() < 0.8
        midway += killed_attempt(packed, folder / "killed", wait, progress)
        kills += 1
    seconds_of(packed, folder / "killed")
    print(kills, midway)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
