"""Round robin over sessions: which trials each step of an epoch sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np

from src.config import TrainingConfig
from src.seeds import numpy_stream


def n_rounds(trials: Mapping[str, np.ndarray], batch_size: int) -> int:
    """Steps of an epoch: the batches of the largest session, its last short one included."""
    return max(-(-len(index) // batch_size) for index in trials.values())


def endless_batches(
    index: np.ndarray, batch_size: int, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """Batches of shuffled trials; used up, the session restarts with a new permutation."""
    while True:
        order = random.permutation(index)
        yield from (order[i : i + batch_size] for i in range(0, len(order), batch_size))


def rounds(
    trials: Mapping[str, np.ndarray],
    batch_size: int,
    seed: int,
    epoch: int,
    steps: int | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """One batch a session, as often as the largest session has batches (specification 6.2).

    `steps` asks for another number of them, such as that of an epoch with more images.
    The order depends on the seed, the session and the epoch only, so a resumed run needs no state.
    """
    streams = {
        key: endless_batches(index, batch_size, numpy_stream(seed, "shuffle", key, epoch))
        for key, index in trials.items()
    }
    for _ in range(steps or n_rounds(trials, batch_size)):
        yield {key: next(batches) for key, batches in streams.items()}


def turns(
    trials: Mapping[str, np.ndarray],
    batch_size: int,
    seed: int,
    epoch: int,
    steps: int | None = None,
    contiguous: bool = False,
) -> Iterator[dict[str, np.ndarray]]:
    """Every batch of every session once, one a step, in random order (specification nsd_gnet, 6.3).

    Trials are shuffled before they are cut into batches; `contiguous` ones stay as they were shown.
    """
    batches = []
    for key, index in trials.items():
        shuffle = numpy_stream(seed, "shuffle", key, epoch)
        order = index if contiguous else shuffle.permutation(index)
        starts = range(0, len(order), batch_size)
        batches += [{key: order[first : first + batch_size]} for first in starts]
    numpy_stream(seed, "turns", epoch).shuffle(batches)
    yield from islice(batches, steps)


def steps(
    config: TrainingConfig, trials: Mapping[str, np.ndarray], seed: int, epoch: int
) -> Iterator[dict[str, np.ndarray]]:
    """Trials of each step of an epoch, by session, as the recipe wants them.

    In a cycle a step sees one session, all of them in turn (specification sensorium2023, 6).
    """
    given = trials, config.batch_size, seed, epoch, config.steps_per_epoch
    if config.turns == "alone":
        return turns(*given, config.contiguous)
    together = rounds(*given)
    if config.turns == "together":
        return together
    return ({key: index} for step in together for key, index in step.items())
