"""Sessions to train on: tiny ones in memory, and simulated mice in the published layout, packed."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from src.config import BaselineCoreConfig, ModelConfig
from src.data.batch import Batch
from src.data.pack import pack
from src.data.sensorium import open_mice
from src.data.splits import official_split
from src.models.encoder import Encoder
from src.simulate.config import SimulatedMouse, SimulationConfig
from src.simulate.mice import simulate_mice

MODEL = ModelConfig("small", BaselineCoreConfig(2, channels=4, input_kernel=5, hidden_kernel=3))


@dataclass
class SimulatedSession:
    """Units that respond to the pixel at their place in a map, so that little data teach a lot."""

    key: str
    n_units: int = 6
    n_trials: int = 60
    image_shape: tuple[int, int, int] = (1, 12, 16)
    behavior_missing: bool = True
    pupil_missing: bool = True

    def __post_init__(self) -> None:
        rng = np.random.default_rng(list(self.key.encode()))
        _, h, w = self.image_shape
        coarse = rng.normal(size=(self.n_trials, 1, h // 2, w // 2)).astype(np.float32)
        self.images = np.kron(coarse, np.ones((1, 1, 2, 2), np.float32))
        self.coordinates = rng.uniform(-300, 300, (self.n_units, 3))
        place = self.coordinates[:, :2] / 1200 + 0.5  # 0.25..0.75
        columns, rows = (place * [w, h]).astype(int).T
        drive = np.maximum(self.images[:, 0, rows, columns], 0)
        self.responses = drive + 0.1 * rng.exponential(size=drive.shape).astype(np.float32)
        self.mean_response = self.responses.mean(0)
        self.unit_ids = np.arange(self.n_units) * 2 + 1
        self.image_ids = np.arange(self.n_trials)
        self.tiers = np.array(["train", "train", "train", "validation", "test"] * 60)
        self.tiers = self.tiers[: self.n_trials]
        self.fingerprint = f"cache of {self.key}"

    def batch(self, index, device="cpu"):
        return Batch(
            torch.from_numpy(self.images[index]), torch.from_numpy(self.responses[index])
        ).to(device)


@pytest.fixture
def sessions():
    """Two sessions of different size."""
    return {
        "mouse1": SimulatedSession("mouse1", 20, 300),
        "mouse2": SimulatedSession("mouse2", 5, 40),
    }


@pytest.fixture
def splits(sessions):
    """Their official splits."""
    return {key: official_split(session) for key, session in sessions.items()}


@pytest.fixture
def encoder(sessions):
    """A fresh encoder of both."""
    return Encoder(MODEL, sessions, seed=1)


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    """A folder of two packed simulated mice, one with behavior and pupil and one without."""
    folder = tmp_path_factory.mktemp("mice")
    mice = (
        SimulatedMouse("21067-10-18", "pretraining", 12),
        SimulatedMouse("26872-17-20", "sensorium", 9),
    )
    config = SimulationConfig(mice, train=48, validation=16, test_images=2)
    simulate_mice(folder / "raw", folder / "truth", config, seed=1)
    for mouse in open_mice(folder / "raw"):
        pack(mouse, folder / "packed" / mouse.key)
    return folder / "packed"
