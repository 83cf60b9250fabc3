"""Boxes of a session: from files, a table or a detector, and as a model receives them."""

from dataclasses import replace

import numpy as np
import pytest

from src.config import InputConfig
from src.data import box_files
from src.data.box_supply import beside, supply_boxes
from src.data.checks import check_mouse, require_valid
from src.data.detection import NamedDetector
from src.data.errors import DataError
from src.data.pack import pack, read_manifest
from src.data.sensorium import open_mouse
from src.data.session import Session

BOXES = InputConfig(scale="full", boxes="file")
N, IMAGES = 60, 45  # trials, and different images: 40 once and 5 four times


def packed(truth, tmp_path, fill=False):
    cache = tmp_path / "processed" / "mouse"
    pack(open_mouse(truth.folder, fill), cache)
    return cache


def add_files(truth, boxes):
    (truth.folder / "data/xywh").mkdir(exist_ok=True)
    for i, box in enumerate(boxes):
        np.save(truth.folder / f"data/xywh/{i}.npy", box)


def by_image(truth, seed=0):
    """A random box for each image, and those of the trials."""
    draw = np.random.default_rng(seed)
    known = {i: draw.uniform(0.1, 0.9, 4) for i in np.unique(truth.frame_image_id)}
    return known, np.stack([known[i] for i in truth.frame_image_id])


def left_half(images):
    """A detector that finds the left half of images with an odd first pixel."""
    height, width = images.shape[1:3]
    box = np.array([[0, 0, width / 2, height]])
    return [box[: int(image[0, 0, 0] % 2)] for image in images]


TOY = NamedDetector(left_half, "toy", "toy 1")


def boxes_of(cache, kind="file"):
    return Session(cache, replace(BOXES, boxes=kind)).batch(np.arange(N)).boxes.numpy()


def write_table(path, known):
    lines = [",".join(map(str, (i, *box))) for i, box in known.items()]
    path.write_text("\n".join(["image_id,x,y,w,h", *lines]) + "\n")
    return path


def test_detected_boxes_reach_the_model(write_mouse, tmp_path):
    truth = write_mouse(image_dtype=np.uint8)
    cache = packed(truth, tmp_path)
    row = supply_boxes(cache, detector=TOY, cache=tmp_path / "detections")
    odd = truth.images[:, 0, 0, 0] % 2 == 1
    wanted = np.where(odd[:, None], [0.25, 0.5, 0.5, 1], [0.5, 0.5, 1, 1])
    np.testing.assert_allclose(boxes_of(cache), wanted)
    assert (row["boxes from"], row["images"]) == ("toy", IMAGES)
    assert (
        row["with an object"] == odd[np.unique(truth.frame_image_id, return_index=True)[1]].mean()
    )
    np.testing.assert_allclose(boxes_of(cache, "flag"), np.column_stack([wanted, odd]))


def test_a_detected_full_frame_is_an_object(write_mouse, tmp_path):
    """Upstream's fallback and an object that fills the image are the same four numbers (D15)."""
    cache = packed(write_mouse(image_dtype=np.uint8), tmp_path)
    whole = lambda images: [np.array([[0, 0, 24, 16.0]])] * len(images)  # noqa: E731
    supply_boxes(cache, detector=NamedDetector(whole, "all", "all"))
    assert np.array_equal(boxes_of(cache, "flag"), np.tile(np.float32([0.5, 0.5, 1, 1, 1]), (N, 1)))


def test_flag_of_files_is_whether_the_box_is_the_full_frame(write_mouse, tmp_path):
    truth = write_mouse()
    boxes = by_image(truth)[1]
    boxes[7] = [0.5, 0.5, 1, 1]
    add_files(truth, boxes)
    flag = boxes_of(packed(truth, tmp_path), "flag")
    np.testing.assert_allclose(flag[:, :4], boxes, rtol=1e-6)
    assert flag[:, 4].tolist() == [float(i != 7) for i in range(N)]


def test_shuffled_boxes_belong_to_other_images_and_repeats_keep_one(write_mouse, tmp_path):
    truth = write_mouse()
    add_files(truth, by_image(truth)[1])
    cache = packed(truth, tmp_path)
    true, shuffled = boxes_of(cache), boxes_of(cache, "shuffled")
    assert np.array_equal(shuffled, boxes_of(cache, "shuffled"))
    assert (shuffled != true).any(1).mean() > 0.9
    ids = truth.frame_image_id
    given = {i: np.unique(shuffled[ids == i], axis=0) for i in np.unique(ids)}
    assert all(len(boxes) == 1 for boxes in given.values())
    both = [np.unique(boxes, axis=0) for boxes in (true, shuffled)]
    assert np.array_equal(*both) and len(both[0]) == IMAGES  # each box goes to one image


@pytest.mark.parametrize("kind", ["file", "shuffled", "flag"])
def test_without_boxes_the_remedy_is_said(write_mouse, tmp_path, kind):
    with pytest.raises(DataError, match=r"session '21067-10-18' has no boxes .*full_frame"):
        boxes_of(packed(write_mouse(), tmp_path), kind)


def test_what_comes_first(write_mouse, tmp_path):
    """Files, then a table, then a detector; or what is asked for, and an error without it."""
    truth = write_mouse(image_dtype=np.uint8)
    known, trials = by_image(truth)
    table = write_table(tmp_path / "boxes.csv", known)
    bare = packed(truth, tmp_path)
    assert supply_boxes(bare)["boxes from"] == "none"
    assert supply_boxes(bare, detector=TOY)["boxes from"] == "toy"
    assert supply_boxes(bare, table=table, detector=TOY)["boxes from"] == "boxes.csv"
    np.testing.assert_allclose(boxes_of(bare), trials, rtol=1e-6)
    for wanted, remedy in (("files", "has no data/xywh"), ("detector", "give detector_weights")):
        with pytest.raises(DataError, match=f"cannot have boxes='{wanted}': .*{remedy}"):
            supply_boxes(bare, wanted)
    with pytest.raises(DataError, match="boxes='file' is not one of auto, files, table, detector"):
        supply_boxes(bare, "file")
    add_files(truth, trials[::-1])
    filed = packed(truth, tmp_path)
    assert supply_boxes(filed, table=table, detector=TOY)["boxes from"] == "file"
    supply_boxes(filed, "table", table)
    np.testing.assert_allclose(boxes_of(filed), trials, rtol=1e-6)
    supply_boxes(filed, "none")
    np.testing.assert_allclose(boxes_of(filed), trials[::-1], rtol=1e-6)


def test_what_was_trained_with_boxes_is_stale_when_they_change(write_mouse, tmp_path):
    truth = write_mouse(image_dtype=np.uint8)
    cache = packed(truth, tmp_path)
    prints = []
    for seed in (0, 0, 1):
        known, _ = by_image(truth, seed)
        supply_boxes(cache, table=write_table(tmp_path / "boxes.csv", known))
        kinds = ("file", "shuffled", "flag", "none", "full_frame")
        prints.append([Session(cache, replace(BOXES, boxes=k)).fingerprint for k in kinds])
    first, same, other = prints
    assert first == same and first[3:] == other[3:]  # who sees no box does not mind
    assert not set(first[:3]) & set(other[:3])
    selected = Session(cache, BOXES).select(n_units=3).fingerprint
    supply_boxes(cache, detector=TOY)
    assert Session(cache, BOXES).select(n_units=3).fingerprint != selected


def test_packing_anew_forgets_boxes_of_other_images(write_mouse, tmp_path):
    truth = write_mouse(image_dtype=np.uint8)
    supply_boxes(packed(truth, tmp_path), detector=TOY)
    np.save(truth.folder / "data/images/0.npy", truth.images[0] // 2)
    with pytest.raises(DataError, match="has no boxes"):
        boxes_of(packed(truth, tmp_path))


def test_a_missing_file_is_an_error_or_by_option_the_full_frame(write_mouse, tmp_path):
    truth = write_mouse()
    boxes = by_image(truth)[1]
    add_files(truth, boxes)
    for i in (3, 50):
        (truth.folder / f"data/xywh/{i}.npy").unlink()
    with pytest.raises(DataError, match=r"data/xywh/3.npy is missing \(and 1 more\).*fill_boxes"):
        packed(truth, tmp_path)
    filling = open_mouse(truth.folder, fill_boxes=True)
    report = require_valid(filling)
    assert report[report["field"] == "xywh"]["severity"].tolist() == ["warning"]
    cache = packed(truth, tmp_path, fill=True)
    boxes[[3, 50]] = [0.5, 0.5, 1, 1]
    np.testing.assert_allclose(boxes_of(cache), boxes, rtol=1e-6)
    assert read_manifest(cache)["boxes_filled"] == 2
    with pytest.raises(DataError, match=r"data/xywh/3.npy is missing"):
        packed(truth, tmp_path)  # what was filled is not taken for what was recorded
    assert check_mouse(open_mouse(truth.folder)).severity[0] == "error"


def test_a_table_must_fit(write_mouse, tmp_path):
    truth = write_mouse()
    known, trials = by_image(truth)
    cache, path = packed(truth, tmp_path), tmp_path / "boxes.csv"
    some = {i: box for i, box in known.items() if i not in (4, 1001)}
    with pytest.raises(DataError, match=r"none for 2 of 45 images \(first: 4\): .*fill_boxes"):
        supply_boxes(cache, table=write_table(path, some))
    supply_boxes(cache, table=path, fill=True)
    boxes, missing = boxes_of(cache, "flag"), np.isin(truth.frame_image_id, (4, 1001))
    np.testing.assert_allclose(boxes[~missing, :4], trials[~missing], rtol=1e-6)
    assert (boxes[missing] == np.float32([0.5, 0.5, 1, 1, 0])).all()
    with pytest.raises(DataError, match=r"image 0 has box .* outside \[0, 1\] \(1 such rows\)"):
        supply_boxes(cache, table=write_table(path, {**known, 0: [12, 0, 1, 1]}))
    path.write_text(path.read_text() + "0,0,0,1,1\n")
    with pytest.raises(DataError, match="has image 0 more than once"):
        supply_boxes(cache, table=path)
    path.write_text("image,x,y,w,h\n")
    with pytest.raises(DataError, match="has no column image_id"):
        supply_boxes(cache, table=path)


def test_boxes_of_another_number_of_images_are_refused(write_mouse, tmp_path):
    cache = packed(write_mouse(), tmp_path)
    with pytest.raises(DataError, match=r"has 45 different images but boxes are \(3, 4\)"):
        box_files.save_boxes(cache, np.zeros((3, 4)), np.zeros(3, bool), "any")


def test_files_beside_the_recordings_are_found(tmp_path):
    assert beside(tmp_path, "boxes.csv") is None
    (tmp_path / "boxes.csv").touch()
    assert beside(tmp_path, "boxes.csv") == tmp_path / "boxes.csv"
    (tmp_path / "else.csv").touch()
    assert beside(tmp_path, "boxes.csv", str(tmp_path / "else.csv")).name == "else.csv"
    with pytest.raises(DataError, match=r"nowhere\.csv does not exist"):
        beside(tmp_path, "boxes.csv", "nowhere.csv")
