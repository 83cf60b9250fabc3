"""A simulated linear-nonlinear population whose responses have both signs."""

from dataclasses import dataclass

import numpy as np
import torch

from src.data.batch import Batch


@dataclass
class Population:
    """Units that sum the rectified outputs of local filters, around a mean of 0."""

    key: str = "macaque"
    n_units: int = 12
    n_trials: int = 600
    image_shape: tuple[int, int, int] = (3, 16, 16)
    behavior_missing: bool = True
    pupil_missing: bool = True
    coordinates: None = None
    fingerprint: str = "simulated"

    def __post_init__(self):
        rng = np.random.default_rng(0)
        coarse = rng.normal(size=(self.n_trials, 1, 4, 4))
        images = np.kron(coarse, np.ones((1, 3, 4, 4)))
        filters = rng.normal(size=(16, 5)) / 4
        features = np.maximum(coarse.reshape(-1, 16) @ filters, 0)
        drive = features @ rng.normal(size=(5, self.n_units))
        drive = (drive - drive.mean(0)) / drive.std(0)
        self.images = torch.from_numpy(images).float()
        self.responses = torch.from_numpy(drive + 0.3 * rng.normal(size=drive.shape)).float()
        self.mean_response = self.responses.mean(0).numpy()
        self.unit_ids = np.arange(self.n_units)
        self.image_ids = np.arange(self.n_trials)
        fitted = self.n_trials * 4 // 5
        self.tiers = np.repeat(["train", "validation"], [fitted, self.n_trials - fitted])

    def batch(self, index, device="cpu"):
        return Batch(self.images[index], self.responses[index]).to(device)
