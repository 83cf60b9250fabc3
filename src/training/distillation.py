"""Distillation: trained members say what training trials would have been without their noise.

Hinton, Vinyals & Dean 2015 (arXiv 1503.02531). A trial's response is a mean and its noise; the mean
prediction of members that were trained on other trials and from other starts has far less of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from src.config import InputConfig
from src.data.session import Session
from src.data.splits import Split
from src.training.checkpoint import load_encoder

BATCH = 128


@torch.no_grad()
def lessons(
    teachers: Sequence[Path],
    inputs: InputConfig,
    sessions: Mapping[str, Session],
    splits: Mapping[str, Split],
    device: torch.device,
) -> dict[str, np.ndarray]:
    """Mean responses that teachers predict for training trials: by session (n_trials, u) float32.

    Other trials are nan. Empty without teachers. ValueError where a teacher reads other inputs than
    the student does.
    """
    members = [load_encoder(path, sessions).to(device) for path in teachers]
    for path, member in zip(teachers, members, strict=True):
        if member.config.inputs != inputs:
            raise ValueError(
                f"teacher {path} sees {member.config.inputs}, its student {inputs}: "
                "give both the same inputs"
            )
    found = {}
    for key, split in splits.items() if members else ():
        session = sessions[key]
        found[key] = np.full((session.n_trials, session.n_units), np.nan, np.float32)
        for index in np.split(split.train, range(BATCH, len(split.train), BATCH)):
            batch = session.batch(index, device)
            mean = torch.stack([member(batch, key) for member in members]).mean(0)
            found[key][index] = mean.cpu().numpy()
    return found
