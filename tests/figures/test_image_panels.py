"""Panels of images and of behavior show the numbers they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.figures import panels

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "session": np.repeat(["a", "b"], 8),
        "model": "wide",
        "performance": RNG.uniform(0.3, 0.8, 16),
        "shuffled": RNG.uniform(0, 0.3, 16),
        "area": np.where(np.arange(16) % 4, RNG.random(16), np.nan),
    }
)
TABLE["low"], TABLE["high"] = TABLE["performance"] - 0.1, TABLE["performance"] + 0.1


def test_images_stand_from_worst_to_best_each_with_its_interval_and_chance(axis):
    panels.image_performance(axis, TABLE[:8])
    rows = TABLE[:8].sort_values("performance")
    own, chance = axis.lines
    np.testing.assert_array_equal(own.get_ydata(), rows["performance"])
    np.testing.assert_array_equal(chance.get_ydata(), rows["shuffled"])
    ends = [segment[:, 1].tolist() for segment in axis.collections[0].get_segments()]
    np.testing.assert_allclose(ends, rows[["low", "high"]])


def test_relation_shows_every_image_that_has_the_property(axis):
    found = pd.Series({"r": 0.25, "low": -0.1, "high": 0.5, "p_holm": 0.4})
    panels.performance_relation(axis, TABLE, "area", found)
    known = TABLE.dropna(subset="area")
    drawn = np.concatenate([points.get_offsets() for points in axis.collections])
    np.testing.assert_array_equal(drawn, known[["area", "performance"]])
    assert axis.get_title("left") == "r = 0.25 [-0.10, 0.50], p = 0.40"


def test_thumbnails_stand_in_the_order_given(axis):
    """Flat images of rising gray: the sheet reads row by row, the last row unfinished."""
    grays = range(10, 240, 10)
    panels.thumbnail_sheet(axis, [np.full((144, 256), gray, np.uint8) for gray in grays], columns=5)
    sheet = np.asarray(axis.images[0].get_array())
    rows, columns = sheet.shape[0] // 58, sheet.shape[1] // 100
    assert (rows, columns) == (5, 5)
    middles = sheet[27::58, 48::100].ravel()
    np.testing.assert_array_equal(middles, [*grays, 255, 255])


def test_groups_show_their_images_and_means(axis):
    values, groups = RNG.random(9), np.array(["x", "y", "y"] * 3)
    table = pd.DataFrame(
        {"group": ["y", "x"], "images": [6, 3], "mean": [0.6, 0.4], "low": 0.3, "high": 0.7}
    )
    panels.group_means(axis, values, groups, table)
    means, *ticks = axis.lines
    np.testing.assert_array_equal(means.get_xdata(), [0.6, 0.4])
    np.testing.assert_array_equal(ticks[0].get_xdata(), values[groups == "y"])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["y (6)", "x (3)"]


def test_thirds_and_their_differences_show_the_scores():
    thirds = pd.DataFrame(
        {
            "model": ["wide", "wide", "other repeats", "other repeats"],
            "third": ["smallest", "largest"] * 2,
            "score": [0.2, 0.3, 0.5, 0.4],
            "low": 0.1,
            "high": 0.6,
        }
    )
    _, axes = plt.subplots(1, 2)
    panels.third_scores(axes[0], thirds, "pupil size")
    assert [line.get_ydata().tolist() for line in axes[0].lines] == [[0.2, 0.3], [0.5, 0.4]]
    table = pd.DataFrame({"model": ["wide"], "difference": [0.1], "low": [0.0], "high": [0.2]})
    panels.third_differences(axes[1], table.assign(null=0.05), "pupil size")
    assert axes[1].collections[1].get_offsets().tolist() == [[0.1, 0.0]]
    assert axes[1].lines[1].get_xdata().tolist() == [0.05]


def test_units_stand_above_the_diagonal_where_the_largest_third_is_better(axis):
    units = np.array([[0.1, 0.3, np.nan], [0.2, 0.1, np.nan]])
    panels.paired_units(axis, units, "wide")
    np.testing.assert_array_equal(axis.collections[0].get_offsets()[:2], units[:, :2].T)
    assert axis.get_xlim() == axis.get_ylim()
