"""Simulated images against a periodogram, PyTorch's interpolation and numpy's roll."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose, assert_array_equal

from src.seeds import numpy_stream
from src.simulate.images import FULL_FRAME, draw_images, has_object, moved, retinal


def draw(n, exponent=1.0, fraction=0.0):
    return draw_images(numpy_stream(3, "test"), n, exponent, fraction)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5])
def test_power_falls_with_frequency_as_asked(exponent):
    images, _ = draw(40, exponent)
    power = (np.abs(np.fft.fft2(images - images.mean((1, 2), keepdims=True))) ** 2).mean(0)
    frequency = np.hypot(np.fft.fftfreq(144)[:, None], np.fft.fftfreq(256))
    band = (frequency > 0.02) & (frequency < 0.2)
    slope, _ = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)
    assert_allclose(slope, -2 * exponent, atol=0.12)


def test_images_are_bytes_of_natural_brightness_and_contrast():
    images, boxes = draw(64)
    assert images.shape == (64, 144, 256) and images.dtype == np.uint8
    assert 100 < images.mean() < 136
    contrast = images.std((1, 2))
    assert 25 < contrast.min() < contrast.max() < 85
    assert_array_equal(boxes, np.tile(FULL_FRAME, (64, 1)))
    similarity = np.corrcoef(images.reshape(64, -1)[:, ::16]) - np.eye(64)
    assert np.abs(similarity).max() < 0.8


def test_an_odd_number_of_images_begins_like_an_even_one():
    assert draw(5)[0].shape == (5, 144, 256)


def test_the_object_is_brighter_and_fills_its_box():
    (plain, _), (images, boxes) = draw(30, fraction=0.0), draw(30, fraction=1.0)
    change = images.astype(int) - plain
    for box, difference in zip(boxes, change, strict=True):
        rows, columns = np.nonzero(difference > 0)
        x0, x1 = (columns.min() / 256, (columns.max() + 1) / 256)
        y0, y1 = (rows.min() / 144, (rows.max() + 1) / 144)
        assert_allclose([(x0 + x1) / 2, (y0 + y1) / 2], box[:2], atol=0.03)
        assert_allclose([x1 - x0, y1 - y0], box[2:], atol=0.05)
    assert change.min() == 0 and change.max() == 60
    assert ((boxes[:, :2] - boxes[:, 2:] / 2 >= 0) & (boxes[:, :2] + boxes[:, 2:] / 2 <= 1)).all()


def test_a_fraction_of_the_images_has_an_object():
    boxes = draw(400, fraction=0.7)[1]
    assert 0.62 < has_object(boxes).mean() < 0.78
    assert_array_equal(boxes[~has_object(boxes)][0], FULL_FRAME)


def test_the_cortex_sees_what_models_see_at_a_quarter_of_the_size():
    images, _ = draw(3)
    full = torch.from_numpy(images[:, None].astype(np.float32))
    small = F.interpolate(full, scale_factor=0.25, mode="bilinear", align_corners=False)
    assert_allclose(retinal(images) * 64 + 127.5, small[:, 0].numpy(), atol=1e-4)


def test_moving_by_whole_pixels_is_a_roll():
    images = retinal(draw(2)[0])
    shift = np.array([[3 / 31.5, -2 / 17.5], [0.0, 0.0]])  # 3 pixels right, 2 up
    rolled = np.stack([np.roll(images[0], (2, -3), axis=(0, 1)), images[1]])
    assert_allclose(moved(images, shift), rolled, atol=1e-5)


def test_no_movement_is_exactly_none():
    images = retinal(draw(2)[0])
    assert moved(images, np.zeros((2, 2))) is images
