"""The competition's files of predicted films: parquet, brotli, one row a trial.

Columns: mouse (full name of its folder), trial_indices (int64), prediction (list<list<float>>: a
list of frames for each unit) and neuron_ids (list<int64>). Mice in order of name, trials ascending.
Arrow lists are built from arrays and written a few trials at a time: a list of Python floats takes
32 bytes a value, 18 GB a tier.
Source: files of the SENSORIUM 2023 competition (specification sensorium2023, 8.3).
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from src.data.errors import DataError
from src.manifest import note_input, replacing

NAMES = {
    "live_test_main": "predictions_live_main.parquet.brotli",
    "final_test_main": "predictions_final_main.parquet.brotli",
    "live_test_bonus": "predictions_live_test_bonus_ood.parquet.brotli",
    "final_test_bonus": "predictions_final_test_bonus_ood.parquet.brotli",
}
ARCHIVES = {  # flat zips that are uploaded
    "main.zip": ("live_test_main", "final_test_main"),
    "live_ood.zip": ("live_test_bonus",),
    "final_ood.zip": ("final_test_bonus",),
}
LIMIT = 5 * 10**9  # bytes of an upload
GROUP = 8  # trials of a row group
SCHEMA = pa.schema(
    [
        ("mouse", pa.string()),
        ("trial_indices", pa.int64()),
        ("prediction", pa.list_(pa.list_(pa.float32()))),
        ("neuron_ids", pa.list_(pa.int64())),
    ]
)


class SubmittedTrial(NamedTuple):
    """One row of a file."""

    mouse: str
    trial: int
    values: np.ndarray  # (t, u)
    unit_ids: np.ndarray  # (u,)


def export(trials: Iterable[SubmittedTrial], folder: Path, tier: str) -> Path:
    """Write trials, in the order they come, under the competition's name for the tier."""
    path = Path(folder) / NAMES[tier]
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, SCHEMA, compression="brotli") as writer,
    ):
        for group in _groups(trials):
            writer.write_table(_table(group))
    return path


def _groups(trials: Iterable[SubmittedTrial]) -> Iterator[list[SubmittedTrial]]:
    group: list[SubmittedTrial] = []
    for trial in trials:
        if not np.isfinite(trial.values).all():
            raise DataError(
                f"prediction of mouse {trial.mouse}, trial {trial.trial} {trial.values.shape} has "
                "values that are not finite: re-run 03_predict"
            )
        group.append(trial)
        if len(group) == GROUP:
            yield group
            group = []
    if group:
        yield group


def _table(group: list[SubmittedTrial]) -> pa.Table:
    """Some trials as Arrow lists, made from arrays."""
    frames = np.concatenate([np.full(x.values.shape[1], len(x.values)) for x in group])
    units = [len(x.unit_ids) for x in group]
    flat = np.concatenate([np.asarray(x.values, np.float32).T.ravel() for x in group])
    of_units = pa.ListArray.from_arrays(_offsets(frames), pa.array(flat))
    ids = np.concatenate([x.unit_ids for x in group]).astype(np.int64)
    columns = [
        pa.array([x.mouse for x in group]),
        pa.array([x.trial for x in group], pa.int64()),
        pa.ListArray.from_arrays(_offsets(units), of_units),
        pa.ListArray.from_arrays(_offsets(units), pa.array(ids)),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _offsets(sizes: Any) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))


def read(path: Path) -> Iterator[SubmittedTrial]:
    """Rows of such a file, whoever wrote it, a row group at a time.

    Ids may be int64 or uint32, values float or double, trials numbers or text like '1.npy'.
    DataError for other columns, and for units with unequal numbers of frames.
    """
    path = Path(path)
    try:
        file = pq.ParquetFile(note_input(path))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path} is not a complete parquet file ({error}): write it again"
        ) from None
    if set(file.schema_arrow.names) != set(SCHEMA.names):
        raise DataError(
            f"{path}: columns are {', '.join(file.schema_arrow.names)}, not "
            f"{', '.join(SCHEMA.names)}: write it without an index and with these names"
        )
    for number in range(file.num_row_groups):
        table = file.read_row_group(number)
        for row in range(len(table)):
            yield _row(path, {name: table[name][row] for name in SCHEMA.names})


def _row(path: Path, row: Mapping[str, pa.Scalar]) -> SubmittedTrial:
    mouse, trial = row["mouse"].as_py(), str(row["trial_indices"].as_py())
    lists = row["prediction"].values
    frames = np.unique(lists.value_lengths().to_numpy())
    if len(frames) != 1:
        raise DataError(
            f"{path}: mouse {mouse}, trial {trial} has units of {frames.tolist()} frames: every "
            "unit needs as many values"
        )
    values = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), frames[0])
    ids = row["neuron_ids"].values.to_numpy(zero_copy_only=False)
    return SubmittedTrial(mouse, int(trial.removesuffix(".npy")), values.T, ids)


def require_complete(path: Path, sessions: Mapping[str, Any], tier: str) -> int:
    """Check a file against the sessions it must hold; returns the number of its rows.

    Mice, trials of the tier and their order, units and their order, columns (frames) of the
    official policy, finite values, and size. DataError names the first that is wrong.
    """
    if (size := Path(path).stat().st_size) > LIMIT:
        raise DataError(f"{path} has {size} bytes, more than {LIMIT}: write fewer digits")
    wanted = [(session, i) for session in sessions.values() for i in expected_trials(session, tier)]
    count = 0
    for found in read(path):
        if count == len(wanted):
            raise DataError(f"{path}: more than the {count} trials of {tier}: write it again")
        _require_row(path, found, *wanted[count], tier)
        count += 1
    if count < len(wanted):
        session, trial = wanted[count]
        raise DataError(
            f"{path}: {count} trials, not {len(wanted)}; mouse {session.name}, trial {trial} of "
            f"{tier} is missing: write it again"
        )
    return count


def _require_row(path: Path, found: SubmittedTrial, session: Any, trial: int, tier: str) -> None:
    where = f"{path}: mouse {found.mouse}, trial {found.trial}"
    if (found.mouse, found.trial) != (session.name, trial):
        raise DataError(
            f"{where} stands where {session.name}, trial {trial} of {tier} should: sort by mouse "
            "and trial, and leave out no trial"
        )
    if not np.array_equal(found.unit_ids, session.unit_ids):
        raise DataError(
            f"{where} has {len(found.unit_ids)} neuron_ids that are not the {session.n_units} of "
            "the session in their order: write it again"
        )
    frames = columns(session, trial)
    if found.values.shape != (frames, session.n_units):
        shape, wanted = found.values.T.shape, (session.n_units, frames)
        raise DataError(
            f"{where} is {shape} but {wanted} (units, frames) is due: re-run 03_predict"
        )
    if not np.isfinite(found.values).all():
        raise DataError(f"{where} has values that are not finite: re-run 03_predict")


def expected_trials(session: Any, tier: str) -> np.ndarray:
    """All trials of a tier, those without a valid film too: a file lists them all."""
    return np.flatnonzero(session.tiers == tier)


def columns(session: Any, trial: int) -> int:
    """Frames to predict: 249, or 189; of a trial without a valid film, 249."""
    scored = session.scored_frames(trial, "official")
    return scored.stop - scored.start or 249


def submitted(
    session: Any, tier: str, predicted: Iterable[tuple[str, np.ndarray, np.ndarray]]
) -> Iterator[SubmittedTrial]:
    """Rows of one mouse: predictions of trials, id, frames (t,) and values (t, u) each, in order.

    Frames of the official policy are taken; a trial that shows no film is given each unit's mean
    training response, since every trial must be there. DataError where a prediction lacks one.
    """
    known = {int(name): (frames, values) for name, frames, values in predicted}
    for trial in expected_trials(session, tier).tolist():
        if trial not in known and not session.video_lengths[trial]:
            values = np.tile(session.mean_response, (columns(session, trial), 1))
        elif trial not in known:
            raise DataError(
                f"session '{session.key}': no prediction of trial {trial} of {tier} among "
                f"{len(known)} trials: re-run 03_predict"
            )
        else:
            scored = session.scored_frames(trial, "official")
            frames, values = known[trial]
            values = values[np.isin(frames, np.arange(scored.start, scored.stop))]
        yield SubmittedTrial(session.name, trial, values, session.unit_ids)


def bundle(folder: Path, sessions: Mapping[str, Any]) -> list[Path]:
    """The flat zips to upload, of the files in a folder: the two main tiers, and each OOD tier.

    DataError unless each file is complete, of which `sessions` say what it must hold.
    """
    made = []
    for tier, name in NAMES.items():
        require_complete(Path(folder) / name, sessions, tier)
    for name, tiers in ARCHIVES.items():
        with (
            replacing(Path(folder) / name) as temporary,
            zipfile.ZipFile(temporary, "w") as archive,
        ):
            for tier in tiers:
                info = zipfile.ZipInfo(NAMES[tier])
                with (
                    archive.open(info, "w", force_zip64=True) as target,
                    open(Path(folder) / NAMES[tier], "rb") as source,
                ):
                    shutil.copyfileobj(source, target)
        made.append(Path(folder) / name)
    return made
