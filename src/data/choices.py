"""Two-way choices of people or animals: one row a trial.

stimulus_id   image shown
sample_obj    its object; `truth` where a table has no sample_obj
dist_obj      the other object offered
choice        the one chosen
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from src.data.errors import DataError
from src.manifest import fingerprint

COLUMNS = ("stimulus_id", "sample_obj", "dist_obj", "choice")


@dataclass(frozen=True, eq=False)
class ChoiceTrials:
    """n trials on i images of o objects; images sorted by id, objects by name."""

    images: np.ndarray  # (i,) str
    objects: np.ndarray  # (o,) str
    truth: np.ndarray  # (i,) object of each image
    image: np.ndarray  # (n,) place in images
    distractor: np.ndarray  # (n,) place in objects
    wrong: np.ndarray  # (n,) whether the distractor was chosen

    @cached_property
    def content_hash(self) -> str:
        """sha256 of all trials in order."""
        arrays = self.truth, self.image, self.distractor, self.wrong
        names = self.images.tolist(), self.objects.tolist()
        return fingerprint([*names, *(a.astype(int).tolist() for a in arrays)])

    @classmethod
    def of(cls, table: pd.DataFrame, source: str = "choices") -> ChoiceTrials:
        """Trials of a table, in its order. DataError for what cannot be."""
        if "sample_obj" not in table and "truth" in table:
            table = table.rename(columns={"truth": "sample_obj"})
        if absent := [c for c in COLUMNS if c not in table]:
            raise DataError(f"{source} has columns {', '.join(table)}: {', '.join(absent)} missing")
        shown, sample, distractor, choice = (table[c].to_numpy(str) for c in COLUMNS)
        _require(choice, (choice == sample) | (choice == distractor), source, "is not offered")
        _require(sample, sample != distractor, source, "is offered twice")
        images, first, image = np.unique(shown, return_index=True, return_inverse=True)
        _require(shown, sample[first][image] == sample, source, "has two sample_obj")
        objects = np.unique(np.concatenate([sample, distractor]))
        truth, other = (np.searchsorted(objects, x) for x in (sample[first], distractor))
        return cls(images, objects, truth, image, other, choice == distractor)


def _require(names: np.ndarray, fine: np.ndarray, source: str, problem: str) -> None:
    if len(bad := np.flatnonzero(~fine)):
        text = f"{str(names[bad[0]])!r} {problem} in row {bad[0]}"
        raise DataError(f"{source}: {text}, {len(bad)} of {len(names)} rows: correct the table")


def open_choices(path: str | Path) -> ChoiceTrials:
    """Trials of a csv with the columns above."""
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        raise DataError(f"{path} does not exist: give a csv with {', '.join(COLUMNS)}")
    return ChoiceTrials.of(pd.read_csv(path, dtype=str), str(path))
