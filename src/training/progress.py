"""How training shows where it is: a bar where somebody watches, about ten lines in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tqdm.auto import tqdm

from src.data.progress import watched

SHOWN = ("learning_rate", "validation", "best")

Report = Callable[[bool, Mapping[str, Any]], None]  # whether it was the last epoch, and its row


@contextmanager
def reporting(epochs: int, done: int, label: str, show: bool) -> Iterator[Report]:
    """What to call after each of at most `epochs` epochs, of which some are done."""
    if not show:
        yield lambda last, row: None
    elif watched():
        with tqdm(total=epochs, initial=done, desc=label, unit="epoch") as bar:
            yield lambda last, row: _move(bar, last, row)
    else:
        every = max(1, epochs // 10)
        yield lambda last, row: _say(label, row) if last or row["epoch"] % every == 0 else None


def _move(bar: tqdm, last: bool, row: Mapping[str, Any]) -> None:
    if last:
        bar.total = row["epoch"]  # training may stop before its last epoch
    bar.set_postfix({name: f"{row[name]:.4g}" for name in SHOWN}, refresh=False)
    bar.update(row["epoch"] - bar.n)


def _say(label: str, row: Mapping[str, Any]) -> None:
    shown = ", ".join(f"{name} {row[name]:.4g}" for name in SHOWN)
    print(f"{label}: epoch {row['epoch']}, {shown}", flush=True)
