"""What is where in an image: hand-made maps, and the simulated ones against the scenes."""

import json

import numpy as np
import pytest
from PIL import Image

from src.data.errors import DataError
from src.data.panoptic import Panoptic, cropped
from src.seeds import numpy_stream
from src.simulate.nsd_scenes import CROP, scenes_and_shapes, write_panoptic


@pytest.fixture
def coco(tmp_path):
    """A picture of 4 x 10 with three segments, the last one of no known kind."""
    ids = np.zeros((4, 10), int)
    ids[:, :5], ids[:, 5:] = 5 + 256 * 7 + 65_536 * 9, 300
    ids[0] = 12
    colors = np.stack([ids % 256, ids // 256 % 256, ids // 65_536], 2).astype(np.uint8)
    (tmp_path / "panoptic_train2017").mkdir()
    Image.fromarray(colors).save(tmp_path / "panoptic_train2017/000000000042.png")
    segments = [{"id": 591_621 + 0, "category_id": 7}, {"id": 300, "category_id": 1}]
    known = {"image_id": 42, "file_name": "000000000042.png", "segments_info": segments}
    kinds = [(1, "cat", "animal"), (7, "sea", "water"), (9, "dog", "animal")]
    kinds = [dict(zip(("id", "name", "supercategory"), k, strict=True)) for k in kinds]
    (tmp_path / "annotations").mkdir()
    path = tmp_path / "annotations/panoptic_train2017.json"
    path.write_text(json.dumps({"annotations": [known], "categories": kinds}))
    return tmp_path


def test_a_segment_is_red_green_and_blue_and_has_a_kind(coco):
    found = Panoptic.read(coco)
    assert found.names == ("animal", "water")
    labels = found.labels(42, (0, 0, 0.3, 0.3), 4)
    np.testing.assert_array_equal(labels, [[0, 0, 0, 0]] + [[2, 2, 1, 1]] * 3)
    np.testing.assert_array_equal(np.unique(found.labels(42, (0, 0, 0.3, 0.3), 13)), [0, 1, 2])


def test_crops_take_shares_of_each_side():
    image = np.arange(8 * 12).reshape(8, 12)
    np.testing.assert_array_equal(cropped(image, (0.25, 0.125, 0, 0.5)), image[2:7, :6])
    with pytest.raises(DataError, match="leaves nothing"):
        cropped(image, (0.5, 0.5, 0, 0))


def test_what_is_missing_is_named(coco):
    found = Panoptic.read(coco)
    with pytest.raises(DataError, match="knows no image 7"):
        found.labels(7, (0, 0, 0, 0), 4)
    (coco / "panoptic_train2017/000000000042.png").unlink()
    with pytest.raises(DataError, match="missing or damaged"):
        found.labels(42, (0, 0, 0, 0), 4)
    with pytest.raises(DataError, match="panoptic_annotations"):
        Panoptic.read(coco / "elsewhere")


def test_simulated_maps_are_of_the_scenes(tmp_path):
    write_panoptic(tmp_path, 5, 67, seed=5)
    found = Panoptic.read(tmp_path)
    _, shapes = scenes_and_shapes(numpy_stream(5, "images", 0), 5, 67)
    assert len(found.files) == 4
    for scene, (lower, upper) in enumerate(zip(*shapes, strict=True)):
        if scene < 4:
            labels = found.labels(1000 + scene, CROP, 67)
            expected = np.where(upper, "vehicle", np.where(lower, "animal", "sky"))
            np.testing.assert_array_equal(np.array(["", *found.names])[labels], expected)
