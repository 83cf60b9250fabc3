"""A packed session, memory-mapped: what every model, split and score is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from src.config import InputConfig
from src.data.batch import Batch


class Session:
    """One packed session as a model sees it (skeleton: names and shapes are final)."""

    key: str
    role: str  # pretraining | sensorium | sensorium+ | recording
    unit_ids: np.ndarray  # (u,) in file order
    coordinates: np.ndarray | None  # (u, 3) float64, micrometres
    area: np.ndarray | None  # (u,)
    layer: np.ndarray | None  # (u,)
    tiers: np.ndarray  # (n,) str: train, validation, test, final_test
    trial_ids: np.ndarray  # (n,) str
    image_ids: np.ndarray  # (n,)
    image_index: np.ndarray  # (n,) same number = same image content
    n_trials: int
    n_units: int
    image_shape: tuple[int, int, int]  # (c, h, w) as the model receives it
    behavior_missing: bool
    pupil_missing: bool
    fingerprint: str
    mean_response: np.ndarray  # (u,) over training trials, normalised units

    def __init__(self, folder: Path, inputs: InputConfig) -> None:
        raise NotImplementedError

    def withheld(self, tier: str) -> bool:
        """Whether every response of `tier` is zero, as in the competition mice."""
        raise NotImplementedError

    def trials(self, tier: str) -> np.ndarray:
        """Indices of the trials of `tier`, ascending."""
        raise NotImplementedError

    def unique_images(self, tier: str) -> np.ndarray:
        """Index of the first trial of each different image of `tier`, ascending."""
        raise NotImplementedError

    def batch(self, index: np.ndarray, device: torch.device | str = "cpu") -> Batch:
        """Normalised float32 tensors of the trials `index`: (n,) -> Batch of n trials."""
        raise NotImplementedError

    def select(
        self,
        *,
        units: Sequence[int] | None = None,
        area: str | None = None,
        layer: str | None = None,
        n_units: int | None = None,
        images: Sequence[int] | None = None,
        n_images: int | None = None,
        tier: str = "train",
        seed: int = 0,
    ) -> Session:
        """The same session with fewer units, or fewer images of `tier`; order is kept."""
        raise NotImplementedError
