"""Pictures on a screen in degrees, and small movements of the eye."""

import numpy as np
import pytest

from src.data.errors import DataError
from src.data.screen import GRAY, Screen, on_canvas, shifted, spiral

IMAGE = np.random.default_rng(0).integers(0, 120, (256, 256, 3), np.uint8)  # without mid gray


def test_a_larger_field_is_gray_around_the_picture():
    """8 degrees in 14: 256 pixels become 448, the picture begins at 96."""
    (seen,) = Screen(field=14).views(IMAGE)
    assert seen.shape == (448, 448, 3) and np.array_equal(seen[96:352, 96:352], IMAGE)
    assert (seen == GRAY).all(2).mean() == pytest.approx(0.673, abs=5e-4)


def test_a_smaller_field_is_the_middle():
    (seen,) = Screen(field=6).views(IMAGE)
    np.testing.assert_array_equal(seen, IMAGE[32:224, 32:224])
    (same,) = Screen().views(IMAGE)
    assert same is IMAGE or np.array_equal(same, IMAGE)


@pytest.mark.parametrize(("side", "ratio", "expected"), [(5, 1.5, 8), (5, 0.5, 2), (7, 0.5, 4)])
def test_halves_are_rounded_to_even(side, ratio, expected):
    assert on_canvas(IMAGE[:side, :side], ratio).shape[:2] == (expected, expected)


def test_looks_are_spread_over_the_disc():
    points = spiral(400, 0.3)
    reach = np.hypot(*points.T)
    assert reach[0] == 0 and reach.max() == pytest.approx(0.3)
    assert (reach < 0.3 / np.sqrt(2)).mean() == pytest.approx(0.5, abs=0.01)  # of half the area
    assert np.abs(points.mean(0)).max() < 0.003 and len(np.unique(points, axis=0)) == 400


def test_a_shift_is_bilinear_and_repeats_the_border():
    image = IMAGE.astype(float)
    np.testing.assert_array_equal(shifted(IMAGE, 1, -2)[:-2, 1:], IMAGE[2:, :-1])
    np.testing.assert_array_equal(shifted(IMAGE, 1, 0)[:, 0], IMAGE[:, 0])
    between = np.rint(image[:, :-1] * 0.25 + image[:, 1:] * 0.75)
    np.testing.assert_array_equal(shifted(IMAGE, 0.25, 0)[:, 1:], between)


def test_looks_are_shifts_in_pixels_of_the_field():
    """A radius of one degree of 8, on 256 pixels, is 32 of them."""
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 256, 3))
    rows = [view[128, 128, 0] for view in Screen(looks=30, radius=1).views(ramp)]
    expected = 128 - 32 * spiral(30, 1)[:, 1]
    np.testing.assert_allclose(rows, expected, atol=0.5)


def test_what_cannot_be_seen_is_refused():
    with pytest.raises(DataError, match="0 degrees in a field of 8"):
        Screen(shown=0)
