"""The competition's parquet files: written, read back, checked, and read by pyarrow itself."""

import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from src.config import InputConfig
from src.data.errors import DataError
from src.data.movies import open_movie_sessions
from src.evaluation.movie_submission import (
    NAMES,
    SCHEMA,
    SubmittedTrial,
    bundle,
    export,
    read,
    require_complete,
    submitted,
)

TIER = "final_test_bonus"  # of unequal numbers of frames


@pytest.fixture(scope="module")
def sessions(films):
    """The scored mouse alone, as the competition wants."""
    opened = open_movie_sessions(films.processed, InputConfig(scale="full"))
    return {key: s for key, s in opened.items() if s.role == "scored"}


def predictions(session, tier):
    """Values that say which trial, unit and frame they are."""
    for trial in session.trials(tier):
        scored = session.scored_frames(trial, "full")
        frames = np.arange(scored.start, scored.stop)
        yield str(trial), frames, trial + frames[:, None] / 1e3 + np.arange(session.n_units)


def rows(sessions, tier):
    return [row for s in sessions.values() for row in submitted(s, tier, predictions(s, tier))]


def test_what_is_written_comes_back(sessions, tmp_path):
    for tier in NAMES:
        path = export(rows(sessions, tier), tmp_path, tier)
        session = sessions["90011-2-1"]
        assert require_complete(path, sessions, tier) == len(session.trials(tier))
        for found, trial in zip(read(path), session.trials(tier), strict=True):
            assert (found.mouse, found.trial) == (session.name, trial)
            frames = np.arange(50, {240: 239}.get(session.video_lengths[trial], 299))
            wanted = trial + frames[:, None] / 1e3 + np.arange(session.n_units)
            np.testing.assert_allclose(found.values, wanted, rtol=1e-6)
            np.testing.assert_array_equal(found.unit_ids, session.unit_ids)


def test_types_and_compression_are_the_competitions(sessions, tmp_path):
    path = export(rows(sessions, TIER), tmp_path, TIER)
    assert path.name == "predictions_final_test_bonus_ood.parquet.brotli"
    file = pq.ParquetFile(path)
    assert file.schema_arrow.names == ["mouse", "trial_indices", "prediction", "neuron_ids"]
    types = [str(t) for t in file.schema_arrow.types]
    assert types[:2] == ["string", "int64"]
    assert types[2].count("list") == 2 and "float" in types[2] and "int64" in types[3]
    assert file.metadata.row_group(0).column(0).compression == "BROTLI"
    table = pq.read_table(path).to_pylist()
    lengths = {len(unit) for row in table for unit in row["prediction"]}
    assert lengths == {249, 189} and len(table[0]["prediction"]) == len(table[0]["neuron_ids"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[1:], "trial .* stands where .*sort by mouse"),
        (lambda r: r[:-1], "is missing"),
        (lambda r: [*r, r[-1]], "more than the"),
        (lambda r: [r[0]._replace(unit_ids=r[0].unit_ids[::-1]), *r[1:]], "in their order"),
        (lambda r: [r[0]._replace(values=r[0].values[1:]), *r[1:]], r"\(units, frames\) is due"),
        (lambda r: [r[0]._replace(mouse="dynamic1-2-3"), *r[1:]], "stands where"),
    ],
)
def test_a_file_that_is_not_as_it_must_be_is_named(sessions, tmp_path, change, message):
    path = export(change(rows(sessions, TIER)), tmp_path, TIER)
    with pytest.raises(DataError, match=message):
        require_complete(path, sessions, TIER)


def test_what_is_not_finite_is_never_written(sessions, tmp_path):
    first, *others = rows(sessions, TIER)
    broken = first._replace(
        values=np.where(np.arange(first.values.shape[1]) == 3, np.nan, first.values)
    )
    with pytest.raises(DataError, match="not finite: re-run 03_predict"):
        export([broken, *others], tmp_path, TIER)
    assert not list(tmp_path.iterdir())


def test_files_of_others_are_read(sessions, tmp_path):
    """Trials as text, doubles, unsigned ids."""
    session = sessions["90011-2-1"]
    schema = pa.schema(
        [
            ("mouse", pa.string()),
            ("trial_indices", pa.string()),
            ("prediction", pa.list_(pa.list_(pa.float64()))),
            ("neuron_ids", pa.list_(pa.uint32())),
        ]
    )
    given = rows(sessions, TIER)
    columns = {
        "mouse": [r.mouse for r in given],
        "trial_indices": [f"{r.trial}.npy" for r in given],
        "prediction": [r.values.T.tolist() for r in given],
        "neuron_ids": [r.unit_ids.tolist() for r in given],
    }
    path = tmp_path / "theirs.parquet"
    pq.write_table(pa.table(columns, schema=schema), path)
    assert require_complete(path, sessions, TIER) == len(session.trials(TIER))
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"mouse": ["a"]}), other)
    with pytest.raises(DataError, match="columns are mouse, not"):
        list(read(other))
    other.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="not a complete parquet file"):
        list(read(other))
    assert SCHEMA.names == schema.names


def test_a_trial_that_shows_nothing_is_given_the_mean(sessions):
    session = sessions["90011-2-1"]
    lengths = session.video_lengths.copy()
    trial = session.trials(TIER)[0]
    try:
        session.video_lengths[trial] = 0
        kept = [p for p in predictions(session, TIER) if int(p[0]) != trial]
        found = next(r for r in submitted(session, TIER, kept) if r.trial == trial)
    finally:
        session.video_lengths[:] = lengths
    np.testing.assert_allclose(found.values, np.tile(session.mean_response, (len(found.values), 1)))
    with pytest.raises(DataError, match=f"no prediction of trial {trial}"):
        list(submitted(session, TIER, kept))


def test_zips_are_flat_and_hold_what_belongs_together(sessions, tmp_path):
    for tier in NAMES:
        export(rows(sessions, tier), tmp_path, tier)
    names = [zipfile.ZipFile(path).namelist() for path in bundle(tmp_path, sessions)]
    assert names == [
        ["predictions_live_main.parquet.brotli", "predictions_final_main.parquet.brotli"],
        ["predictions_live_test_bonus_ood.parquet.brotli"],
        ["predictions_final_test_bonus_ood.parquet.brotli"],
    ]


def test_an_incomplete_file_is_not_put_into_a_zip(sessions, tmp_path):
    for tier in NAMES:
        export(rows(sessions, tier)[: -1 if tier == TIER else None], tmp_path, tier)
    with pytest.raises(DataError, match=f"of {TIER} is missing: write it again"):
        bundle(tmp_path, sessions)
    assert not list(tmp_path.glob("*.zip"))


def test_a_row_is_written_from_arrays(tmp_path):
    """Three units, two frames: prediction is a list of frames for each unit."""
    values = np.arange(6.0).reshape(2, 3)
    path = export([SubmittedTrial("m", 7, values, np.array([1, 2, 5]))], tmp_path, TIER)
    (row,) = pq.read_table(path).to_pylist()
    assert row["prediction"] == [[0, 3], [1, 4], [2, 5]] and row["neuron_ids"] == [1, 2, 5]
