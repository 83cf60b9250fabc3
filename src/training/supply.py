"""What a training step is given of a session: trials as they are, or random clips of films."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from src.config import TrainingConfig
from src.data.batch import Batch
from src.training.augment import jitter, mix, rotate


def of_videos(session: Any) -> bool:
    """Whether a session's trials are films, which are seen a clip at a time."""
    return len(session.image_shape) == 4


def training_batch(
    session: Any,
    index: np.ndarray,
    device: torch.device,
    random: np.random.Generator,
    rows: slice = slice(None),
    answered: int | None = None,
) -> Batch:
    """The trials `index`, of films a clip each that starts anywhere: (n,) -> Batch of n.

    Starts are uniform on 0..t - clip, so that the last frame is drawn too (defect 7). `rows` loads
    some of the n; starts are drawn for all. Responses are of the last `answered` frames.
    """
    if not of_videos(session):
        return session.batch(index[rows], device)
    frames = session.image_shape[1]
    starts = random.integers(0, session.lengths[index] - frames + 1)
    return session.clips(index[rows], starts[rows], device, frames, answered)


def augmented(
    config: TrainingConfig,
    session: Any,
    index: np.ndarray,
    device: torch.device,
    crops: np.random.Generator,
    shifts: torch.Generator | None,
    rows: slice,
    answered: int | None = None,
) -> Batch:
    """Some rows of a training batch as the recipe changes it; all is drawn for the whole batch."""
    loaded = slice(None) if config.mixing else rows  # a trial may be mixed with any other
    batch = training_batch(session, index, device, crops, loaded, answered)
    batch = rotate(batch, shifts) if config.rotate else batch
    batch = jitter(batch, config.jitter, shifts)
    if not config.mixing:
        return batch
    return mix(batch, config.mixing, shifts, config.mixing_way).part(rows)


def answered(responses: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    """The responses a prediction is about: of clips (n, t, u), (n, t', u) -> the last t' frames."""
    return responses if responses.dim() == 2 else responses[:, -prediction.shape[1] :]
