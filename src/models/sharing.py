"""A batch that several processes share: each has some rows, all get what one alone would get.

Inside `sharing`, whatever looks at a whole batch does so over processes: batch norm and means take
their sums over all rows, and noise is drawn for all rows, of which a process keeps its own. Outside
of it a batch is whole, and the functions below are the plain ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

from src.seeds import stream


@dataclass(frozen=True)
class Share:
    """Which rows of a batch of `total` are here, and the sum of a tensor over processes."""

    rows: slice
    total: int
    add: Callable[[Tensor], Tensor]  # in place

    def places(self, n: int) -> tuple[int, int]:
        """Where the n rows here begin, and how many there are of all; a trial may have several."""
        each = n // (self.rows.stop - self.rows.start)
        return self.rows.start * each, self.total * each


_CURRENT: ContextVar[Share | None] = ContextVar("share", default=None)


@contextmanager
def sharing(share: Share | None) -> Iterator[None]:
    """Inside the block, batches are shares; None: they are whole."""
    token = _CURRENT.set(share)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> Share | None:
    """The share that batches are now, if they are."""
    return _CURRENT.get()


def places(n: int) -> tuple[int, int]:
    """Where n rows of a batch begin, and how many rows the whole has: 0 and n without a share."""
    share = current()
    return share.places(n) if share else (0, n)


def batch_sum(x: Tensor) -> Tensor:
    """Sum over the rows of the whole batch: (n, ...) -> (...); gets no gradient in a share."""
    share = current()
    return share.add(x.sum(0)) if share else x.sum(0)


def batch_mean(x: Tensor) -> Tensor:
    """Mean over the rows of the whole batch: (n, ...) -> (...); as `batch_sum`."""
    return batch_sum(x) / places(len(x))[1] if current() else x.mean(0)


def drawn(n: int, draw: Callable[[int], Tensor]) -> Tensor:
    """Noise of n rows: those of this process of what `draw` gives for all: (n, ...)."""
    first, total = places(n)
    return draw(total)[first : first + n]


def own_stream(generator: torch.Generator) -> torch.Generator:
    """In a share, another generator in each process, for noise that cannot be drawn for all rows.

    The one given is in the same state afterwards in all of them.
    """
    if (share := current()) is None:
        return generator
    device = generator.device
    seed = torch.randint(2**62, (), generator=generator, device=device).item()
    return stream(seed, "rows", share.rows.start, device=device)
