"""Where to compute, and with how many threads."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def pick_device(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" is a CUDA or Apple GPU if there is one, else the CPU."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    if name not in available:
        raise ValueError(f"device {name!r} is not one of auto, cpu, cuda, mps")
    if not available[name]:
        raise RuntimeError(f"device {name!r} is not available here: use device='auto' or 'cpu'")
    return torch.device(name)


def require_devices(name: str, processes: int) -> None:
    """ValueError unless so many processes have a device each; a CPU is enough for any number."""
    if type(processes) is not int or processes < 1:
        raise ValueError(f"processes={processes!r} must be an integer of at least 1")
    if processes == 1 or (kind := pick_device(name).type) == "cpu":
        return
    there = torch.cuda.device_count() if kind == "cuda" else 1
    if processes > there:
        raise ValueError(
            f"processes={processes} need a GPU each, and there are {there}: use "
            f"processes={there}, or device='cpu'"
        )


@contextmanager
def placed(modules: Sequence[nn.Module], name: str) -> Iterator[torch.device]:
    """Have modules on a device, in evaluation mode, inside the block; they go back after it."""
    place, homes = pick_device(name), [next(m.parameters()).device for m in modules]
    for module in modules:
        module.to(place).eval()
    try:
        yield place
    finally:
        for module, home in zip(modules, homes, strict=True):
            module.to(home)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Compute on n CPU threads inside the block; bytes agree between runs only at one n."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_memory() -> None:
    """Have glibc keep freed blocks below 32 MB for the next step; elsewhere nothing happens.

    A fresh page costs more than the sums on it. Larger blocks still go back to the system at once.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if hasattr(libc, "mallopt"):  # musl has none
        libc.mallopt(M_MMAP_THRESHOLD, 2**25)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def bfloat16(core: nn.Module, enabled: bool) -> Iterator[None]:
    """Compute `core` in bfloat16 inside the block; its features come back as float32."""
    if not enabled:
        yield
        return
    device = next(core.parameters()).device.type
    forward = torch.autocast(device, dtype=torch.bfloat16)(core.forward)
    core.forward = lambda *inputs: _float(forward(*inputs))
    try:
        yield
    finally:
        del core.forward


def _float(features: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor | tuple:
    """The features of a core, one map or several, as float32."""
    if isinstance(features, tuple):
        return tuple(x.float() for x in features)
    return features.float()
