"""Trains once undisturbed in `whole`, then in `killed`, where a random SIGKILL ends each attempt.

Usage: killed_run.py PACKED FOLDER, PACKED with packed sessions. Prints how often it killed, and
how often a resume file was there at that moment. Each attempt is a process of its
own, forked before this one computes anything.
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


def main(packed: Path, folder: Path) -> None:
    whole, random = seconds_of(packed, folder / "whole"), np.random.default_rng()
    kills = with_resume_file = 0
    while kills < 8 or (kills < 40 and not (folder / "killed" / "weights.pt").exists()):
        pid = attempt(packed, folder / "killed")
        time.sleep(random.uniform(0, whole / 3))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        kills += 1
        with_resume_file += (folder / "killed" / "resume.pt").exists()
    seconds_of(packed, folder / "killed")
    print(kills, with_resume_file)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
