"""The published layout, file by file; the same bytes however often a simulation was interrupted."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from src.data.checks import check_mouse
from src.data.sensorium import open_mouse
from src.manifest import file_sha256
from src.simulate import mice as module
from src.simulate.config import PRESETS, SimulatedMouse
from src.simulate.mice import simulate_mice
from src.simulate.truth import load_truth

OPEN, STILL, PLUS = "21067-10-18", "26872-17-20", "27204-5-13"
UNITS = {OPEN: 24, STILL: 27, PLUS: 30}


def named(folder: Path) -> dict[str, str]:
    """sha256 of every file by its path, hidden ones included."""
    return {f.relative_to(folder).as_posix(): file_sha256(f) for f in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def opened(tiny):
    """The tiny preset's mice as `src.data` reads them."""
    return {key: open_mouse(path) for key, path in tiny.mice.items()}


def of_tier(mouse, kind, tier):
    return np.stack([mouse.trial(kind, i) for i in np.flatnonzero(mouse.tiers == tier)])


def test_readers_find_nothing_wrong(tiny, opened):
    assert {key: mouse.role for key, mouse in opened.items()} == {
        mouse.key: mouse.role for mouse in PRESETS["tiny"].mice
    }
    for key, mouse in opened.items():
        assert set(check_mouse(mouse).severity) <= {"note"}
        assert mouse.key == mouse.key_of_neurons == key
        assert 100 < mouse.n_trials < 170
    assert sorted(p.name for p in tiny.folder.iterdir()) == [
        "simulation.json",
        *(f"static{key}-GrayImageNet-simulated" for key in (OPEN, STILL)),
        f"static{PLUS}-GrayImageNet-simulated.zip",
    ]


def test_shapes_and_types_are_those_asked_for(opened):
    for key, (image, rows) in {OPEN: (np.uint8, 0), STILL: (np.float32, 1)}.items():
        mouse = opened[key]
        lead = (1,) * rows
        assert mouse.array("data/images/0").shape == (1, 144, 256)
        assert mouse.array("data/images/0").dtype == image
        assert mouse.array("data/responses/0").shape == (UNITS[key],)
        assert mouse.array("data/responses/0").dtype == np.float32
        assert mouse.array("data/behavior/0").shape == (*lead, 3)
        assert mouse.array("data/pupil_center/0").shape == (*lead, 2)
        assert mouse.array("data/xywh/0").shape == (4,)
        assert mouse.array("data/xywh/0").dtype == np.float64
        assert mouse.array("meta/neurons/cell_motor_coordinates").shape == (UNITS[key], 3)
    assert not opened[PLUS].has_kind("xywh")


def test_pixels_are_whole_gray_levels_and_responses_not_negative(opened):
    for mouse in opened.values():
        image = mouse.trial("images", 1).astype(float)
        assert_array_equal(image, np.rint(image))
        assert 0 <= image.min() < image.max() <= 255
        assert min(mouse.trial("responses", i).min() for i in range(mouse.n_trials)) >= 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types_are_selectable(one_mouse, in_memory, dtype):
    files, _ = in_memory(one_mouse(image_dtype=dtype, response_dtype=dtype, boxes="partial"))
    assert files["data/images/0"].dtype == files["data/responses/0"].dtype == dtype
    n = len(files["meta/trials/tiers"])
    boxes = [i for i in range(n) if f"data/xywh/{i}" in files]
    assert boxes == [i for i in range(n) if i % 3]


def test_zip_and_folder_hold_the_same_arrays(opened, in_memory):
    mouse = opened[PLUS]
    drawn = replace(PRESETS["tiny"], mice=PRESETS["tiny"].mice[::-1])
    files, _ = in_memory(drawn)
    assert {f.removesuffix(".npy") for f in mouse._source.stamps} == set(files)
    same = [n for n in files if "image_id" not in n]  # ids depend on the other mice
    for name in same[::7]:
        assert_array_equal(mouse.array(name), files[name], strict=True)


def test_unit_ids_ascend_with_gaps(opened):
    for mouse in opened.values():
        steps = np.diff(mouse.unit_ids)
        assert steps.min() == 1 and steps.max() > 1


def test_file_order_is_not_time_order(opened):
    times = opened[OPEN].array("meta/trials/frame_trial_ts")
    ids = opened[OPEN].array("meta/trials/trial_idx")
    assert times.dtype.kind == "U" and ids.dtype.kind == "i"
    order = np.argsort(times)
    assert not np.array_equal(order, np.arange(len(times)))
    assert (np.diff(ids[order]) > 0).all() and np.diff(ids[order]).max() > 1  # some left out
    pupil = np.stack([opened[OPEN].trial("behavior", i)[0] for i in order])
    shuffled = np.stack([opened[OPEN].trial("behavior", i)[0] for i in range(len(order))])
    neighbors = [np.corrcoef(p[:-1], p[1:])[0, 1] for p in (pupil, shuffled)]
    assert neighbors[0] > 0.8 > 0.4 > neighbors[1]


def test_competition_mice_hide_order_and_test_responses(opened):
    for key in (STILL, PLUS):
        mouse = opened[key]
        assert all(re.fullmatch("[0-9a-f]{32}", i) for i in mouse.trial_ids)
        assert len(set(mouse.trial_ids)) == mouse.n_trials
        for tier in ("test", "final_test"):
            assert not of_tier(mouse, "responses", tier).any()
        for tier in ("train", "validation"):
            assert of_tier(mouse, "responses", tier).any(1).all()
    assert "final_test" not in opened[OPEN].tiers
    assert of_tier(opened[OPEN], "responses", "test").any(1).all()


def test_one_mouse_has_no_behavior(opened):
    for kind in ("behavior", "pupil_center"):
        assert not of_tier(opened[STILL], kind, "train").any()
        assert_array_equal(opened[STILL].statistic(kind, "std"), 0)
        assert of_tier(opened[PLUS], kind, "train").std(0).min() > 0.3


def test_repeats_are_irregular_and_one_image_is_shown_once(opened):
    counts = []
    for mouse in opened.values():
        for tier in {"test", "final_test"} & set(mouse.tiers):
            found = np.unique(mouse.image_ids[mouse.tiers == tier], return_counts=True)[1]
            assert len(found) == 5 and sorted(found)[0] == 1
            counts += sorted(found)[1:]
        for tier in ("train", "validation"):
            ids = mouse.image_ids[mouse.tiers == tier]
            assert len(np.unique(ids)) == len(ids)
    assert set(counts) <= {7, 8, 9, 10} and len(set(counts)) > 1


def test_images_have_one_id_everywhere_and_tiers_share_none(opened):
    pictures: dict[int, bytes] = {}
    sets = {}
    for key, mouse in opened.items():
        for i, image in enumerate(mouse.image_ids.tolist()):
            content = mouse.trial("images", i).astype(np.uint8).tobytes()
            assert pictures.setdefault(image, content) == content
        for tier in set(mouse.tiers):
            sets[key, tier] = set(mouse.image_ids[mouse.tiers == tier].tolist())
    assert len(set(pictures.values())) == len(pictures)
    assert sets[OPEN, "test"] == sets[STILL, "test"] == sets[PLUS, "test"]
    assert sets[STILL, "final_test"] == sets[PLUS, "final_test"]
    own = [s for (_, tier), s in sets.items() if "test" not in tier]
    shared = [sets[OPEN, "test"], sets[STILL, "final_test"]]
    assert sum(map(len, own + shared)) == len(set().union(*own, *shared)) == len(pictures)


def test_statistics_are_over_training_trials(opened):
    for mouse in opened.values():
        for kind in ("images", "responses", "behavior", "pupil_center"):
            axis = None if kind == "images" else 0
            values = of_tier(mouse, kind, "train").astype(float)
            for name in ("min", "max", "median", "mean", "std"):
                expected = getattr(np, name)(values, axis=axis)
                assert_allclose(mouse.statistic(kind, name), expected, rtol=1e-9, atol=1e-12)
                frame = mouse.array(f"meta/statistics/{kind}/stimulus_frame/{name}")
                assert_array_equal(frame, mouse.statistic(kind, name))


def test_boxes_are_true_and_full_frame_without_an_object(tiny, opened):
    truth, mouse = load_truth(tiny.truth_folder / f"{OPEN}.npz"), opened[OPEN]
    boxes = np.stack([mouse.trial("xywh", i) for i in range(mouse.n_trials)])
    assert_array_equal(boxes, truth.boxes)
    assert 0.5 < (boxes != [0.5, 0.5, 1, 1]).any(1).mean() < 0.9


def test_the_truth_lies_outside_and_speaks_of_the_same_trials(tiny, opened):
    for key, mouse in opened.items():
        truth = load_truth(tiny.truth_folder / f"{key}.npz")
        assert_array_equal(truth.unit_ids, mouse.unit_ids)
        assert_array_equal(truth.trials.tiers, mouse.tiers)
        assert_array_equal(truth.trials.image_ids, mouse.image_ids)
        assert_array_equal(truth.trials.trial_ids.astype(str), mouse.trial_ids)
        assert truth.expected.shape == (mouse.n_trials, UNITS[key])
    assert not list(tiny.folder.rglob("*.npz"))


# The same bytes, and nobody's files lost ----------------------------------------------------------


@pytest.fixture(scope="module")
def small(one_mouse):
    """Two small mice, a folder and a zip."""
    one = one_mouse(6, train=6, validation=2, test_images=2)
    return replace(one, mice=(*one.mice, SimulatedMouse(PLUS, "sensorium+", 5, archive=True)))


@pytest.fixture(scope="module")
def reference(small, tmp_path_factory):
    """Hashes of all files of an uninterrupted simulation with seed 1."""
    root = tmp_path_factory.mktemp("reference")
    simulate_mice(root / "raw", root / "truth", small, 1)
    return named(root)


def test_same_seed_same_bytes_other_seed_others(small, reference, tmp_path):
    simulate_mice(tmp_path / "a/raw", tmp_path / "a/truth", small, 1)
    assert named(tmp_path / "a") == reference
    simulate_mice(tmp_path / "b/raw", tmp_path / "b/truth", small, 2)
    other = named(tmp_path / "b")
    images = [n for n in reference if "data/images" in n]
    assert not [n for n in images if n in other and other[n] == reference[n]]


class Killed(Exception):
    """Stands for the end of a process."""


@pytest.mark.parametrize("calls", [1, 3, 40, 200, 260])
def test_an_interrupted_simulation_is_completed_to_the_same_bytes(
    small, reference, tmp_path, monkeypatch, calls
):
    def dying(stream, array, **kwargs):
        nonlocal calls
        calls -= 1
        if calls == 0:
            stream.write(b"half a file")
            raise Killed
        write_array(stream, array, **kwargs)

    write_array = np.lib.format.write_array
    folders = tmp_path / "raw", tmp_path / "truth"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module.np.lib.format, "write_array", dying)
        simulate_mice(*folders, small, 1)
    for path in folders[0].glob("static*"):
        assert check_mouse(open_mouse(path)).empty  # what has its name is complete
    (folders[0] / f".{PLUS}.zip.99.tmp").write_bytes(b"of a killed process")
    simulate_mice(*folders, small, 1)
    assert named(tmp_path) == reference


def test_a_lost_truth_is_drawn_again(small, reference, tmp_path):
    folders = tmp_path / "raw", tmp_path / "truth"
    simulate_mice(*folders, small, 1)
    (folders[1] / f"{OPEN}.npz").unlink()
    simulate_mice(*folders, small, 1)
    assert named(tmp_path) == reference


def test_a_finished_simulation_is_left_alone(small, tmp_path, monkeypatch):
    folders = tmp_path / "raw", tmp_path / "truth"
    paths = simulate_mice(*folders, small, 1)
    monkeypatch.setattr(module, "write_mouse", None)  # would fail if called
    assert simulate_mice(*folders, small, 1) == paths


def test_another_simulation_and_other_files_are_never_overwritten(small, tmp_path):
    folders = tmp_path / "raw", tmp_path / "truth"
    simulate_mice(*folders, small, 1)
    before = named(tmp_path)
    for config, seed in ((small, 2), (replace(small, train=7), 1)):
        with pytest.raises(FileExistsError, match=r"another simulation.*choose another folder"):
            simulate_mice(*folders, config, seed)
    assert named(tmp_path) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"not empty and has no simulation\.json"):
        simulate_mice(tmp_path / "mine", folders[1], small, 1)


def test_the_presets_have_the_published_mice_and_roles():
    study = {m.key: m.role for m in PRESETS["study"].mice}
    assert len(study) == 7 and list(study.values()).count("pretraining") == 5
    assert study[STILL] == "sensorium" and study[PLUS] == "sensorium+"
    (full_size,) = PRESETS["real_shape"].mice
    assert full_size.units == 8000
    for preset in PRESETS.values():
        assert {m.key: m.role for m in preset.mice}.items() <= study.items()


def test_version_is_raised_with_the_bytes(in_memory, one_mouse, stacked):
    """If this fails, the same configuration and seed now give other data: raise VERSION."""
    files, truth = in_memory(one_mouse(6), seed=1)
    found = [
        stacked(files, "images").mean(),
        stacked(files, "responses").mean(),
        stacked(files, "behavior").std(),
        truth.scores()["fev"].mean(),
        float(files["meta/trials/frame_image_id"][:9].sum()),
    ]
    assert module.VERSION == 1
    assert_allclose(found, [118.82333, 2.5248579, 18.163154, 0.16435805, 148], rtol=1e-4)
