"""What a training step is given of a session: trials as they are, or random clips of videos."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from src.data.batch import Batch


def of_videos(session: Any) -> bool:
    """Whether a session's trials are videos, which are seen a clip at a time."""
    return len(session.image_shape) == 4


def training_batch(
    session: Any, index: np.ndarray, device: torch.device, random: np.random.Generator
) -> Batch:
    """The trials `index`, of videos a clip each that starts anywhere: (n,) -> Batch of n.

    Starts are uniform on 0..t - clip, so that the last frame is drawn too (defect 7).
    """
    if not of_videos(session):
        return session.batch(index, device)
    frames = session.image_shape[1]
    starts = random.integers(0, session.lengths[index] - frames + 1)
    return session.clips(index, starts, device, frames)


def answered(responses: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    """The responses a prediction is about: of clips (n, t, u), (n, t', u) -> the last t' frames."""
    return responses if responses.dim() == 2 else responses[:, -prediction.shape[1] :]
