"""Panels of trunks and depths show what they were given."""

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

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
    assert axis.get_xlim() == (-0.2, 0.2) and axis.get_ylim() == (-0.1, 0.9)  # as published
    axis.clear()
    panels.difference_map(axis, first, second, 0.9)
    assert [t.get_text() for t in axis.texts] == ["–", "–"]


def test_a_margin_splits_units_above_the_threshold_at_zero(axis):
    first, second = np.array([0.5, 0.4, 0.01, 0.2, 0.3]), np.array([0.4, 0.5, 0.02, 0.3, 0.3])
    assert panels.difference_margin(axis, first, second, 0.055, ("#0072b2", "#d55e00")) is None
    counted = {bar.get_facecolor()[:3]: 0 for bar in axis.patches}
    for bar in axis.patches:
        counted[bar.get_facecolor()[:3]] += bar.get_height()
    assert counted == {to_rgb("#0072b2"): 1, to_rgb("#d55e00"): 3}
    assert len(axis.patches) == 2 * 50 and axis.get_xlim() == (-0.2, 0.2)
    left = [
        b for b in axis.patches if b.get_height() and b.get_facecolor()[:3] == to_rgb("#0072b2")
    ]
    assert left[0].get_x() <= -0.1 + 1e-9 <= left[0].get_x() + left[0].get_width()
    axis.clear()
    panels.difference_margin(axis, first - 2, first, 0.055, ("#0072b2", "#d55e00"))
    assert axis.get_xlim() == (-2.1, 2.1)


def test_masks_are_strips_over_channels(axis):
    masks = {"L1": np.array([1.0, 1, 0]), "rest": np.array([0.0, 0, 1])}
    assert panels.mask_strips(axis, masks) is None
    np.testing.assert_array_equal(axis.images[0].get_array(), list(masks.values()))
    assert [t.get_text() for t in axis.get_yticklabels()] == ["L1", "rest"]
    assert [t.get_text() for t in axis.get_xticklabels()] == ["1", "3"]


def test_masks_have_a_dot_a_model_beside_their_strips(axis):
    rows = [(m, k, 50 + 10 * i + j, 40, 90) for i, m in enumerate("xy") for j, k in enumerate("ab")]
    table = pd.DataFrame(rows, columns=["model", "mask", "shared", "low", "high"])
    panels.intervals_by_model(axis, table, "mask", "shared")
    for line, (model, own) in zip(axis.lines, table.groupby("model"), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), own["shared"])
        assert line.get_label() == model and np.round(line.get_ydata()).tolist() == [0, 1]
    assert axis.get_ylim() == (1.5, -0.5)  # as the rows of an image


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
    means = {line.get_color(): line.get_ydata()[0] for line in axis.lines if line.get_zorder() == 0}
    assert means == {"#0072b2": 50, "#d55e00": 51}


def test_a_scaling_curve_joins_the_means_of_parts(axis):
    rows = [(11, 31, 0.1), (11, 29, 0.2), (33, 97, 0.3)]
    table = pd.DataFrame(rows, columns=["images", "trials", "r"])
    table["low"], table["high"] = table["r"] - 0.1, table["r"] + 0.1
    panels.scaling_curve(axis, table, "#0072b2", "fitted")
    dots, line = axis.lines
    np.testing.assert_allclose(dots.get_xydata(), table[["trials", "r"]])
    np.testing.assert_allclose(line.get_xydata(), [(30, 0.15), (97, 0.3)])
    assert axis.get_xscale() == "log" and len(axis.collections[0].get_segments()) == 3


def test_a_gradient_is_blue_where_light_lowers_the_error(axis):
    panels.pixel_gradient(axis, np.array([[-2.0, 0.0, 2.0]]), 1.0)
    (less, none, more), *_ = axis.images[0].to_rgba(axis.images[0].get_array())
    assert less[2] > less[0] and more[0] > more[2] and none[:3].min() > 0.9


def test_fields_are_tiles_of_one_height(axis):
    fields = RNG.random((7, 3, 4))
    outline = np.array([[0.0, 1.0], [9.0, 1.0]])
    panels.pooling_fields(axis, fields, [None, outline, *[None] * 5])
    shown = np.ma.filled(axis.images[0].get_array(), np.nan)
    assert shown.shape == (7, 29)
    np.testing.assert_allclose(shown[:3, 5:9], fields[1] / fields[1].max())
    np.testing.assert_allclose(shown[4:, :4], fields[6] / fields[6].max())
    np.testing.assert_allclose(axis.lines[0].get_xdata(), [5, 8.5])
