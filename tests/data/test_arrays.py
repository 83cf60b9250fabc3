"""Plain arrays of one session: found by name, checked, expanded to trials."""

import numpy as np
import pytest

from src.data.arrays import RecordedSession, SessionArrays, discover_sessions
from src.data.errors import DataError

N, U, R = 12, 5, 4
DRAW = np.random.default_rng(7)
IMAGES = DRAW.integers(0, 256, (N, 8, 8), np.uint8)
MEANS = DRAW.gamma(2, 1, (U, N))


def ragged_repeats():
    """Single repeats, 1 to 4 an image, the same for all units: (u, n, r) padded with NaN."""
    repeats = DRAW.poisson(3, (U, N, R)).astype(float)
    for image in range(N):
        repeats[:, image, 1 + image % R :] = np.nan
    return repeats


def test_means_become_one_trial_an_image_unchanged():
    trials = RecordedSession("a", SessionArrays(IMAGES, MEANS)).trials(np.arange(N) < 6)
    np.testing.assert_array_equal(trials.images, np.arange(N))
    np.testing.assert_array_equal(trials.values["responses"], MEANS.T)


def test_repeats_become_trials_and_are_averaged_where_asked():
    repeats, averaged = ragged_repeats(), np.arange(N) % 2 == 0
    pupil = DRAW.normal(size=(N, R, 2))
    session = RecordedSession("a", SessionArrays(IMAGES, repeats, pupil=pupil))
    trials = session.trials(averaged)
    counts = np.bincount(trials.images, minlength=N)
    np.testing.assert_array_equal(counts, np.where(averaged, 1, 1 + np.arange(N) % R))
    for image in range(N):
        shown = trials.images == image
        recorded = repeats[:, image, : 1 + image % R].T
        expected = np.nanmean(repeats[:, image], 1)[None] if averaged[image] else recorded
        np.testing.assert_allclose(trials.values["responses"][shown], expected, rtol=1e-14)
        if not averaged[image]:
            np.testing.assert_array_equal(
                trials.values["pupil_center"][shown], pupil[image, : 1 + image % R]
            )
    assert session.incomplete == 0


def test_a_repeat_that_some_units_miss_is_left_out_and_counted():
    repeats = ragged_repeats()
    repeats[2, 7, 1] = repeats[4, 7, 1] = repeats[0, 3, 0] = np.nan
    session = RecordedSession("a", SessionArrays(IMAGES, repeats))
    assert session.incomplete == 2
    trials = session.trials(np.zeros(N, bool))
    kept = trials.values["responses"][trials.images == 7]
    np.testing.assert_array_equal(kept, repeats[:, 7, [0, 2, 3]].T)
    repeats[1, 0, 0] = np.nan  # the only repeat of image 0
    with pytest.raises(DataError, match=r"NaN for image 0 .*most for unit 1.*leave out"):
        RecordedSession("a", SessionArrays(IMAGES, repeats))


def test_behavior_may_be_one_value_for_all_repeats():
    behavior = DRAW.normal(size=(N, 3))
    session = RecordedSession("a", SessionArrays(IMAGES, ragged_repeats(), behavior))
    trials = session.trials(np.zeros(N, bool))
    np.testing.assert_array_equal(trials.values["behavior"], behavior[trials.images])


def _with(array, value):
    changed = array.copy()
    changed.flat[3] = value
    return changed


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            SessionArrays(IMAGES, MEANS[:, 1:]),
            r"responses is \(5, 11\), not \(units, images\) .* 12 images .*in the order of",
        ),
        (SessionArrays(IMAGES, MEANS.T), r"responses is \(12, 5\), not"),
        (
            SessionArrays(IMAGES, MEANS, behavior=np.zeros((N, 2))),
            r"behavior is \(12, 2\), not \(images, 3\)",
        ),
        (
            SessionArrays(IMAGES, ragged_repeats(), pupil=np.zeros((N, R + 1, 2))),
            r"pupil is \(12, 5, 2\), not .*12 images and 5 units and 4 repeats",
        ),
        (
            SessionArrays(IMAGES, MEANS, coordinates=np.zeros((U, 2))),
            r"coordinates is \(5, 2\), not \(units, 3\)",
        ),
        (SessionArrays(IMAGES, MEANS.astype(str)), r"responses holds <U\d+, not numbers"),
        (SessionArrays(IMAGES, _with(MEANS, np.nan)), r"\(5, 12\) have NaN for image 3"),
        (SessionArrays(IMAGES, _with(MEANS, np.inf)), r"responses \(5, 12\) has NaN, infinite"),
        (SessionArrays(IMAGES, _with(MEANS, -1)), "infinite or negative values"),
        (
            SessionArrays(IMAGES, MEANS, behavior=np.full((N, 3), np.nan)),
            r"behavior \(12, 3\) has NaN",
        ),
        (
            SessionArrays(IMAGES, MEANS, coordinates=np.full((U, 3), np.nan)),
            r"coordinates \(5, 3\) have NaN",
        ),
        (SessionArrays(IMAGES, "no/such.npy"), "such.npy is not a readable npy file"),
    ],
)
def test_what_does_not_fit_is_one_line_with_session_shape_and_remedy(arrays, message):
    with pytest.raises(DataError, match=f"session 'a': .*{message}") as error:
        RecordedSession("a", arrays)
    assert "\n" not in str(error.value)


@pytest.fixture
def source(tmp_path):
    """A folder with sessions a (means), b (means and repeats) and c2 (all there can be)."""
    for name in ("a", "b", "c2"):
        np.save(tmp_path / f"images_{name}.npy", IMAGES)
        np.save(tmp_path / f"responses_{name}.npy", MEANS)
    np.save(tmp_path / "responses_raw_b.npy", ragged_repeats())
    for kind, shape in {"behavior": (N, 3), "pupil": (N, 2), "coordinates": (U, 3)}.items():
        np.save(tmp_path / f"{kind}_c2.npy", np.zeros(shape))
    return tmp_path


def test_sessions_are_found_by_their_files(source):
    found = discover_sessions(source)
    assert list(found) == ["a", "b", "c2"]
    assert found["a"] == SessionArrays(source / "images_a.npy", source / "responses_a.npy")
    assert found["b"].responses == source / "responses_raw_b.npy"
    assert set(RecordedSession("c2", found["c2"]).arrays) == {"responses", "behavior", "pupil"}
    assert list(discover_sessions(source, ["b"])) == ["b"]


def test_unknown_and_half_sessions_and_empty_folders_are_named(source):
    with pytest.raises(DataError, match=r"no session 'd': choose of a, b, c2"):
        discover_sessions(source, ["d"])
    (source / "images_a.npy").unlink()
    with pytest.raises(DataError, match=r"'a' has no images in .*: add images_a\.zip"):
        discover_sessions(source)
    (source / "responses_c2.npy").unlink()
    with pytest.raises(DataError, match=r"'c2' has no responses in .*: add responses_c2\.npy"):
        discover_sessions(source, ["c2"])
    with pytest.raises(DataError, match="is not a folder"):
        discover_sessions(source / "no")
    (source / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no images_<session>\.zip"):
        discover_sessions(source / "empty")
