"""A log that grows a line at a time: what has been written is never written again (defect C5)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

from src import manifest

COLUMNS = (
    *("step", "epoch", "part", "learning_rate", "loss", "top1", "top5"),
    *("loading_seconds", "computing_seconds"),
)


class StepLog:
    """`log.csv` of a run at step `done`; lines of steps that a resumed run makes again are cut."""

    def __init__(self, path: Path, done: int, writes: bool) -> None:
        self.path, self.writes = path, writes
        self.clock, self.spent = perf_counter(), {"loading": 0.0, "computing": 0.0}
        if writes:
            self._cut(done)

    def _cut(self, done: int) -> None:
        lines = self.path.read_text().splitlines() if self.path.is_file() else []
        kept = [line for line in lines[1:] if _step(line) <= done]
        with manifest.replacing(self.path, note=False) as temporary:
            temporary.write_text("\n".join([",".join(COLUMNS), *kept]) + "\n")

    def tick(self, what: str) -> None:
        """Count the time since the last call as spent on `what`."""
        now = perf_counter()
        self.spent[what] += now - self.clock
        self.clock = now

    def write(self, part: str, values: Mapping[str, float]) -> None:
        """A line about `part`, train or validation, with the times since the last one."""
        spent = {f"{name}_seconds": round(seconds, 3) for name, seconds in self.spent.items()}
        self.spent = dict.fromkeys(self.spent, 0.0)
        if self.writes:
            rounded = {name: f"{value:.9g}" for name, value in values.items()}
            with open(self.path, "a", newline="") as stream:
                writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
                writer.writerow({**rounded, "part": part, **spent})


def _step(line: str) -> float:
    """The step of a line; a line cut off by a kill counts as one to make again."""
    cells = line.split(",")
    return float(cells[0]) if len(cells) == len(COLUMNS) and cells[-1] else float("inf")
