"""The competition's CSV files: predictions as submitted, and responses to score them with.

One row a trial and no index column: trial_indices, image_ids, prediction (in ground-truth files:
responses), neuron_ids. The last two are lists as text, the ids repeated on every row. Values are in
normalized units, with nine significant digits, which give back the same float32.
Source: files of the SENSORIUM 2022 competition (specification 8.2), hence their column names.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from src.data.errors import DataError
from src.evaluation.prediction import Prediction, align
from src.manifest import note_input, replacing

Kind = Literal["prediction", "responses"]
NAMES = {
    ("prediction", "test"): "submission_file_live_test.csv",
    ("prediction", "final_test"): "submission_file_final_test.csv",
    ("responses", "test"): "ground_truth_file_test.csv",
    ("responses", "final_test"): "ground_truth_file_final_test.csv",
}


def columns(kind: Kind) -> list[str]:
    """The header of a file."""
    return ["trial_indices", "image_ids", kind, "neuron_ids"]


def export(table: Prediction, folder: Path, kind: Kind, tier: str) -> Path:
    """Write predictions, or responses with their ids, under the competition's name for them."""
    if not np.isfinite(table.values).all():
        raise DataError(f"{table.source}: {kind} of tier {tier} has values that are not finite")
    if odd := [trial for trial in table.trial_ids.tolist() if not trial.isalnum()]:
        raise DataError(f"{table.source}: trial id {odd[0]!r} is neither a number nor a hex string")
    path = folder / NAMES[kind, tier]
    form = ", ".join(["%.9g"] * table.values.shape[1])
    unit_ids = ", ".join(map(str, table.unit_ids.tolist()))
    rows = zip(table.trial_ids.tolist(), table.image_ids.tolist(), table.values, strict=True)
    with replacing(path) as temporary, open(temporary, "w", newline="") as stream:
        stream.write(f"{','.join(columns(kind))}\n")
        for trial, image, values in rows:
            numbers = form % tuple(values.tolist())
            stream.write(f'{trial},{image},"[{numbers}]","[{unit_ids}]"\n')
    return path


def load(path: Path, kind: Kind = "prediction") -> Prediction:
    """Read such a file, whoever wrote it; its rows may come in any order.

    Lists are split into numbers, never evaluated. Raises DataError for other columns, a list that
    is none, a value for too few or too many units, units that differ between rows, a trial twice.
    """
    path = Path(path)
    trials, images, values, ids = [], [], [], _UnitIds()
    for trial, image, numbers, unit_ids in _rows(note_input(path), columns(kind)):
        where = f"{path}, trial {trial}"
        row, order = _numbers(numbers, where, kind), ids.order(unit_ids, where)
        if len(row) != len(order):
            raise DataError(f"{where}: {len(row)} {kind} values but {len(order)} neuron_ids")
        if not np.isfinite(row).all():
            raise DataError(f"{where}: {kind} has values that are not finite")
        values.append(row[order].astype(np.float32))
        trials.append(trial)
        images.append(image)
    if not trials:
        raise DataError(f"{path} has no trials: write it again")
    names, counts = np.unique(trials, return_counts=True)
    if counts.max() > 1:
        raise DataError(f"{path}: trial {names[counts.argmax()]} is there {counts.max()} times")
    ids_of = np.array(trials), _numbers(f"[{','.join(images)}]", path, "image_ids").astype(np.int64)
    return Prediction(np.stack(values), *ids_of, ids.first, source=str(path))


def load_pair(submission: Path, truth: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two files matched by trial and unit: predictions (n, u), responses (n, u), image ids (n,).

    As the metrics take them. Raises DataError unless both hold the same trials and units, and each
    trial shows the same image in both.
    """
    p, r = load(submission), load(truth, "responses")
    values = align(p, r.trial_ids, r.unit_ids)
    shown = dict(zip(p.trial_ids.tolist(), p.image_ids.tolist(), strict=True))
    for trial, image in zip(r.trial_ids.tolist(), r.image_ids.tolist(), strict=True):
        if shown[trial] != image:
            raise DataError(
                f"trial {trial} shows image {shown[trial]} in {submission} but {image} in {truth}"
            )
    return values, r.values, r.image_ids


class _UnitIds:
    """The neuron_ids of the first row, and where later rows have the same units."""

    def __init__(self) -> None:
        self.first: np.ndarray | None = None
        self.known: dict[str, np.ndarray] = {}

    def order(self, text: str, where: str) -> np.ndarray:
        """Positions in this row of the first row's units: -> (u,)."""
        if text not in self.known:
            ids = _numbers(text, where, "neuron_ids").astype(np.int64)
            self.first = ids if self.first is None else self.first
            if len(np.unique(ids)) < len(ids):
                raise DataError(f"{where}: neuron_ids has a unit twice")
            if len(ids) != len(self.first) or np.setxor1d(ids, self.first).size:
                odd = np.setxor1d(ids, self.first)[0]
                raise DataError(
                    f"{where}: {len(ids)} neuron_ids, not the {len(self.first)} of the first row "
                    f"(unit {odd} is in one of them only)"
                )
            self.known[text] = np.argsort(ids)[np.argsort(np.argsort(self.first))]
        return self.known[text]


def _numbers(text: str, where: object, column: str) -> np.ndarray:
    """The numbers of a list written as text, float64: "[1, 2.5]" -> (2,)."""
    text = text.strip()
    try:
        if not (text.startswith("[") and text.endswith("]")):
            raise ValueError
        return np.array([*map(float, text[1:-1].split(","))])
    except ValueError:
        start = text if len(text) < 40 else f"{text[:40]}..."
        raise DataError(f"{where}: {column} is no list of numbers: {start}") from None


def _rows(path: Path, header: list[str]) -> Iterator[list[str]]:
    """Rows of a CSV file with that header, one at a time."""
    with open(path, newline="") as stream, _long_fields():
        lines = csv.reader(stream, strict=True)
        try:
            if (found := next(lines, [])) != header:
                raise DataError(
                    f"{path}: columns are {', '.join(found)}, not {', '.join(header)}: write it "
                    "without an index and with these names"
                )
            for row in lines:
                if len(row) != len(header):
                    raise csv.Error(f"{len(row)} fields")
                yield row
        except csv.Error as error:
            raise DataError(
                f"{path}, line {lines.line_num}: {error} where {len(header)} fields are wanted; "
                "is the file cut off?"
            ) from None


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let csv read fields of any length inside the block."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)
