"""An encoder whose receptive fields are known, because they were put there."""

import numpy as np
import pytest
import torch

from src.config import BaselineCoreConfig, GaussianReadoutConfig, ModelConfig
from src.models.encoder import Encoder, SessionFacts

GRID, KERNEL, GAIN = (36, 64), 9, 0.5
CORNERS = ((0, 0), (27, 55), (5, 40), (14, 20), (20, 8), (9, 30))  # top left pixel of each field


def gabors(count: int) -> np.ndarray:
    """Different Gabor kernels of norm GAIN: -> (count, 9, 9)."""
    y, x = np.indices((KERNEL, KERNEL)) - KERNEL // 2
    turns = np.pi * np.arange(count)[:, None, None] / count
    waves = np.cos(1.1 * (x * np.cos(turns) + y * np.sin(turns)) + turns)
    kernels = waves * np.exp(-(x**2 + y**2) / 8)
    return GAIN * kernels / np.linalg.norm(kernels, axis=(1, 2), keepdims=True)


def planted(kernels: np.ndarray) -> np.ndarray:
    """Each kernel in its place in the image: (u, 9, 9) -> (u, 36 * 64)."""
    fields = np.zeros((len(kernels), *GRID))
    for field, kernel, (row, column) in zip(fields, kernels, CORNERS, strict=True):
        field[row : row + KERNEL, column : column + KERNEL] = kernel
    return fields.reshape(len(fields), -1)


def linear_encoder(kernels: np.ndarray) -> Encoder:
    """ELU(kernel . image) + 1 for each unit, its kernel at one of CORNERS; image sd is 1."""
    n_units = len(kernels)
    core = BaselineCoreConfig(layers=1, channels=n_units, linear=True)
    config = ModelConfig("ln", core, readout=GaussianReadoutConfig(position="free"))
    encoder = Encoder(config, {"mouse": SessionFacts(n_units, (1, *GRID))}, seed=0).eval()
    readout, (h, w) = encoder.readouts["mouse"], encoder.core.output_shape(*GRID)
    corners = torch.tensor(CORNERS[:n_units], dtype=torch.float32)
    with torch.no_grad():
        encoder.core.layers[0].conv.weight.copy_(torch.from_numpy(kernels)[:, None])
        readout.features.copy_(torch.eye(n_units))
        readout.free_mu.copy_(2 * corners.flip(1) / torch.tensor([w - 1, h - 1]) - 1)
    return encoder


@pytest.fixture
def kernels() -> np.ndarray:
    return gabors(len(CORNERS))


@pytest.fixture
def fields(kernels) -> np.ndarray:
    return planted(kernels)


@pytest.fixture
def encoder(kernels) -> Encoder:
    return linear_encoder(kernels)
