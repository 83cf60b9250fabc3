"""A small network with one part used twice, for the tests of extraction and the run they kill."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from src.models.networks import Layer, Network, NetworkRecord, Preprocessing
from src.models.pretrained import random_network

SIZE = 12
LAYERS = (
    Layer("first", "first"),  # a ReLU in place follows
    Layer("again0", "again"),
    Layer("again1", "again", call=1),
    Layer("last", "last"),
    Layer("unused", "unused"),
)


class Toy(nn.Module):
    """(n, 3, 12, 12) -> (n, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(0.5)
        self.again = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(4 * 10 * 10, 5)
        self.unused = nn.Linear(1, 1)
        self.forwards = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.forwards += 1
        x = self.dropout(self.norm(self.relu(self.first(images))))
        x = self.again(self.again(x))
        return self.last(x.flatten(1))


RECORD = NetworkRecord(
    name="toy",
    weights="none",
    layers=LAYERS,
    input_size=SIZE,
    preprocessing=Preprocessing((0.4, 0.5, 0.6), (0.2, 0.25, 0.3)),
    license="MIT",
    citation="none",
    build=Toy,
)


def toy() -> Network:
    """The toy with weights of seed 0."""
    return random_network(RECORD, 0)


def pictures(n: int = 10) -> np.ndarray:
    """Different images: () -> (n, 3, 12, 12) uint8."""
    return np.random.default_rng(1).integers(0, 256, (n, 3, SIZE, SIZE), dtype=np.uint8)


def extract_killed(folder: Path, write: int) -> None:
    """Extract, but kill this process in the middle of the given write of rows."""
    import os
    import signal

    from src.data.rows import Rows
    from src.models.extraction import extract

    put, count = Rows._put, iter(range(10**6))

    def killed(rows: Rows, position: int, data: bytes, end: int | None = None) -> None:
        if next(count) == write:
            put(rows, position, data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        put(rows, position, data, end)

    Rows._put = killed
    extract(toy(), pictures(), folder, ("first", "last"), batch=3)
