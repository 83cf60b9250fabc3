"""Films from disk to crops: layout, checks, packing, and what a model sees of it."""

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.config import InputConfig
from src.data import movie_pack
from src.data.errors import DataError
from src.data.frame_statistics import FrameMoments, FrameStatistics, precision
from src.data.movie_checks import check_movies, require_valid_movies
from src.data.movie_mouse import open_movie_mice, open_movie_mouse
from src.data.movie_pack import pack_movies, whole_numbers
from src.data.movie_tables import MICE, differences, session_table
from src.data.movies import MovieSession, open_movie_sessions
from src.data.npy_rows import npy_header, read_rows
from src.data.stimulus_types import stimulus_types
from src.paths import ROOT
from src.simulate.movie_failures import ERRORS, MOVIE_FAILURES, WARNINGS, plant_in_movies
from src.simulate.movie_truth import load_movie_truth

PUBLIC, SCORED = "90001-1-1", "90011-2-1"
SEEING = InputConfig(scale="full", behavior=True, pupil=True)


def session(films, key=PUBLIC, **changes) -> MovieSession:
    return MovieSession(films.processed / key, replace(SEEING, **changes))


@pytest.fixture
def damaged(films, tmp_path):
    """Function: a copy of the public mouse's folder without most of its trials' bytes doubled."""

    def copy(name="copy"):
        target = tmp_path / name / films.mice[PUBLIC].name
        shutil.copytree(films.mice[PUBLIC], target, copy_function=os.link)
        return target

    return copy


def unlinked(file: Path) -> None:
    """Give a hard-linked file a copy of its own, so that a change stays in this folder."""
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data)


def test_mice_are_discovered_by_name_as_folder_zip_and_link(films, tmp_path):
    mice = open_movie_mice(f"{films.raw}/")
    assert [(m.key, m.role) for m in mice] == [(PUBLIC, "public"), (SCORED, "scored")]
    assert mice[1].name == films.mice[SCORED].stem
    link = tmp_path / "a folder with spaces" / "mouse"
    link.parent.mkdir()
    link.symlink_to(films.mice[PUBLIC], target_is_directory=True)
    linked = open_movie_mouse(f"{link}/")
    assert (linked.key, linked.role, linked.stamp) == (PUBLIC, "public", mice[0].stamp)
    with pytest.raises(DataError, match="does not exist"):
        open_movie_mouse(tmp_path / "nothing")


def test_a_read_only_mouse_is_read_and_never_written_to(damaged):
    folder = damaged()
    before = sorted(p.relative_to(folder) for p in folder.rglob("*"))
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o555)
    try:
        mouse = open_movie_mouse(folder)
        check_movies(mouse)
        pack_movies(mouse, folder.parents[1] / "cache" / mouse.key)
        assert sorted(p.relative_to(folder) for p in folder.rglob("*")) == before
    finally:
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)


def test_session_table_and_differences_from_the_published(films):
    mice = open_movie_mice(films.raw)
    table = session_table(mice).set_index("session")
    assert table.loc[PUBLIC, ["units", "pad", "train", "oracle", "none"]].tolist() == [
        *(50, 330, 5, 2, 1)
    ]
    assert [differences(mouse) for mouse in mice] == [[], []]
    mice[0].name = "dynamic29515-10-12-Video-9b4f6a1a067fe51e15306b9628efea20"
    found = differences(mice[0])
    assert "mouse F (29515-10-12) has 50 units, not the published 7863" in found
    assert "mouse F (29515-10-12) has 5 train trials, not the published 348" in found
    assert "mouse F (29515-10-12) has 330 pad length, not the published 324" in found


def test_published_table_adds_up():
    """Sums of specification sensorium2023, 3.3."""
    of = {"train": 3508, "oracle": 589, "live_test_main": 578, "final_test_main": 586}
    of |= {"live_test_bonus": 628, "final_test_bonus": 1256}
    assert {t: sum(m.trials[t] for m in MICE.values()) for t in of} == of
    assert sum(m.units for m in MICE.values()) == 78853


def test_coordinates_of_the_real_mice_have_their_published_number(shared):
    folder = shared / "data/sensorium2023_metadata/neuron_coordinates"
    if not folder.is_dir():
        pytest.skip("no neuron coordinates")
    for mouse in MICE.values():
        coordinates = np.load(folder / f"mouse{mouse.letter}.npy")
        assert coordinates.shape == (mouse.units, 3)
        assert np.unique(coordinates[:, 2]).tolist() == list(range(200, 426, 25))


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_one_line_and_stops_packing(damaged, name):
    folder = damaged()
    for file in [folder / MOVIE_FAILURES[name].file, *(folder / "data/responses").glob("*.npy")]:
        if file.exists():
            unlinked(file)
    plant_in_movies(name, folder)
    mouse, place = open_movie_mouse(folder), MOVIE_FAILURES[name]
    report = check_movies(mouse)
    first = report[report.severity == "error"].iloc[0]
    assert first.field == place.field
    assert Path(place.file).name in first.file
    with pytest.raises(DataError, match=PUBLIC) as raised:
        pack_movies(mouse, folder.parents[1] / "cache" / PUBLIC)
    assert "\n" not in str(raised.value)
    assert not (folder.parents[1] / "cache" / PUBLIC).exists()
    with pytest.raises(DataError, match=PUBLIC):
        require_valid_movies(mouse, report)


@pytest.mark.parametrize("name", WARNINGS)
def test_what_may_be_as_it_is_is_a_warning(damaged, name):
    folder = damaged()
    unlinked(folder / MOVIE_FAILURES[name].file)
    plant_in_movies(name, folder)
    report = check_movies(open_movie_mouse(folder))
    warned = report[report.severity == "warning"]
    assert warned.field.tolist() == [MOVIE_FAILURES[name].field]
    pack_movies(open_movie_mouse(folder), folder.parents[1] / "cache" / PUBLIC)
    place = folder.parents[1] / "cache" / PUBLIC
    if name == "behavior_std_zero":
        with pytest.raises(DataError, match=r"std of behavior .* frame 120.*statistics='train'"):
            MovieSession(place, SEEING)
        MovieSession(place, replace(SEEING, statistics="train"))
        MovieSession(place, replace(SEEING, behavior=False))
    if name == "all_nan_video":
        found = MovieSession(place, SEEING)
        assert found.lengths[3] == 0 and 3 not in found.trials(found.tiers[3])
        with pytest.raises(DataError, match="which has 0 valid ones"):
            found.clips([3], [0])


def test_valid_lengths_are_those_of_each_kind(films):
    mouse, truth = (
        open_movie_mouse(films.mice[PUBLIC]),
        load_movie_truth(films.truth / f"{PUBLIC}.npz"),
    )
    for i in range(mouse.n_trials):
        movie, frames = mouse.movie(i), len(truth.of(i))
        wanted = {"videos": frames, "responses": frames, "behavior": frames - 1}
        assert movie.lengths == wanted | {"pupil_center": frames}
        assert (movie.frames, movie.padding, movie.pad) == (frames - 1, "nan", 330)


@pytest.mark.parametrize("black", [False, True])
def test_padding_with_zeros_is_told_from_a_black_end(films, damaged, black):
    folder = damaged()
    for kind in ("videos", "responses", "behavior", "pupil_center"):
        file = folder / f"data/{kind}/0.npy"
        unlinked(file)
        values = np.load(file)
        end = int(np.isfinite(values).reshape(-1, values.shape[-1]).all(0).sum())
        values[..., end:] = 0
        if kind == "videos" and black:
            values[..., end - 40 : end] = 0
        np.save(file, values)
    movie = open_movie_mouse(folder).movie(0)
    frames = len(load_movie_truth(films.truth / f"{PUBLIC}.npz").of(0))
    assert movie.padding == "zero"
    assert (movie.lengths["videos"], movie.lengths["behavior"]) == (frames, frames - 1)


def test_packed_is_what_was_recorded(films):
    for key in (PUBLIC, SCORED):
        mouse, truth = (
            open_movie_mouse(films.mice[key]),
            load_movie_truth(films.truth / f"{key}.npz"),
        )
        packed = session(films, key, response_scale="none", raw=True, behavior=False, pupil=False)
        for i in range(mouse.n_trials):
            movie = mouse.movie(i)
            np.testing.assert_array_equal(packed.video(i), movie.kinds["videos"])
            responses = packed.responses_of(i)
            withheld = key == SCORED and "test" in mouse.tiers[i]
            assert (len(responses) == 0) == withheld
            if not withheld:
                np.testing.assert_allclose(responses, truth.drawn(i), rtol=2**-10, atol=2**-14)
    said = packed.manifest
    assert said["videos_float16"] == 0 and 0 < said["rounding_error"] < 0.5
    assert said["withheld_tiers"] == sorted(
        f"{x}_test_{y}" for x in ("live", "final") for y in ("main", "bonus")
    )


def test_partners_share_stored_videos(films):
    names = {k: set(session(films, k).video_sha256) for k in (PUBLIC, SCORED)}
    stored = {f.stem for f in (films.processed / "videos").iterdir()}
    assert stored == names[PUBLIC] | names[SCORED]
    assert len(names[PUBLIC] & names[SCORED]) == 3 + 3 + 3  # training, main and OOD films of a pair


def test_packing_again_does_nothing_and_lost_videos_are_found(films, tmp_path, monkeypatch):
    mouse, cache = open_movie_mouse(films.mice[SCORED]), tmp_path / "processed" / SCORED
    pack_movies(mouse, cache)
    stamps = {f: f.stat().st_mtime_ns for f in (tmp_path / "processed").rglob("[!.]*")}
    pack_movies(mouse, cache)
    assert {f: f.stat().st_mtime_ns for f in (tmp_path / "processed").rglob("[!.]*")} == stamps
    lost = next((tmp_path / "processed/videos").iterdir())
    lost.unlink()
    with pytest.raises(DataError, match=r"lacks 1 films .*re-run 01_preprocess"):
        MovieSession(cache, SEEING)
    pack_movies(mouse, cache)
    assert lost.is_file()
    wider = open_movie_mouse(films.mice[SCORED], "float32")
    pack_movies(wider, cache)
    assert MovieSession(cache, SEEING).manifest["rounding_error"] == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from src.data import movie_pack
from src.data.movie_mouse import open_movie_mouse

movie_pack.BLOCK, put, count = 4, movie_pack.Rows._put, iter(range(10**6))
def killed(rows, position, data, end=None):
    if next(count) == int(sys.argv[3]):
        put(rows, position, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    put(rows, position, data, end)
movie_pack.Rows._put = killed
movie_pack.pack_movies(open_movie_mouse(sys.argv[1]), Path(sys.argv[2]))
"""


def test_killed_packing_continues_to_the_same_bytes(films, tmp_path, monkeypatch):
    cache = tmp_path / "processed" / PUBLIC
    command = [sys.executable, "-c", KILLED, str(films.mice[PUBLIC]), str(cache), "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    assert not cache.exists()
    mouse, read = open_movie_mouse(films.mice[PUBLIC]), []
    movie = mouse.movie
    monkeypatch.setattr(mouse, "movie", lambda i: read.append(i) or movie(i))
    monkeypatch.setattr(movie_pack, "BLOCK", 4)
    pack_movies(mouse, cache)
    assert read and min(read) >= 4  # finished blocks are not read again
    for file in cache.glob("*.np[yz]"):
        assert file.read_bytes() == (films.processed / PUBLIC / file.name).read_bytes(), file


@pytest.mark.parametrize(
    ("pixels", "dtype"), [(0, "uint8"), (0.5, "float16"), (-200, "float16"), (250, "float16")]
)
def test_pixels_that_are_no_bytes_stay_what_they_are(pixels, dtype):
    video = np.arange(64.0).reshape(1, 8, 8) + pixels
    stored = whole_numbers(video)
    assert stored.dtype == dtype
    np.testing.assert_array_equal(stored, video)


def test_a_video_of_other_pixels_is_said_to_be_one(films, damaged):
    folder = damaged()
    unlinked(folder / "data/videos/0.npy")
    np.save(folder / "data/videos/0.npy", np.load(folder / "data/videos/0.npy") / 2)
    cache = folder.parents[1] / "cache" / PUBLIC
    pack_movies(open_movie_mouse(folder), cache)
    found = MovieSession(cache, replace(SEEING, raw=True))
    assert found.manifest["videos_float16"] == 1
    half = found.clips([0], [10]).images[0, 0].numpy()
    np.testing.assert_array_equal(half, session(films).video(0, 10, 30) / np.float32(2))


def normalized(films, key, i):
    """Whole trial, normalized in float64 straight from the files and their statistics."""
    mouse = open_movie_mouse(films.mice[key])
    raw = {kind: mouse.trial(kind, i).astype(np.float64) for kind in mouse.kinds}
    stat = {k: {s: np.moveaxis(mouse.statistic(k, s), -1, 0) for s in ("mean", "std")} for k in raw}
    threshold = 0.01 * np.nanmean(stat["responses"]["std"])
    std = np.where(stat["responses"]["std"] > threshold, stat["responses"]["std"], threshold)
    return (
        (raw["videos"] - stat["videos"]["mean"]) / stat["videos"]["std"],
        raw["responses"] / std,
        raw["behavior"] / stat["behavior"]["std"],
        (raw["pupil_center"] - stat["pupil_center"]["mean"]) / stat["pupil_center"]["std"],
    )


@pytest.mark.parametrize("key", [PUBLIC, SCORED])
def test_crops_equal_the_crops_of_whole_normalized_trials(films, key):
    found = session(films, key)
    index, starts = found.trials("train")[:3], np.array([0, 133, 269])
    batch = found.clips(index, starts)
    assert batch.images.shape == (3, *found.image_shape) == (3, 1, 30, 36, 64)
    for n, (i, start) in enumerate(zip(index, starts, strict=True)):
        whole = [x[start : start + 30] for x in normalized(films, key, i)]
        ours = (batch.images[n, 0], batch.responses[n], batch.behavior[n], batch.pupil[n])
        for mine, theirs, rtol in zip(ours, whole, (1e-4, 2**-10, 1e-5, 1e-5), strict=True):
            np.testing.assert_allclose(mine.numpy(), theirs, rtol=rtol, atol=1e-4)


def test_responses_of_the_last_frames_alone_are_those_of_all(films):
    found = session(films)
    asked = found.trials("train")[:3], np.array([0, 133, 269])
    whole, last = found.clips(*asked), found.clips(*asked, answered=15)
    assert torch.equal(last.responses, whole.responses[:, 15:])
    assert torch.equal(last.images, whole.images) and torch.equal(last.pupil, whole.pupil)
    assert found.clips(*asked, answered=0).responses is None


def test_a_crop_outside_its_trial_is_an_error(films):
    found = session(films)
    trial = found.trials("train")[0]
    for start in (-1, 270):
        with pytest.raises(DataError, match=rf"trial {trial} are asked for, which has 299 valid"):
            found.clips([trial], [start])
    assert found.clips([trial], [269]).images.shape[2] == 30  # the last frame is reached


def test_withheld_trials_have_no_responses_and_the_others_do(films):
    found = session(films, SCORED)
    train, test = found.trials("train")[:1], found.trials("final_test_main")[:1]
    assert found.withheld("final_test_main") and not found.withheld("oracle")
    assert found.clips(test, [0]).responses is None
    assert found.clips(np.r_[train, test], [0, 0]).responses is None
    assert found.clips(train, [0]).responses.any()


def test_scalings_differ_as_they_should(films):
    found = {s: session(films, response_scale=s) for s in ("per_frame", "per_unit", "none")}
    trains = found["none"].trials("train")
    values = {s: [one.responses_of(i) for i in trains] for s, one in found.items()}
    raw = np.stack(values["none"])  # (n, t, u)
    by_unit = 1 / raw.std((0, 1))
    np.testing.assert_allclose(np.stack(values["per_unit"]), raw * by_unit, rtol=1e-3)
    std = np.moveaxis(open_movie_mouse(films.mice[PUBLIC]).statistic("responses", "std"), -1, 0)
    wanted = raw / np.maximum(std, 0.01 * np.nanmean(std))[:300]
    np.testing.assert_allclose(np.stack(values["per_frame"]), wanted, rtol=1e-3)
    for name, one in found.items():
        mean = np.concatenate(values[name]).mean(0)
        np.testing.assert_allclose(one.mean_response, mean, rtol=2e-3)
    with pytest.raises(ValueError, match="per_frame, per_unit, none"):
        session(films, response_scale="all")


def test_statistics_of_training_trials_equal_those_provided(films):
    """The simulator's provided statistics are those of its training trials."""
    given, computed = session(films), session(films, statistics="train")
    trial = given.trials("oracle")[:2]
    a, b = (x.clips(trial, [0, 150]) for x in (given, computed))
    for name in ("images", "responses", "behavior", "pupil"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=3e-3, atol=3e-3)


def test_frames_after_the_statistics_have_pooled_ones(films):
    found = session(films, frame_policy="full", response_scale="none")
    trial = next(i for i in found.trials("final_test_bonus") if found.stimuli[i] == "pink")
    late = found.clips([trial], [293]).images[0, 0].numpy()  # frames 293 to 322
    mean, std = (np.moveaxis(x, -1, 0)[:300] for x in _video_statistics(films))
    pooled = mean.mean(0), np.sqrt((std**2 + (mean - mean.mean(0)) ** 2).mean(0))
    video = found.video(trial).astype(np.float64)
    np.testing.assert_allclose(
        late[7:], (video[300:323] - pooled[0]) / pooled[1], rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(late[:7], ((video[:300] - mean) / std)[293:], rtol=1e-3, atol=1e-3)


def _video_statistics(films):
    mouse = open_movie_mouse(films.mice[PUBLIC])
    return [mouse.statistic("videos", name) for name in ("mean", "std")]


def test_scored_frames_are_249_and_189_or_all(films):
    for key, lost in ((PUBLIC, 1), (SCORED, 0)):
        found = session(films, key)
        for i in range(found.n_trials):
            length = found.video_lengths[i]
            official, full = (found.scored_frames(i, p) for p in ("official", "full"))
            assert (official.start, full.start) == (50, 50)
            assert official.stop - 50 == {240: 189}.get(length, 249)
            assert full.stop == length - lost
    with pytest.raises(ValueError, match="official, full"):
        found.scored_frames(0, "all")


def test_stimulus_types_are_those_shown(films):
    for key in (PUBLIC, SCORED):
        truth, found = load_movie_truth(films.truth / f"{key}.npz"), session(films, key)
        np.testing.assert_array_equal(found.stimuli, truth.kinds)
    tiers = np.array(["live_test_bonus", "final_test_bonus", "oracle", "live_test_bonus"])
    lengths, held = np.array([324, 240, 300, 324]), np.array([0, 0, 0, 0.7])
    assert stimulus_types("x", tiers, lengths, held).tolist() == [
        "pink",
        "rdk",
        "natural",
        "images",
    ]
    b = stimulus_types("29228-2-10", tiers, lengths, held).tolist()  # live OOD: Gabors alone
    assert b == ["unknown", "unknown", "natural", "unknown"]


def test_settings_that_movies_do_not_have_are_refused(films):
    for change in ({"scale": "quarter"}, {"boxes": "file"}, {"centered": True}):
        with pytest.raises(DataError, match="without boxes or maps"):
            session(films, **change)
    assert session(films, behavior=False).clips([0], [0]).behavior is None


def test_sessions_open_by_key_and_survive_pickling(films):
    import pickle

    opened = open_movie_sessions(films.processed, SEEING)
    assert list(opened) == [PUBLIC, SCORED]
    one = opened[PUBLIC]
    one.clips([0], [0])
    again = pickle.loads(pickle.dumps(one))
    assert len(pickle.dumps(one)) < 20e6
    assert torch.equal(again.clips([0], [5]).images, one.clips([0], [5]).images)
    assert one.fingerprint != opened[SCORED].fingerprint
    with pytest.raises(DataError, match="no packed session"):
        open_movie_sessions(films.raw, SEEING)


def test_a_zip_and_a_folder_pack_to_the_same_bytes(films, tmp_path):
    with zipfile.ZipFile(films.mice[SCORED]) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / films.mice[SCORED].stem
    pack_movies(open_movie_mouse(folder), tmp_path / "processed" / SCORED)
    for file in (tmp_path / "processed" / SCORED).glob("*.np[yz]"):
        assert file.read_bytes() == (films.processed / SCORED / file.name).read_bytes()


def test_moments_over_trials_of_unequal_length_equal_numpy():
    draw = np.random.default_rng(0)
    trials = [draw.normal(3, 2, (n, 4)) for n in (5, 7, 7, 6)]
    moments = FrameMoments(8, (4,))
    for trial in trials:
        moments.add(trial)
    padded = np.full((4, 8, 4), np.nan)
    for row, trial in zip(padded, trials, strict=True):
        row[: len(trial)] = trial
    found = moments.result()
    np.testing.assert_allclose(found["mean"][:7], np.nanmean(padded[:, :7], 0))
    np.testing.assert_allclose(found["std"][:7], np.nanstd(padded[:, :7], 0), atol=1e-12)
    assert np.isnan(found["std"][7]).all() and found["count"].tolist() == [4] * 5 + [3, 2, 0]
    known = FrameStatistics.of(found["mean"], found["std"], 8)
    assert known.frames == 7 and known.extended(9).std.shape == (9, 4)


def test_no_unit_is_divided_by_less_than_a_hundredth_of_the_mean_std():
    """Floor of specification sensorium2023, 4.1: one scalar for all units and frames."""
    std = np.array([[1.0, 0.0], [2.0, 1e-9], [3.0, np.nan]])
    floor = 0.01 * np.nanmean(std)
    np.testing.assert_allclose(precision(std)[:, 0], 1 / std[:, 0])
    np.testing.assert_allclose(precision(std)[:2, 1], 1 / floor)
    with pytest.raises(DataError, match="finite and above"):
        precision(np.zeros((2, 2)))


def test_a_mouse_at_rest_sees_the_same_and_does_nothing(films):
    moving = session(films)
    still = moving.at_rest()
    a, b = moving.clips([0, 1], [10, 20]), still.clips([0, 1], [10, 20])
    assert torch.equal(a.images, b.images) and torch.equal(a.responses, b.responses)
    raw = MovieSession(films.processed / PUBLIC, replace(SEEING, statistics="train")).at_rest()
    mean = raw.statistics["behavior"].pooled()[0]
    np.testing.assert_allclose(raw._files["behavior"][7], mean, rtol=1e-6)
    assert float(b.behavior.std(dim=1).max()) < float(a.behavior.std(dim=1).max())
    assert not moving._still


def test_rows_of_a_file_are_read_alone_and_a_short_file_is_an_error(tmp_path):
    path, values = str(tmp_path / "rows.npy"), np.arange(60, dtype=np.float16).reshape(5, 3, 4)
    np.save(path, values)
    header = npy_header(path)
    np.testing.assert_array_equal(read_rows(path, header, 1, (3, 3, 4)), values[1:4])
    assert read_rows(path, header, 5, (0, 3, 4)).shape == (0, 3, 4)
    with pytest.raises(DataError, match="ends before row 6"):
        read_rows(path, header, 4, (2, 3, 4))
