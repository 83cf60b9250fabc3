"""Panels of objects, rates and probes show the numbers they were given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from src.figures import panels
from src.figures.panels.objects import SHADES

RNG = np.random.default_rng(0)
GROUPS = np.repeat(["cars", "faces", "ships"], (5, 8, 1))
RATES = RNG.normal(size=14)
PROFILE = pd.DataFrame(
    [
        (network, layer, s + 0.01 * (network == "b"), s - 0.02, s + 0.03)
        for network in "ab"
        for layer, s in (("conv1", 0.1), ("layer3", 0.4), ("avgpool", 0.3))
    ],
    columns=["network", "layer", "score", "low", "high"],
)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_shown_in_its_own_range(axis, channels):
    image = RNG.integers(50, 200, (channels, 6, 7), np.uint8)
    assert panels.picture(axis, image) is None
    shown = np.asarray(axis.images[0].get_array()).reshape(6, 7, channels)
    np.testing.assert_array_equal(shown, np.moveaxis(image, 0, -1))
    assert axis.images[0].get_clim() == (0, 255)


def test_versions_of_pictures_are_rows_one_above_the_other(axis):
    """A gray and a colored row, the second half as fine."""
    rows = {
        "shown": RNG.integers(0, 256, (3, 1, 8, 8), np.uint8),
        "drawn": RNG.integers(0, 256, (3, 3, 4, 4), np.uint8),
    }
    assert panels.picture_rows(axis, rows) is None
    for k, (drawn, images) in enumerate(zip(axis.images, rows.values(), strict=True)):
        assert list(drawn.get_extent()) == [0, 24, 8 * k + 8, 8 * k]
        shown, size = np.asarray(drawn.get_array()), images.shape[-1]
        for i, image in enumerate(images):
            part = shown[:, i * size : (i + 1) * size]
            np.testing.assert_array_equal(
                part, np.broadcast_to(image.transpose(1, 2, 0), part.shape)
            )
    assert [t.get_text() for t in axis.get_yticklabels()] == ["shown", "drawn"]
    assert axis.get_yticks().tolist() == [4, 12] and axis.get_ylim() == (16, 0)


def test_segments_are_shaded_by_kind_and_named_in_their_middle(axis):
    labels = np.zeros((6, 9), int)
    labels[1:4, :3], labels[:, 5:] = 2, 11
    assert panels.segment_map(axis, labels, list("abcdefghijk")) is None
    shown = np.asarray(axis.images[0].get_array().filled(-1))
    np.testing.assert_array_equal(shown, np.select([labels == 2, labels == 11], [1, 1], -1))
    assert [(t.get_text(), t.get_position()) for t in axis.texts] == [
        ("b", (1, 2)),
        ("k", (6.5, 2.5)),
    ]


def test_every_rate_is_a_line_in_the_shade_of_its_group(axis):
    assert panels.rates_by_group(axis, RATES, GROUPS) is None
    segments = np.concatenate([lines.get_segments() for lines in axis.collections])
    np.testing.assert_array_equal(segments[:, 0], np.column_stack([np.arange(14), np.zeros(14)]))
    np.testing.assert_array_equal(segments[:, 1], np.column_stack([np.arange(14), RATES]))
    shades = [to_rgb(lines.get_color()[0]) for lines in axis.collections]
    assert shades == [to_rgb(shade) for shade in SHADES[:3]]
    assert [t.get_text() for t in axis.get_xticklabels()] == ["cars", "faces", "ships"]
    assert axis.get_xticks().tolist() == [2, 8.5, 13]


def test_group_bars_hold_means_and_their_intervals(axis):
    """Against pandas' standard error, in the order of the names given."""
    names = ["faces", "cars"]
    panels.group_bars(axis, RATES, GROUPS, names)
    values = pd.Series(RATES).groupby(GROUPS)
    points = [line for line in axis.lines if line.get_marker() == "o"]
    drawn = [line.get_xydata()[0].tolist() for line in points]
    assert drawn == [[pytest.approx(values.mean()[n]), k] for k, n in enumerate(names)]
    spans = [lines.get_segments()[0][:, 0] for lines in axis.collections]
    for span, name in zip(spans, names, strict=True):
        expected = values.mean()[name] + 1.96 * values.sem()[name] * np.array([-1, 1])
        np.testing.assert_allclose(span, expected)


def test_dissimilarity_ranks_one_minus_correlation(axis):
    """From a Gram of features with a large common part, which is taken off."""
    x = RNG.normal(size=(14, 30)) + 7
    assert panels.dissimilarity(axis, x @ x.T, GROUPS) is None
    shown = np.asarray(axis.images[0].get_array())
    above = np.triu_indices(14, 1)
    centered = x - x.mean(0)
    norm = np.linalg.norm(centered, axis=1)
    cosine = centered @ centered.T / np.outer(norm, norm)
    ranks = pd.Series((1 - cosine)[above]).rank() - 1
    np.testing.assert_allclose(shown[above], ranks / 90)  # of 91 pairs
    np.testing.assert_array_equal(shown, shown.T)
    assert not shown.diagonal().any()
    assert axis.get_yticks().tolist() == [2, 8.5, 13]
    rules = [line.get_ydata()[0] for line in axis.lines[::2]]
    assert rules == [4.5, 12.5]


def test_dissimilarity_of_centered_rows_is_that_of_numpy(axis):
    """Rows whose values have mean 0, and columns too: then it is 1 - np.corrcoef."""
    x = RNG.normal(size=(9, 40))
    for _ in range(50):
        x -= x.mean(1, keepdims=True)
        x -= x.mean(0)
    panels.dissimilarity(axis, x @ x.T)
    shown, above = np.asarray(axis.images[0].get_array()), np.triu_indices(9, 1)
    expected = pd.Series((1 - np.corrcoef(x))[above]).rank() - 1
    np.testing.assert_allclose(shown[above] * 35, expected)


def test_a_box_holds_the_known_scores_of_a_system(axis):
    units = pd.DataFrame({"system": np.repeat(["b", "a"], 21), "r": RNG.random(42)})
    units.loc[3, "r"] = np.nan
    panels.unit_boxes(axis, units, "r")
    medians = units.groupby("system", sort=False)["r"].median()
    drawn = [line for line in axis.lines if to_rgb(line.get_color()) == to_rgb("#0072b2")]
    np.testing.assert_allclose([line.get_xdata()[0] for line in drawn], medians)
    assert [t.get_text() for t in axis.get_yticklabels()] == ["b", "a"] and axis.yaxis_inverted()
    quartiles = units.groupby("system", sort=False)["r"].quantile([0.25, 0.75]).to_numpy()
    ends = [np.unique(box.get_path().vertices[:, 0]) for box in axis.patches]
    np.testing.assert_allclose(np.ravel([(e.min(), e.max()) for e in ends]), quartiles)


def test_a_layer_profile_has_its_intervals(axis):
    one = PROFILE[PROFILE["network"] == "a"]
    panels.layer_profile(axis, one, "trained", "#0072b2")
    np.testing.assert_allclose(axis.lines[0].get_xydata()[:, 1], [0.1, 0.4, 0.3])
    ends = [segment[:, 1].tolist() for segment in axis.collections[0].get_segments()]
    np.testing.assert_allclose(ends, one[["low", "high"]])
    assert [t.get_text() for t in axis.get_xticklabels()] == ["conv1", "layer3", "avgpool"]


def test_the_profile_of_several_starts_is_their_mean_in_a_band(axis):
    panels.layer_profile(axis, PROFILE, "untrained", "#b8b8b8")
    np.testing.assert_allclose(axis.lines[0].get_ydata(), [0.105, 0.405, 0.305])
    corners = axis.collections[0].get_paths()[0].vertices
    for x, low in enumerate((0.1, 0.4, 0.3)):
        y = corners[corners[:, 0] == x, 1]
        np.testing.assert_allclose([y.min(), y.max()], [low, low + 0.01])


def test_the_share_above_the_line_is_that_of_the_second_system(axis):
    first, change = np.arange(1, 6) / 10, np.array([0.1, -0.1, 0, 0.2, 0.1])
    panels.unit_scatter(axis, first, first + change)
    assert axis.texts[0].get_text() == "60% above the line"
    np.testing.assert_array_equal(axis.collections[0].get_offsets()[:, 0], first)
    assert axis.get_xlim() == axis.get_ylim()


def test_histograms_share_bins_and_show_medians(axis):
    scores = {"trained": RNG.random(40), "untrained": RNG.random(30) - 0.4}
    shades = {"trained": "#0072b2", "untrained": "#b8b8b8"}
    panels.score_histograms(axis, scores, shades, "r")
    heights = np.reshape([bar.get_height() for bar in axis.patches], (2, 20))
    edges = np.histogram_bin_edges(np.concatenate(list(scores.values())), 20)
    for row, (name, values) in zip(heights, scores.items(), strict=True):
        np.testing.assert_array_equal(row, np.histogram(values, edges)[0])
        (line,) = [x for x in axis.lines if to_rgb(x.get_color()) == to_rgb(shades[name])]
        assert line.get_xdata()[0] == np.median(values)


def test_violins_stand_around_the_boxes_of_their_quartiles(axis):
    scores = {"trained": RNG.random(40), "untrained": RNG.random(30) - 0.4}
    shades = {"trained": "#0072b2", "untrained": "#b8b8b8"}
    panels.score_violins(axis, scores, shades, "r")
    assert [t.get_text() for t in axis.get_xticklabels()] == list(scores)
    for k, (name, values) in enumerate(scores.items()):
        body = axis.collections[k]
        y = body.get_paths()[0].vertices[:, 1]
        np.testing.assert_allclose([y.min(), y.max()], [values.min(), values.max()])
        assert to_rgb(body.get_facecolor()[0]) == to_rgb(shades[name])
        lines = [x.get_ydata() for x in axis.lines if abs(np.mean(x.get_xdata()) - k) < 0.1]
        ends = np.quantile(values, [0.25, 0.5, 0.75])
        for end in ends:
            assert min(np.abs(y - end).min() for y in lines) < 1e-12


def test_a_unit_without_a_score_has_no_bar_and_no_say_in_the_mean(axis):
    values = np.array([0.5, np.nan, -0.1, 0.2])
    panels.unit_bars(axis, values, "EV")
    np.testing.assert_array_equal([bar.get_height() for bar in axis.patches], values)
    assert axis.lines[0].get_ydata()[0] == pytest.approx(0.2)
    assert axis.get_title(loc="left") == "mean 0.200"


def test_every_window_is_a_circle_around_its_center(axis):
    """The window that is the whole picture has no circle."""
    units = pd.DataFrame({"x": [-0.6, 0, 0.2], "y": [0.2, 0, 0.6], "sigma": [0.15, np.inf, 0.4]})
    panels.windows(axis, units.assign(r=[0.5, 0.9, -0.2]))
    assert len(axis.lines) == 2
    for line, row in zip(axis.lines, units.iloc[[0, 2]].itertuples(), strict=True):
        radius = np.linalg.norm(line.get_xydata() - [row.x, row.y], axis=1)
        np.testing.assert_allclose(radius, row.sigma)
    assert [line.get_alpha() for line in axis.lines] == [0.5, 0.05]
    assert axis.yaxis_inverted()
