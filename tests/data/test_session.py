"""What a model receives: normalization, selection, and memory shared between processes."""

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from src.config import InputConfig
from src.data.errors import DataError
from src.data.pack import pack
from src.data.planes import rescale_quarter, winner_planes
from src.data.sensorium import open_mouse
from src.data.session import Session, chosen_sessions, open_sessions, response_scale
from src.paths import ROOT

EVERYTHING = InputConfig(scale="full", behavior=True, pupil=True)


@pytest.fixture
def opened(tmp_path):
    """Function that packs a written mouse and opens it."""

    def open_truth(truth, inputs=EVERYTHING):
        cache = tmp_path / "processed" / truth.folder.name
        pack(open_mouse(truth.folder), cache)
        return Session(cache, inputs)

    return open_truth


def test_pixels_are_those_of_the_files(write_mouse, opened):
    truth = write_mouse(shape=(3, 16, 24))
    session = opened(truth, InputConfig()).select(n_images=20, tier="train")
    index = np.array([5, 2, 2, -1, -2])  # the last ones are test trials, whose images repeat
    rows = np.flatnonzero(np.isin(truth.trial_idx.astype(str), session.trial_ids))[index]
    found = session.pixels(index)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, truth.images[rows])


def scale_of(std):
    """Spec 4.1, in the words of the spec and a loop."""
    threshold = 0.01 * sum(std) / len(std)
    return np.array([1 / s if s > threshold else 1 / threshold for s in std])


def test_published_loader_is_reproduced_from_disk(write_mouse, opened, shared):
    stored = np.load(shared / "fixtures/sensorium2022/winner_pipeline.npz")
    truth = write_mouse(shape=(1, 144, 256))
    responses, statistics = stored["loader/raw_responses"], truth.folder / "meta/statistics"
    for i in range(60):
        np.save(truth.folder / f"data/responses/{i}.npy", responses[i % 8])
    for i, image in enumerate(stored["loader/raw_images"]):
        np.save(truth.folder / f"data/images/{i}.npy", image)
    np.save(truth.folder / "meta/neurons/unit_ids.npy", np.arange(26))
    for name in ("area", "layer", "cell_motor_coordinates"):
        (truth.folder / f"meta/neurons/{name}.npy").unlink()
    np.save(statistics / "images/all/mean.npy", stored["loader/img_mean"])
    np.save(statistics / "images/all/std.npy", stored["loader/img_std"])
    np.save(statistics / "responses/all/std.npy", stored["loader/resp_std"])
    batch = opened(truth).batch(np.arange(8))
    planes = winner_planes(batch.images[:3], torch.from_numpy(stored["loader/xywh"][:3]))
    np.testing.assert_array_equal(planes.numpy(), stored["loader/images"], strict=True)
    np.testing.assert_allclose(batch.responses, stored["loader/responses"], rtol=0, atol=1e-6)


def test_batch_is_normalized_as_specified(write_mouse, opened):
    truth = write_mouse()
    np.save(truth.folder / "meta/statistics/responses/all/std.npy", std := np.r_[1e-3, 0, 1:6.0])
    session, index = opened(truth), np.array([50, 3, 3, 59, 0])
    batch = session.batch(index)
    wanted = (truth.images[index] - truth.images_mean) / truth.images_std
    np.testing.assert_allclose(batch.images, wanted, atol=1e-6)
    wanted = truth.responses[index] * scale_of(std)
    np.testing.assert_allclose(batch.responses, wanted, rtol=1e-6)
    np.testing.assert_allclose(
        batch.behavior, truth.behavior[index] / truth.behavior_std, rtol=1e-6
    )
    wanted = (truth.pupil_center[index] - truth.pupil_center_mean) / truth.pupil_center_std
    np.testing.assert_allclose(batch.pupil, wanted, atol=1e-5)
    assert batch.boxes is None and len(batch) == 5
    for name in ("images", "responses", "behavior", "pupil"):
        assert getattr(batch, name).dtype == torch.float32
    centered = Session(session.folder, replace(EVERYTHING, center_behavior=True)).batch(index)
    wanted = (truth.behavior[index] - truth.behavior_mean) / truth.behavior_std
    np.testing.assert_allclose(centered.behavior, wanted, atol=1e-5)


def test_only_what_the_inputs_name_is_in_a_batch(write_mouse, opened):
    batch = opened(write_mouse(), InputConfig()).batch(np.arange(2))
    assert batch.behavior is None and batch.pupil is None and batch.boxes is None


@pytest.mark.parametrize("form", ["scalar", "per pixel", "float images", "color", "odd size"])
def test_quarter_is_the_normalized_image_rescaled(write_mouse, opened, form):
    shape = {"color": (3, 16, 24), "odd size": (1, 18, 27)}.get(form, (1, 16, 24))
    truth = write_mouse(shape=shape)
    mean, std = truth.images_mean, truth.images_std
    if form == "float images":
        truth.images[0] += np.float32(0.25)
        np.save(truth.folder / "data/images/0.npy", truth.images[0])
    if form == "per pixel":
        mean, std = truth.images.mean(0), truth.images.std(0)
        np.save(truth.folder / "meta/statistics/images/all/mean.npy", mean)
        np.save(truth.folder / "meta/statistics/images/all/std.npy", std)
    session = opened(truth, InputConfig(scale="quarter"))
    wanted = torch.from_numpy((truth.images - mean) / std).float()
    wanted = torch.nn.functional.interpolate(wanted, scale_factor=0.25, mode="bilinear")
    ours = session.batch(np.arange(60)).images
    assert session.image_shape == ours.shape[1:] == wanted.shape[1:]
    torch.testing.assert_close(ours, wanted, rtol=0, atol=2e-6)


def test_quarter_sums_change_no_bit(write_mouse, opened):
    truth = write_mouse()
    images = rescale_quarter(torch.from_numpy(truth.images))
    mean, std = (
        torch.tensor(v, dtype=torch.float32) for v in (truth.images_mean, truth.images_std)
    )
    ours = opened(truth, InputConfig(scale="quarter")).batch(np.arange(60)).images
    assert torch.equal(ours, (images - mean) / std)


def test_too_small_for_a_quarter_is_said_at_opening(write_mouse, opened):
    truth = write_mouse(shape=(1, 3, 24))
    assert opened(truth).image_shape == (1, 3, 24)
    with pytest.raises(DataError, match="too small for a quarter scale"):
        opened(truth, InputConfig(scale="quarter"))


@pytest.mark.parametrize("std", [np.zeros(7), np.full(7, np.nan), np.r_[np.inf, np.ones(6)]])
def test_response_scale_refuses_what_would_give_no_number(std):
    with pytest.raises(DataError, match=r"responses std \(7,\) has mean (0|nan|inf)"):
        response_scale(std)


def test_missing_behavior_and_pupil_are_zero_and_flagged(write_mouse, opened):
    absent = opened(write_mouse("rec", recording=True))
    truth = write_mouse()
    for kind in ("behavior", "pupil_center"):
        for i in range(60):
            np.save(truth.folder / f"data/{kind}/{i}.npy", np.zeros_like(getattr(truth, kind)[0]))
        np.save(truth.folder / f"meta/statistics/{kind}/all/std.npy", np.zeros(1))
        np.save(truth.folder / f"meta/statistics/{kind}/all/mean.npy", np.zeros(1))
    for session in (absent, opened(truth)):
        batch = session.batch(np.arange(4))
        assert session.behavior_missing and session.pupil_missing
        assert torch.equal(batch.behavior, torch.zeros(4, 3))
        assert torch.equal(batch.pupil, torch.zeros(4, 2))


def test_one_behavior_that_never_varies_is_zero_and_the_others_are_kept(write_mouse, opened):
    truth = write_mouse()
    truth.behavior_std[1] = 0
    np.save(truth.folder / "meta/statistics/behavior/all/std.npy", truth.behavior_std)
    session = opened(truth)
    behavior = session.batch(np.arange(60)).behavior.numpy()
    assert not session.behavior_missing and not behavior[:, 1].any()
    wanted = truth.behavior[:, [0, 2]] / truth.behavior_std[[0, 2]]
    np.testing.assert_allclose(behavior[:, [0, 2]], wanted, rtol=1e-6)


def test_zero_std_of_images_is_refused(write_mouse, opened):
    truth = write_mouse()
    std = np.ones(truth.images[0].shape)
    std[0, 3, 3] = 0
    np.save(truth.folder / "meta/statistics/images/all/std.npy", std)
    with pytest.raises(DataError, match="has an images std of 0: remove meta/statistics/images"):
        opened(truth)


def test_boxes_from_file_full_frame_or_none(write_mouse, opened):
    truth = write_mouse()
    session = opened(truth, InputConfig(boxes="full_frame"))
    assert torch.equal(session.batch([7, 8]).boxes, torch.tensor([[0.5, 0.5, 1, 1]] * 2))
    with pytest.raises(DataError, match=r"has no boxes \(data/xywh/\*.npy\): supply them"):
        opened(truth, InputConfig(boxes="file"))
    boxes = np.random.default_rng(0).uniform(size=(60, 4))
    (truth.folder / "data/xywh").mkdir()
    for i, box in enumerate(boxes):
        np.save(truth.folder / f"data/xywh/{i}.npy", box)
    batch = opened(truth, InputConfig(boxes="file")).batch([7, 8])
    np.testing.assert_allclose(batch.boxes, boxes[7:9], rtol=1e-6)


def test_facts_of_a_session(write_mouse, opened):
    truth = write_mouse()
    session = opened(truth)
    assert (session.key, session.role) == ("21067-10-18", "pretraining")
    assert (session.n_trials, session.n_units, session.image_shape) == (60, 7, (1, 16, 24))
    assert session.trial_ids.tolist() == [str(i) for i in truth.trial_idx]
    np.testing.assert_array_equal(session.unit_ids, truth.unit_ids)
    np.testing.assert_array_equal(session.image_ids, truth.frame_image_id)
    np.testing.assert_array_equal(session.area, truth.area)
    np.testing.assert_array_equal(session.layer, truth.layer)
    np.testing.assert_array_equal(session.coordinates, truth.cell_motor_coordinates, strict=True)
    np.testing.assert_array_equal(session.trials("validation"), np.arange(30, 40))
    train = session.batch(session.trials("train")).responses
    np.testing.assert_allclose(session.mean_response, train.mean(0), rtol=1e-5)
    assert session.mean_response.dtype == np.float32
    assert not session.withheld("test") and len(session.trials("final_test")) == 0


def test_recording_without_coordinates_says_so(write_mouse, opened):
    session = opened(write_mouse("rec", recording=True))
    assert (session.coordinates, session.area, session.layer) == (None, None, None)


def test_withheld_tier(write_mouse, opened):
    truth = write_mouse()
    for i in np.flatnonzero(truth.tiers == "test"):
        np.save(truth.folder / f"data/responses/{i}.npy", np.zeros(7))
    session = opened(truth)
    assert session.withheld("test") and not session.withheld("train")
    assert not session.select(n_units=2).batch(session.trials("test")).responses.any()


def test_unique_images_name_each_image_of_a_tier_once(write_mouse, opened):
    session = opened(write_mouse())
    first = session.unique_images("test")
    assert np.all(np.diff(first) > 0)
    assert sorted(session.image_ids[first]) == list(range(1000, 1005))
    seen = {}
    for i in session.trials("test"):
        seen.setdefault(session.image_ids[i], i)
    assert first.tolist() == list(seen.values())


def test_selected_units_keep_their_order_and_their_values(write_mouse, opened):
    session = opened(write_mouse())
    whole = session.batch(np.arange(60)).responses
    for options, kept in (
        ({"units": [10, 2, 4]}, [1, 2, 5]),
        ({"area": "LM"}, [5, 6]),
        ({"area": ["LM", "V1"], "units": [1, 12]}, [0, 6]),
        ({"layer": "L4", "area": "V1"}, [1, 3]),
        ({"units": [1, 2, 4, 5], "layer": "L4"}, [1, 3]),
    ):
        fewer = session.select(**options)
        np.testing.assert_array_equal(fewer.unit_ids, session.unit_ids[kept])
        np.testing.assert_array_equal(fewer.coordinates, session.coordinates[kept])
        np.testing.assert_array_equal(fewer.mean_response, session.mean_response[kept])
        assert fewer.n_units == len(kept) and fewer.n_trials == 60
        assert torch.equal(fewer.batch(np.arange(60)).responses, whole[:, kept])
    assert session.n_units == 7  # the session itself is unchanged


def test_made_responses_stand_for_recorded_ones(write_mouse, opened):
    session = opened(write_mouse())
    made = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)
    other = session.with_responses(made)
    np.testing.assert_array_equal(other.batch([5, 2]).responses, made[[5, 2]])
    assert torch.equal(other.batch([5]).images, session.batch([5]).images)
    assert not np.array_equal(session.responses([5]), made[[5]])
    assert (
        len({session.fingerprint, other.fingerprint, other.with_responses(-made).fingerprint}) == 3
    )
    lateral = pickle.loads(pickle.dumps(other.select(area="LM")))
    np.testing.assert_array_equal(lateral.responses(np.arange(60)), made[:, 5:])
    again = lateral.with_responses(made[:, :2])
    np.testing.assert_array_equal(again.responses(np.arange(60)), made[:, :2])
    with pytest.raises(DataError, match=r"\(60, 7\) trials and units, but .* are \(60, 2\)"):
        session.with_responses(made[:, :2])


def test_some_sessions_and_areas_are_chosen(write_mouse, opened):
    session = opened(write_mouse())
    every = {"a": session, "b": session}
    assert chosen_sessions(every, (), ()) == every
    assert list(chosen_sessions(every, ("b",), ())) == ["b"]
    assert list(chosen_sessions(every, ("b", "a"), ())) == ["a", "b"]
    lateral = chosen_sessions(every, ("a",), ["LM"])["a"]
    assert set(lateral.area) == {"LM"} and lateral.n_units == 2
    assert chosen_sessions(every, (), ["LM", "V1"])["a"].n_units == 7
    with pytest.raises(DataError, match=r"no session 'c'.*: choose some of a, b"):
        chosen_sessions(every, ("c",), ())
    with pytest.raises(DataError, match="no area 'V4'"):
        chosen_sessions(every, (), ["V1", "V4"])


def test_random_units_are_seeded_and_nested(write_mouse, opened):
    session = opened(write_mouse())
    three, five = (session.select(n_units=n, seed=1).unit_ids for n in (3, 5))
    assert len(three) == 3 and np.isin(three, five).all() and np.all(np.diff(five) > 0)
    np.testing.assert_array_equal(session.select(n_units=3, seed=1).unit_ids, three)
    others = {tuple(session.select(n_units=3, seed=s).unit_ids) for s in range(10)}
    assert len(others) > 3


def test_selected_images_thin_one_tier_only(write_mouse, opened):
    session = opened(write_mouse())
    fewer = session.select(n_images=12, seed=4)
    assert len(fewer.trials("train")) == 12 and fewer.n_trials == 42
    for tier in ("validation", "test"):
        np.testing.assert_array_equal(
            fewer.trial_ids[fewer.trials(tier)], session.trial_ids[session.trials(tier)]
        )
    rows = np.isin(session.trial_ids, fewer.trial_ids)
    whole, ours = session.batch(rows), fewer.batch(np.arange(42))
    for name in ("images", "responses", "behavior", "pupil"):
        assert torch.equal(getattr(ours, name), getattr(whole, name))
    test = session.select(images=[1003, 1001], tier="test")
    assert set(test.image_ids[test.trials("test")]) == {1001, 1003}
    assert len(test.trials("test")) == 8 and len(test.trials("train")) == 30
    smaller = session.select(n_images=5, seed=4).trial_ids
    assert np.isin(smaller, fewer.trial_ids).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": [1, 3]}, r"no units 3 among its 7 \(1 of 2 wanted"),
        ({"area": "V4"}, "no area 'V4' among its 7"),
        ({"n_units": 8}, "has 7 units, not 8: choose fewer"),
        ({"n_images": 31}, "has 30 train images, not 31"),
        ({"images": [1000]}, "no train images 1000 among its 30"),
    ],
)
def test_selecting_what_is_not_there_is_an_error(write_mouse, opened, options, message):
    with pytest.raises(DataError, match=message):
        opened(write_mouse()).select(**options)


def test_fingerprint_follows_content_and_selection_only(write_mouse, opened, tmp_path):
    truth = write_mouse()
    session = opened(truth)
    first = session.fingerprint
    assert session.select().fingerprint == session.select(n_units=7).fingerprint == first
    assert session.provenance["fingerprint"] == first
    fewer = session.select(n_units=3).fingerprint
    assert fewer == session.select(n_units=3).fingerprint != first
    for file in truth.folder.rglob("*.npy"):
        file.touch()
    with pytest.raises(DataError, match="is stale"):
        Session(session.folder, EVERYTHING)
    assert opened(truth).fingerprint == first  # packed again, the same content
    np.save(truth.folder / "data/responses/0.npy", truth.responses[0] + 1)
    assert opened(truth).fingerprint != first


def test_all_sessions_of_a_folder(write_mouse, opened, tmp_path):
    truths = [write_mouse(name, recording=True) for name in ("b", "a")]
    for truth in truths:
        opened(truth)
    sessions = open_sessions(tmp_path / "processed", EVERYTHING)
    assert list(sessions) == ["a", "b"] and sessions["b"].key == "b"
    with pytest.raises(DataError, match="holds no packed session: run 01_preprocess"):
        open_sessions(tmp_path, EVERYTHING)


def test_pickled_session_carries_no_images_and_maps_its_own(write_mouse, opened):
    session = opened(write_mouse(shape=(1, 144, 256)))
    batch = session.batch(np.arange(3))
    data = pickle.dumps(session)
    assert len(data) < 50_000 < session._image_file.nbytes
    again = pickle.loads(data)
    assert torch.equal(again.batch(np.arange(3)).images, batch.images)
    assert isinstance(again._image_file, np.memmap) and isinstance(again._response_file, np.memmap)


# Reads every batch of a session and prints the private memory that this added, in MB.
READS_ALL = """
import sys
from pathlib import Path
import numpy as np
from src.config import InputConfig
from src.data.session import Session

def private():
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(x.split()[1]) for x in lines if x.startswith("RssAnon")) / 1024

Session(Path(sys.argv[1]), InputConfig(scale="full")).batch(np.arange(2))
before = private()
session = Session(Path(sys.argv[1]), InputConfig(scale="full"))
for first in range(0, session.n_trials, 2):
    session.batch(np.arange(first, first + 2))
print(private() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="private memory is read from /proc")
def test_reading_everything_adds_little_private_memory(write_mouse, opened):
    tiers = ("train",) * 100 + ("validation",) * 5 + ("test",) * 5
    session = opened(write_mouse(shape=(1, 480, 512), tiers=tiers, image_dtype=np.uint8))
    size = session.folder.joinpath("images.npy").stat().st_size / 2**20
    command = [sys.executable, "-c", READS_ALL, str(session.folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    added = float(done.stdout)
    assert size > 20 and added < size / 2
