"""Plain film arrays become a session: cut in time without leaks, axes found, errors named."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.io

from src.config import InputConfig
from src.data.errors import DataError
from src.data.movie_checks import check_movies
from src.data.movie_mouse import open_movie_mouse
from src.data.movie_pack import pack_movies
from src.data.movie_recording import (
    MovieArrays,
    MovieImport,
    RecordedMovie,
    cut,
    discover_movies,
    import_movies,
    load_mat,
)
from src.data.movies import MovieSession

SMALL = MovieImport(trial=100, guard=30)


@pytest.fixture
def arrays():
    """A film of whole numbers and three units that follow its mean."""
    draw = np.random.default_rng(0)
    movie = draw.integers(0, 256, (1600, 6, 8)).astype(np.uint8)
    return MovieArrays(movie, draw.poisson(2.0, (1600, 3)), rate=60.0)


@pytest.mark.parametrize("frames", [1600, 5003, 32767])
def test_no_frame_is_on_two_sides_nor_within_the_guard(frames):
    alternate = replace(
        SMALL, blocks=(("train", 0.4), ("oracle", 0.1), ("live_test_main", 0.15), ("train", 0.35))
    )
    for config in (SMALL, alternate):
        trials = cut(frames, config)
        side = np.full(frames, "", "<U20")
        for trial in trials:
            used = side[trial.start : trial.stop]
            assert set(used.tolist()) <= {"", trial.tier}
            side[trial.start : trial.stop] = trial.tier
            assert 80 <= trial.stop - trial.start <= 100
        changes = np.flatnonzero(side[1:] != side[:-1])
        taken = [i for i in changes if side[i] and side[i + 1] and side[i] != side[i + 1]]
        assert not taken
        gaps = [b.start - a.stop for a, b in pairwise(trials) if a.tier != b.tier]
        assert min(gaps) >= 30


def test_every_frame_of_a_test_block_but_its_first_is_scored_once():
    trials = [t for t in cut(3000, SMALL) if t.tier == "live_test_main"]
    scored = np.concatenate([np.arange(t.start + 50, t.stop) for t in trials])
    assert len(np.unique(scored)) == len(scored)
    np.testing.assert_array_equal(scored, np.arange(trials[0].start + 50, trials[-1].stop))


def test_a_session_is_what_was_given(arrays, tmp_path):
    table = import_movies(tmp_path / "mine", {"a": arrays}, SMALL)
    assert table["units"].tolist() == [3] and table["rate"].tolist() == [60.0]
    mouse = open_movie_mouse(tmp_path / "mine/a")
    assert not len(check_movies(mouse))
    pack_movies(mouse, tmp_path / "processed/a")
    inputs = InputConfig(scale="full", raw=True, response_scale="none", behavior=True)
    found = MovieSession(tmp_path / "processed/a", inputs)
    assert (found.role, found.behavior_missing, found.pupil_missing) == ("recording", True, True)
    for i, trial in enumerate(cut(1600, SMALL)):
        here = slice(trial.start, trial.stop)
        assert found.tiers[i] == trial.tier
        np.testing.assert_array_equal(found.video(i), arrays.movie[here])
        np.testing.assert_array_equal(found.responses_of(i), arrays.responses[here])
    assert not found.clips([0], [3]).behavior.any()
    seen = MovieSession(
        tmp_path / "processed/a", replace(inputs, raw=False, response_scale="per_unit")
    )
    batch = seen.clips(seen.trials("train"), np.zeros(len(seen.trials("train")), int))
    assert abs(float(batch.images.mean())) < 0.05 and float(batch.images.std()) == pytest.approx(
        1, abs=0.05
    )


def test_importing_again_changes_nothing_and_other_input_replaces(arrays, tmp_path):
    folder = tmp_path / "mine"
    import_movies(folder, {"a": arrays}, SMALL)
    stamps = {f: f.stat().st_mtime_ns for f in folder.rglob("*.npy")}
    import_movies(folder, {"a": arrays}, SMALL)
    assert {f: f.stat().st_mtime_ns for f in folder.rglob("*.npy")} == stamps
    import_movies(folder, {"b": arrays}, SMALL)
    assert (folder / "b").is_dir() and not (folder / "a").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="is no imported recording"):
        import_movies(tmp_path / "other", {"a": arrays}, SMALL)


def test_time_is_found_on_any_axis(arrays, tmp_path):
    forms = {
        "time last": (np.moveaxis(arrays.movie, 0, -1), arrays.responses),
        "units first": (arrays.movie, arrays.responses.T),
        "one unit": (arrays.movie, arrays.responses[:, 0]),
    }
    for name, (movie, responses) in forms.items():
        found = RecordedMovie(name, MovieArrays(movie, responses))
        np.testing.assert_array_equal(found.movie, arrays.movie)
        np.testing.assert_array_equal(found.responses[:, 0], arrays.responses[:, 0])
    path = tmp_path / "x.mat"
    scipy.io.savemat(
        path, {"stim": np.moveaxis(arrays.movie, 0, -1), "counts": arrays.responses[:, :1]}
    )
    found = RecordedMovie("mat", load_mat(path, "stim", "counts"))
    np.testing.assert_array_equal(found.movie, arrays.movie)
    assert found.responses.shape == (1600, 1)
    with pytest.raises(DataError, match="no variable 'movie' among stim, counts"):
        load_mat(path, "movie", "counts")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"responses": np.zeros((1599, 3))}, r"movie \(1600, 6, 8\) and responses .* share no"),
        ({"responses": np.full((1600, 3), np.nan)}, "must be finite"),
        ({"behavior": np.zeros((1600, 3))}, r"behavior is \(1600, 3\), not \(1600, 2\)"),
    ],
)
def test_what_does_not_fit_is_one_line_and_writes_nothing(arrays, tmp_path, change, message):
    with pytest.raises(DataError, match=f"session 'a': .*{message}|{message}") as raised:
        import_movies(tmp_path / "mine", {"a": replace(arrays, **change)}, SMALL)
    assert "\n" not in str(raised.value) and not list(tmp_path.iterdir())


def test_blocks_that_make_no_sense_are_refused(arrays, tmp_path):
    with pytest.raises(DataError, match="add up to 1"):
        MovieImport(blocks=(("train", 0.5), ("oracle", 0.4)))
    with pytest.raises(DataError, match="use train, oracle"):
        MovieImport(blocks=(("trian", 0.5), ("oracle", 0.5)))
    with pytest.raises(DataError, match="too short"):
        MovieImport(trial=60)
    with pytest.raises(DataError, match="a block of 70 frames for oracle"):
        import_movies(
            tmp_path / "mine",
            {"a": replace(arrays, movie=arrays.movie[:1000], responses=arrays.responses[:1000])},
            SMALL,
        )
    assert not list(tmp_path.iterdir())


def test_sessions_are_found_by_name(arrays, tmp_path):
    np.save(tmp_path / "movie_one.npy", arrays.movie)
    with pytest.raises(DataError, match=r"'one' has no responses .*add responses_one.npy"):
        discover_movies(tmp_path)
    np.save(tmp_path / "responses_one.npy", arrays.responses)
    np.save(tmp_path / "pupil_one.npy", np.ones((1600, 2)) * np.arange(1600)[:, None])
    found = discover_movies(tmp_path, rate=25)
    assert list(found) == ["one"] and found["one"].rate == 25
    assert RecordedMovie("one", found["one"]).sides["pupil_center"].shape == (1600, 2)
    with pytest.raises(DataError, match="holds no movie_"):
        discover_movies(tmp_path / "nowhere")
