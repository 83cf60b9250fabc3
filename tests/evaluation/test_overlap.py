"""Recall and precision of boxes counted by hand."""

import numpy as np
import pytest

from src.evaluation.overlap import corners, one_each, recall_precision

A, B = [0, 0, 10, 10], [20, 20, 30, 30]
NEARLY_A, HALF_A, NONE = [0, 0, 10, 9], [0, 0, 10, 4.9], np.zeros((0, 4))


@pytest.mark.parametrize(
    ("found", "true", "wanted"),
    [
        ([[A, B]], [[A, B]], (1, 1)),
        ([[NEARLY_A]], [[A, B]], (0.5, 1)),
        ([[NEARLY_A, A]], [[A, B]], (0.5, 0.5)),  # a true box is found once
        ([[HALF_A, B]], [[A, B]], (0.5, 0.5)),
        ([[A], [B]], [[B], [A]], (0, 0)),  # of other images
        ([[A], NONE, [B]], [[A], [B], NONE], (0.5, 0.5)),
    ],
)
def test_counts(found, true, wanted):
    assert recall_precision(found, true) == wanted


def test_nothing_found_has_no_precision():
    recall, precision = recall_precision([NONE], [[A]])
    assert recall == 0 and np.isnan(precision)


def test_one_box_an_image():
    boxes = np.array([[0.5, 0.5, 1, 1], [0.25, 0.5, 0.5, 0.2]])
    first, second = one_each(boxes, np.array([False, True]))
    assert first.shape == (0, 4)
    np.testing.assert_allclose(second, [[0, 0.4, 0.5, 0.6]])
    np.testing.assert_allclose(corners(boxes)[0], [0, 0, 1, 1])
