"""Named streams of random numbers: one seed in, one independent generator for each use.

A stream depends on nothing but its seed and its names, so a run that resumes at epoch 12 asks for
`stream(seed, "sample", 12)` and needs no stored generator state; no global generator is touched.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import torch


def _digest(seed: int, names: tuple[str | int, ...], size: int) -> int:
    text = json.dumps([seed, *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size], "little")


def stream(seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh PyTorch generator on `device`, for example `stream(42, "sample", epoch)`."""
    return torch.Generator(device).manual_seed(_digest(seed, names, 8) >> 1)


def numpy_stream(seed: int, *names: str | int) -> np.random.Generator:
    """A fresh NumPy generator, for example `numpy_stream(42, "shuffle", session, epoch)`."""
    return np.random.default_rng(_digest(seed, names, 16))


def member_seed(seed: int, member: int) -> int:
    """The seed of one ensemble member, distinct for each (the winner's ten shared one)."""
    return _digest(seed, ("member", member), 4)
