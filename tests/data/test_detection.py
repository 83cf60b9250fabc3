"""The union rule, and boxes of images from any function, kept by content."""

import numpy as np
import pytest

from src.data.detection import NamedDetector, as_pictures, detect_boxes, together, union
from src.data.errors import DataError
from src.manifest import file_sha256

DRAW = np.random.default_rng(0)
IMAGES = DRAW.integers(0, 256, (50, 18, 32), np.uint8)


def bright(images):
    """A toy detector: one box around the pixels above 250, none where there is none."""
    found = []
    for image in images:
        rows, columns = np.nonzero(image[..., 0] > 250)
        corners = (
            [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]] if len(rows) else []
        )
        found.append(np.array(corners, float).reshape(-1, 4))
    return found


class Counted:
    """The toy detector, which counts its images and can be killed after some."""

    def __init__(self, limit=10**9):
        self.seen, self.limit = 0, limit

    def __call__(self, images):
        if self.seen + len(images) > self.limit:
            raise KeyboardInterrupt
        self.seen += len(images)
        return bright(images)


def named(find, identity="toy 1"):
    return NamedDetector(find, "toy", identity)


@pytest.mark.parametrize(
    ("boxes", "wanted"),
    [
        ([], [0.5, 0.5, 1, 1]),
        ([[0, 0, 256, 144]], [0.5, 0.5, 1, 1]),
        ([[64, 36, 128, 72]], [0.375, 0.375, 0.25, 0.25]),
        ([[64, 36, 128, 72], [0, 0, 32, 18]], [0.25, 0.25, 0.5, 0.5]),
        ([[100, 10, 200, 20], [20, 60, 40, 134]], [110 / 256, 0.5, 180 / 256, 124 / 144]),
    ],
)
def test_union_of_boxes(boxes, wanted):
    """Spec 4.2: x0 = min, y0 = min, x1 = max, y1 = max; none: the full frame."""
    np.testing.assert_allclose(union(np.array(boxes, float).reshape(-1, 4), 144, 256), wanted)


def test_any_function_of_images_is_a_detector(tmp_path):
    images = np.concatenate([IMAGES, np.zeros((2, 18, 32), np.uint8)])
    boxes, counts = detect_boxes(images, named(bright), tmp_path)
    for image, box, count in zip(images, boxes, counts, strict=True):
        rows, columns = np.nonzero(image > 250)
        assert count == (len(rows) > 0)
        if count:
            x, y, w, h = box * [32, 18, 32, 18]
            assert np.allclose([x - w / 2, x + w / 2], [columns.min(), columns.max() + 1])
            assert np.allclose([y - h / 2, y + h / 2], [rows.min(), rows.max() + 1])
    assert boxes[-1].tolist() == [0.5, 0.5, 1, 1]


def test_detectors_together_find_what_either_finds(tmp_path):
    corner = lambda images: [np.array([[0, 0, 1, 1.0]])] * len(images)  # noqa: E731
    boxes, counts = detect_boxes(IMAGES[:3], named(together(bright, corner)), tmp_path)
    alone, _ = detect_boxes(IMAGES[:3], named(bright, "toy 2"), tmp_path)
    assert counts.tolist() == [2, 2, 2]
    np.testing.assert_allclose(boxes[:, 0], (alone[:, 0] + alone[:, 2] / 2) / 2)


def test_an_image_is_detected_once_whatever_its_place(tmp_path):
    counted = Counted()
    images = np.concatenate([IMAGES, IMAGES[:7]])
    boxes, _ = detect_boxes(images, named(counted), tmp_path)
    assert counted.seen == 50 and np.array_equal(boxes[:7], boxes[50:])
    again, _ = detect_boxes(images[::-1], named(counted), tmp_path)
    assert counted.seen == 50 and np.array_equal(again[::-1], boxes)
    detect_boxes(images, named(counted, "toy 2"), tmp_path)
    assert counted.seen == 100


def test_a_killed_detection_continues_to_the_same_bytes(tmp_path):
    killed, rest = Counted(limit=30), Counted()
    whole, _ = detect_boxes(IMAGES, named(bright), tmp_path / "whole", batch=8)
    with pytest.raises(KeyboardInterrupt):
        detect_boxes(IMAGES, named(killed), tmp_path / "killed", batch=8)
    boxes, _ = detect_boxes(IMAGES, named(rest), tmp_path / "killed", batch=8)
    assert (killed.seen, rest.seen) == (24, 26)
    assert np.array_equal(boxes, whole)
    hashes = [[file_sha256(p) for p in (tmp_path / n).iterdir()] for n in ("whole", "killed")]
    assert hashes[0] == hashes[1] and len(hashes[0]) == 1


def test_pictures_are_eight_bit_and_in_color():
    gray = as_pictures(np.array([[[-3.0, 12.7, 300]]]))
    assert gray.dtype == np.uint8 and gray.shape == (1, 1, 3, 3)
    assert gray[0, 0].tolist() == [[0] * 3, [12] * 3, [255] * 3]
    color = DRAW.integers(0, 256, (2, 3, 4, 5), np.uint8)
    assert np.array_equal(as_pictures(color), color.transpose(0, 2, 3, 1))


@pytest.mark.parametrize(
    "given", [[np.zeros((2, 5))] * 4, [np.zeros((1, 4))] * 3, [np.zeros(4)] * 4]
)
def test_a_detector_that_gives_something_else_is_refused(tmp_path, given):
    with pytest.raises(DataError, match=r"return corners \(k, 4\) for each"):
        detect_boxes(IMAGES[:4], named(lambda images: given), tmp_path)


def test_boxes_beyond_the_image_are_cut(tmp_path):
    wide = lambda images: [np.array([[-5, 9, 40, 99.0]])] * len(images)  # noqa: E731
    boxes, _ = detect_boxes(IMAGES[:1], named(wide), tmp_path)
    assert boxes[0].tolist() == [0.5, 0.75, 1, 0.5]
