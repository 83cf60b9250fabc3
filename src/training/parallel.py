"""Training on several devices at once: one process each, started by torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from src.training.device import pick_device


@dataclass(frozen=True)
class Group:
    """This process among those that train one network."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and talks."""
        return self.rank == 0

    def share(self, network: nn.Module) -> nn.Module:
        """The network as it is trained: with several processes, gradients become their mean."""
        if self.world == 1:
            return network
        here = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=here)

    def sum(self, values: Tensor) -> Tensor:
        """Sum over processes: (...) -> (...)."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def agreed(self, asked: bool) -> bool:
        """Whether the first process asks for something, told to all."""
        return bool(self.sum(torch.tensor(float(asked and self.first), device=self.device)))

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            distributed.barrier()


@contextmanager
def process_group(device: str = "auto") -> Iterator[Group]:
    """The group torchrun started this process in; alone without it."""
    chosen = pick_device(device)
    if "LOCAL_RANK" not in os.environ:
        yield Group(chosen)
        return
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Group(chosen, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
