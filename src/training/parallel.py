"""Training on several devices at once: one process each, started by torchrun.

All processes draw the same batches and take a part of the rows of each. Gradients are summed, and
inside `share` whatever looks at a whole batch does so over processes (src/models/sharing.py). So
they go through the weights of a single process, but for the order in which floats are added.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from src import locks
from src.lifetime import die_with
from src.models.sharing import Share, sharing
from src.training.device import pick_device
from src.training.launch import PARENT

WAITS = timedelta(minutes=10)  # for a process that is alive and does not answer


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

    def rows(self, n: int) -> slice:
        """Those of a batch of n trials that are this process's; of a tiny batch all are."""
        if n < self.world:
            return slice(0, n)
        return slice(n * self.rank // self.world, n * (self.rank + 1) // self.world)

    def weight(self, n: int) -> float:
        """What a sum over this process's rows of n counts, so that the sum over all is whole."""
        return 1 / self.world if n < self.world else 1.0

    def share(self, n: int) -> AbstractContextManager[None]:
        """In the block a batch of n trials is shared; one of fewer than processes is whole."""
        if self.world == 1 or n < self.world:
            return nullcontext()
        return sharing(Share(self.rows(n), n, self.sum))

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum over processes of the gradients that there are, which are the same ones in all."""
        found = [p.grad for p in parameters if p.grad is not None] if self.world > 1 else []
        if found:
            parts = self.sum(torch.cat([g.flatten() for g in found]))
            for gradient, part in zip(found, parts.split([g.numel() for g in found]), strict=True):
                gradient.copy_(part.view_as(gradient))

    def own(self, names: Iterable[str]) -> list[str]:
        """Those of some pieces of work that are this process's."""
        return list(names)[self.rank :: self.world]

    def gathered(self, found: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
        """What each process found by name, put together in the order of `names`."""
        parts = [found]
        if self.world > 1:
            parts = [None] * self.world
            distributed.all_gather_object(parts, dict(found))
        whole = {name: value for part in parts for name, value in part.items()}
        return {name: whole[name] for name in names}

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


def in_a_group() -> bool:
    """Whether torchrun started this process."""
    return "LOCAL_RANK" in os.environ


def sole(folder: Path) -> AbstractContextManager[None]:
    """Keep other runs out of a folder: for a group what started it does, or else its first process.

    A torchrun of one's own keeps nobody out.
    """
    kept = PARENT in os.environ or os.environ.get("RANK", "0") != "0"
    return nullcontext() if in_a_group() and kept else locks.alone(folder)


@contextmanager
def process_group(device: str = "auto") -> Iterator[Group]:
    """The group torchrun started this process in; alone without it."""
    chosen = pick_device(device)
    if not in_a_group():
        yield Group(chosen)
        return
    if parent := os.environ.get(PARENT):
        die_with(int(parent))  # torchrun; killed itself, it could not end this process
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=WAITS)
    try:
        yield Group(chosen, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
