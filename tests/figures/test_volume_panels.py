"""Slices show the masks they cut through."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from src.figures import panels
from src.figures.panels.volumes import COLORS, slices_through

RNG = np.random.default_rng(0)


def test_a_slice_shows_each_mask_in_its_color(axis):
    masks = {"large": RNG.random((4, 5, 6)) < 0.7, "small": RNG.random((4, 5, 6)) < 0.3}
    assert panels.volume_slice(axis, masks, 2, 3) is None
    for drawn, mask, color in zip(axis.images, masks.values(), COLORS, strict=False):
        shown = np.asarray(drawn.get_array())
        np.testing.assert_array_equal(shown[..., 3], mask[:, :, 3].T)
        np.testing.assert_allclose(shown[mask[:, :, 3].T][0, :3], to_rgb(color))
    assert axis.get_title(loc="left") == "z = 3" and not axis.yaxis_inverted()


def test_slices_show_values_where_the_mask_is():
    values, mask = RNG.random((6, 7, 5)), np.zeros((6, 7, 5), bool)
    mask[2:4, 1:6, 1:4] = RNG.random((2, 5, 3)) < 0.5
    mask[2, 1, 1] = mask[3, 5, 3] = True
    figure, axes = plt.subplots(1, 2)
    assert panels.value_slices(axes, values, mask, (1, 3), ("viridis", -1, 2), "r") is None
    for axis, at in zip(axes, (1, 3), strict=True):
        drawn = axis.images[0]
        shown = np.ma.filled(drawn.get_array(), np.nan)
        expected = np.where(mask, values, np.nan)[1:5, 0:7, at].T
        np.testing.assert_array_equal(shown, expected)
        assert drawn.get_clim() == (-1, 2) and not axis.yaxis_inverted()
    assert [a.get_ylabel() for a in figure.axes[2:]] == ["r"]
    plt.close(figure)


def test_slices_run_from_one_end_of_a_mask_to_the_other():
    mask = np.zeros((3, 3, 30), bool)
    mask[1, 1, 4:25] = True
    assert slices_through(mask, 6).tolist() == [4, 8, 12, 16, 20, 24]
