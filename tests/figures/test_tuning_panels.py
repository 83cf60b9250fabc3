"""Panels of trunks and depths show what they were given."""

import numpy as np
import pandas as pd

from src.figures import panels

RNG = np.random.default_rng(0)
AREAS = ("V1", "V2", "V3", "hV4")


def test_the_first_trunk_is_at_the_bottom(axis):
    matrix = RNG.normal(0, 0.02, (4, 4))
    matrix[0, 1] = np.nan
    assert panels.transfer_map(axis, matrix, AREAS, 0.04) is None
    (image,) = axis.images
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), matrix)
    assert image.origin == "lower" and image.get_clim() == (-0.04, 0.04)
    assert len(axis.texts) == 15
    said = {(t.get_position()): t.get_text() for t in axis.texts}
    assert said[2, 1] == f"{matrix[1, 2]:+.3f}".replace("-", "−")


def test_a_difference_counts_units_above_the_threshold(axis):
    first, second = np.array([0.5, 0.4, 0.01, 0.2]), np.array([0.4, 0.5, 0.02, 0.3])
    assert panels.difference_map(axis, first, second, 0.055) is None
    assert [t.get_text() for t in axis.texts] == ["33%", "67%"]
    assert axis.collections[0].get_array().sum() == 4
    low, high = axis.get_xlim()
    assert low == -high and high > 0.1
    axis.clear()
    panels.difference_map(axis, first, second, 0.9)
    assert [t.get_text() for t in axis.texts] == ["–", "–"]


def test_dots_of_groups_stand_at_differences_and_means(axis):
    first, second = RNG.random(9), RNG.random(9)
    groups, colors = np.array([*"aab"] * 3), {"a": "#0072b2", "b": "#d55e00"}
    assert panels.difference_dots(axis, first, second, groups, colors) is None
    for drawn, name in zip(axis.collections, colors, strict=True):
        here = groups == name
        expected = np.column_stack([second - first, (first + second) / 2])[here]
        np.testing.assert_allclose(np.ma.filled(drawn.get_offsets()), expected)
    share = np.mean(second > first)
    assert [t.get_text() for t in axis.texts] == [f"{1 - share:.0%}", f"{share:.0%}"]


def test_shares_of_models_stand_side_by_side(axis):
    rows = [(m, a, 90, 85, 95, 50 + i, 45, 55) for i, m in enumerate("xy") for a in AREAS]
    columns = ["shared", "shared_low", "shared_high", "unique", "unique_low", "unique_high"]
    table = pd.DataFrame(rows, columns=["model", "area", *columns])
    assert panels.share_bars(axis, table, {"x": "#0072b2", "y": "#d55e00"}) is None
    heights = [bar.get_height() for bar in axis.patches]
    assert heights == [90] * 4 + [50] * 4 + [90] * 4 + [51] * 4
    middles = [bar.get_x() + bar.get_width() / 2 for bar in axis.patches[::4]]
    np.testing.assert_allclose(middles, [-0.2, -0.2, 0.2, 0.2])
    assert [t.get_text() for t in axis.get_legend().get_texts()] == ["x", "y"]
    assert len(axis.collections) == 4


def test_fields_are_tiles_of_one_height(axis):
    fields = RNG.random((7, 3, 4))
    outline = np.array([[0.0, 1.0], [9.0, 1.0]])
    panels.pooling_fields(axis, fields, [None, outline, *[None] * 5])
    shown = np.ma.filled(axis.images[0].get_array(), np.nan)
    assert shown.shape == (7, 29)
    np.testing.assert_allclose(shown[:3, 5:9], fields[1] / fields[1].max())
    np.testing.assert_allclose(shown[4:, :4], fields[6] / fields[6].max())
    np.testing.assert_allclose(axis.lines[0].get_xdata(), [5, 8.5])
