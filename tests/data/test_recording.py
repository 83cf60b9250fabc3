"""Importing a recording: what is written, who tests on what, and all or nothing."""

import json

import numpy as np
import pytest

from src.config import InputConfig
from src.data.arrays import RecordedSession, SessionArrays, discover_sessions
from src.data.checks import check_mouse, require_valid
from src.data.errors import DataError
from src.data.pack import pack
from src.data.pictures import content
from src.data.recording import ImportConfig, identify, import_recording
from src.data.sensorium import open_mouse
from src.data.session import Session

DRAW = np.random.default_rng(3)
POOL = DRAW.integers(0, 256, (120, 16, 16, 3), np.uint8)


def session_of(rows, units=6, **more):
    """A session that shows the images `rows` of the pool once each."""
    return SessionArrays(POOL[rows], DRAW.gamma(2, 1, (units, len(rows))), **more)


def tiers_by_image(folder):
    """Tier of each image by its id, over the sessions of a recording."""
    found = {}
    for path in sorted(p for p in folder.iterdir() if p.is_dir()):
        mouse = open_mouse(path)
        for image, tier in zip(mouse.image_ids, mouse.tiers, strict=True):
            found.setdefault(int(image), set()).add(str(tier))
    return found


def files(folder):
    """Every file under a folder, with its bytes and time of change."""
    return {
        p.relative_to(folder): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in folder.rglob("*")
        if p.is_file()
    }


def test_written_session_is_valid_and_packs(tmp_path):
    rows = np.r_[0:80, 0:10]  # ten images are shown twice
    arrays = session_of(
        rows,
        behavior=DRAW.normal(size=(90, 3)),
        pupil=DRAW.normal(size=(90, 2)),
        coordinates=DRAW.normal(size=(6, 3)),
    )
    table = import_recording(tmp_path / "mine", {"monkey 1": arrays}, ImportConfig(color=True))
    mouse = open_mouse(tmp_path / "mine/monkey 1")
    assert (mouse.key, mouse.role) == ("monkey 1", "recording")
    assert require_valid(mouse).empty
    for trial, row in enumerate(rows):
        np.testing.assert_array_equal(mouse.trial("images", trial), POOL[row].transpose(2, 0, 1))
        np.testing.assert_array_equal(mouse.trial("responses", trial), arrays.responses[:, trial])
        np.testing.assert_array_equal(mouse.trial("behavior", trial), arrays.behavior[trial])
        np.testing.assert_array_equal(mouse.trial("pupil_center", trial), arrays.pupil[trial])
    ids = mouse.image_ids
    np.testing.assert_array_equal(ids[80:], ids[:10])
    assert len(set(ids)) == 80 == table.different_images[0]
    np.testing.assert_array_equal(
        mouse.array("meta/neurons/cell_motor_coordinates"), arrays.coordinates
    )
    pack(mouse, tmp_path / "packed")
    session = Session(tmp_path / "packed", InputConfig(scale="full", behavior=True, pupil=True))
    assert session.image_shape == (3, 16, 16) and not session.behavior_missing
    assert [len(session.trials(t)) for t in ("train", "validation", "test")] == [
        table[f"{t}_trials"][0] for t in ("train", "validation", "test")
    ]


def test_statistics_are_those_of_the_training_trials(tmp_path):
    arrays = session_of(np.arange(90))
    import_recording(tmp_path / "mine", {"a": arrays})
    mouse = open_mouse(tmp_path / "mine/a")
    train = np.flatnonzero(mouse.tiers == "train")
    images = np.stack([mouse.trial("images", i) for i in train]).astype(float)
    for name in ("min", "max", "median", "mean", "std"):
        function = getattr(np, name)
        for frames in ("all", "stimulus_frame"):
            stored = mouse.array(f"meta/statistics/images/{frames}/{name}")
            np.testing.assert_allclose(
                stored, function(images), rtol=1e-12, atol=0.5 * (name == "median")
            )
        stored = mouse.statistic("responses", name)
        np.testing.assert_array_equal(stored, function(arrays.responses.T[train], axis=0))


def test_repeats_stay_single_trials_for_test_images_only_unless_asked(tmp_path):
    repeats = DRAW.poisson(3, (6, 120, 5)).astype(float)
    repeats[:, ::2, 3:] = np.nan
    sessions = {"a": SessionArrays(POOL, repeats)}
    row = import_recording(tmp_path / "mine", sessions).iloc[0]
    assert (row.repeats_min, row.repeats_max) == (3, 5)
    assert row.train_trials == row.train_images and row.test_trials >= 3 * row.test_images
    row = import_recording(tmp_path / "mine", sessions, ImportConfig(average_training=False)).iloc[
        0
    ]
    assert row.trials == np.isfinite(repeats[0]).sum()


def test_no_image_is_on_two_sides_and_a_new_session_moves_none(tmp_path):
    two = {"a": session_of(np.arange(80)), "b": session_of(np.r_[40:110, 40:50])}
    import_recording(tmp_path / "two", two)
    before = tiers_by_image(tmp_path / "two")
    import_recording(tmp_path / "three", {"c": session_of(np.arange(30, 120)), **two})
    after = tiers_by_image(tmp_path / "three")
    assert len(before) == 110 and len(after) == 120
    assert all(len(sides) == 1 for sides in after.values())
    assert before.items() <= after.items()


def test_tiers_follow_content_and_fractions():
    drawn = np.random.default_rng(0).integers(0, 256, (4000, 6, 6, 3), np.uint8)
    contents = [content(image) for image in drawn]
    tiers = np.array([ImportConfig().tier(c) for c in contents])
    found = [(tiers == t).mean() for t in ("train", "validation", "test")]
    np.testing.assert_allclose(found, [0.75, 0.10, 0.15], atol=0.03)  # 4 standard errors
    wider = np.array([ImportConfig(train=0.8, validation=0.05).tier(c) for c in contents])
    np.testing.assert_array_equal(wider == "test", tiers == "test")
    with pytest.raises(DataError, match=r"train 0.9 and validation 0.1 must"):
        ImportConfig(train=0.9)


def test_color_or_gray_changes_no_tier_and_sizes_must_agree(tmp_path):
    sessions = {"a": session_of(np.arange(90))}
    import_recording(tmp_path / "gray", sessions)
    import_recording(tmp_path / "color", sessions, ImportConfig(color=True, height=8))
    assert tiers_by_image(tmp_path / "gray") == tiers_by_image(tmp_path / "color")
    assert open_mouse(tmp_path / "gray/a").trial("images", 0).shape == (1, 16, 16)
    assert open_mouse(tmp_path / "color/a").trial("images", 0).shape == (3, 8, 8)
    sessions["b"] = SessionArrays(POOL[:90, :8, :8], DRAW.gamma(2, 1, (6, 90)))
    with pytest.raises(
        DataError, match=r"session 'b'.* \(1, 8, 8\).*'a' has \(1, 16, 16\).*give a height"
    ):
        import_recording(tmp_path / "both", sessions)
    import_recording(tmp_path / "both", sessions, ImportConfig(height=8))


def test_same_input_changes_nothing_and_other_input_replaces(tmp_path):
    folder, sessions = tmp_path / "mine", {"a": session_of(np.arange(90))}
    table = import_recording(folder, sessions)
    before = files(folder)
    assert import_recording(folder, sessions).equals(table)
    assert files(folder) == before
    import_recording(folder, {"b": session_of(np.arange(90))})
    assert sorted(p.name for p in folder.iterdir()) == ["b", "recording.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine"]


@pytest.mark.parametrize("earlier", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path, earlier, monkeypatch):
    folder, good = tmp_path / "mine", session_of(np.arange(90))
    if earlier:
        import_recording(folder, {"a": good})
    before = files(tmp_path)
    with pytest.raises(DataError, match=r"session 'b': responses is \(6, 5\)"):
        import_recording(folder, {"a": good, "b": SessionArrays(POOL[:90], np.ones((6, 5)))})
    with pytest.raises(DataError, match=r"session 'b' has no \w+ image among its 3"):
        import_recording(folder, {"a": good, "b": session_of(np.arange(3))})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("src.data.recording._write_statistics", full)
    with pytest.raises(DataError, match=r"mine cannot be written \(.*No space left"):
        import_recording(folder, {"a": good, "b": session_of(np.arange(90))})
    assert files(tmp_path) == before


def test_an_import_killed_while_it_took_its_place_is_put_right(tmp_path):
    folder, sessions = tmp_path / "mine", {"a": session_of(np.arange(90))}
    import_recording(folder, sessions)
    before = files(folder)
    folder.rename(tmp_path / ".mine.old")  # as a kill between two renames leaves it
    (tmp_path / ".mine.partial").mkdir()
    with pytest.raises(DataError, match=r"no test image|no validation image|no train image"):
        import_recording(folder, {"a": session_of(np.arange(2))})
    assert files(folder) == before
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_is_no_import_is_not_touched(tmp_path):
    (tmp_path / "thesis").mkdir()
    with pytest.raises(DataError, match="thesis exists and is no imported recording"):
        import_recording(tmp_path / "thesis", {"a": session_of(np.arange(90))})
    with pytest.raises(DataError, match="no session to import"):
        import_recording(tmp_path / "mine", {})


def test_record_says_what_the_import_was_made_from(tmp_path):
    import_recording(tmp_path / "mine", {"a": session_of(np.arange(90))}, ImportConfig(height=8))
    record = json.loads((tmp_path / "mine/recording.json").read_text())
    assert record["config"]["height"] == 8 and record["sessions"][0]["session"] == "a"
    assert len(record["made_from"]) == 64


def test_real_macaque_sessions_have_each_image_on_one_side(shared):
    source = shared / "data/macaque_v4"
    if not source.is_dir():
        pytest.skip("the macaque V4 recordings are not here: no shared/data/macaque_v4")
    names = ["190925", "210322", "210325"]
    found = discover_sessions(source, names)
    sessions = [RecordedSession(name, found[name]) for name in names]
    contents = [[content(image) for image in s.pictures] for s in sessions]
    assert [len(set(c)) for c in contents] == [900, 1200, 640]
    assert contents[0][:300] == contents[0][900:]  # shown again 900 later
    assert len(set(contents[1]) & set(contents[2])) == 600
    assert identify(sessions, contents) == contents  # no picture occurs in two encodings
    repeated = sessions[2]
    raw = np.load(source / "responses_raw_210325.npy")
    np.testing.assert_array_equal(repeated.complete, np.isfinite(raw).all(0))
    assert repeated.incomplete == 0 and np.isfinite(raw).sum() == 50 * repeated.complete.sum()
    means = np.load(source / "responses_210325.npy")
    trials = repeated.trials(np.ones(640, bool))
    np.testing.assert_allclose(trials.values["responses"], means.T, rtol=1e-12)


def test_one_real_session_imports_and_validates(shared, tmp_path):
    source = shared / "data/macaque_v4"
    if not source.is_dir():
        pytest.skip("the macaque V4 recordings are not here: no shared/data/macaque_v4")
    table = import_recording(tmp_path / "v4", discover_sessions(source, ["210325"]))
    assert check_mouse(open_mouse(tmp_path / "v4/210325")).empty
    row = table.iloc[0]
    assert (row.units, row.images, row.repeats_min, row.repeats_max) == (50, 640, 6, 10)
    assert row.image_shape == [1, 112, 112]
