"""Panels show the numbers they were given, label their axes, and keep every word in the figure."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.transforms import Bbox

from src.analyses.retinotopy import limits, position_colors
from src.figures import panels
from src.figures.style import FAINT, ROLE_COLORS, mark_simulated, model_color

RNG = np.random.default_rng(0)
SESSIONS = pd.DataFrame(
    {
        "session": ["21067-10-18", "26872-17-20", "27204-5-13"],
        "role": ["pretraining", "sensorium", "sensorium+"],
        "units": [8372, 7776, 7538],
        "train": [4492, 4490, 4491],
        "validation": [500, 499, 501],
        "test": [998, 990, 977],
        "final_test": [0, 990, 985],
    }
)
RESPONSES = RNG.gamma(0.5, 2, size=(60, 150))
SOMA = RNG.uniform(-800, -200, size=(90, 3))
MU = SOMA[:, :2] / 2000 + 0.01 * RNG.normal(size=(90, 2))
COLORS = position_colors(MU, *limits(MU))
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4, 5],
        "validation": [0.1, 0.2, 0.25, 0.22, 0.24],
        "learning_rate": [0.009, 0.009, 0.009, 0.0027, 0.0027],
        "validation_loss": [0.9, 0.8, 0.7, 0.72, 0.71],
    }
)
STEPS = pd.DataFrame({"epoch": [1, 1, 2, 2], "step": [1, 2, 1, 2], "loss": [4.0, 1.0, 0.8, 0.6]})
UNITS = pd.DataFrame(
    {
        "model": np.repeat(["ln", "cnn", "wide x 3"], 40),
        "avg": RNG.beta(3, 3, 120),
        "feve": RNG.normal(0.4, 0.2, 120),
        "cc_max": RNG.beta(6, 2, 120),
        "kept": RNG.random(120) > 0.2,
    }
)
MEANS = pd.DataFrame(
    [
        {"model": m, "metric": k, "score": s, "low": s - 0.02, "high": s + 0.03}
        for m, add in (("ln", 0), ("cnn", 0.1), ("wide x 3", 0.15))
        for k, s in (("single", 0.2 + add), ("avg", 0.4 + add), ("feve", 0.3 + add))
    ]
)
CONTROLS = pd.DataFrame(
    [
        {"network": n, "kind": k, "mean": m + add, "low": m + add - 0.1, "high": m + add + 0.2}
        for n, m in (("trained", 0.3), ("untrained", 0.1), ("shuffled positions", 0.0))
        for k, add in (("own image", 0.1), ("other images", 0.0))
    ]
)

FIELDS = pd.DataFrame(
    {
        "model": np.repeat(["ln", "cnn"], 40),
        "snr": RNG.gamma(2, 1, 80),
        "null_snr": RNG.normal(0, 0.04, 80),
    }
)

TESTED = pd.DataFrame(
    {
        "session": np.repeat(["21067-10-18", "23343-5-17"], 30),
        "model": "wide x 3",
        "image_id": np.tile(np.arange(30), 2),
        "performance": RNG.uniform(0.3, 0.8, 60),
        "shuffled": RNG.uniform(0, 0.3, 60),
        "complexity": np.tile(RNG.uniform(200, 2000, 30), 2),
        "area": np.where(np.arange(60) % 3, RNG.uniform(0, 1, 60), np.nan),
    }
)
TESTED["low"], TESTED["high"] = TESTED["performance"] - 0.1, TESTED["performance"] + 0.12
RELATION = pd.Series({"r": -0.3, "low": -0.5, "high": -0.1, "p_holm": 0.02})
CATEGORIES = np.array(["Animals", "Human", "Man-made"])[np.arange(30) % 3]
GROUPED = pd.DataFrame(
    {
        "group": ["Human", "Animals", "Man-made"],
        "images": 10,
        "mean": [0.6, 0.5, 0.4],
        "low": [0.5, 0.45, np.nan],
        "high": [0.7, 0.55, np.nan],
    }
)
BY_THIRD = pd.DataFrame(
    [
        {"model": m, "third": t, "score": s, "low": s - 0.02, "high": s + 0.02}
        for m, add in (("wide", 0), ("wide_plus", 0.05), ("other repeats", 0.2))
        for t, s in (("smallest", 0.2 + add), ("largest", 0.25 + add))
    ]
)
DIFFERENCES = pd.DataFrame(
    {
        "model": ["wide", "wide_plus", "other repeats"],
        "difference": [0.05, 0.03, -0.01],
        "low": [0.02, 0.0, -0.03],
        "high": [0.08, 0.06, 0.02],
        "null": [0.01, 0.0, -0.01],
    }
)

BOX_DIFFERENCES = pd.DataFrame(
    {
        "label": ["true − none", "shuffled − none"],
        "score": [0.02, -0.001],
        "low": [0.01, -0.01],
        "high": [0.03, 0.01],
        "seed_1": [0.015, 0.004],
        "seed_2": [0.025, -0.006],
        "note": ["p = 0.001", "p = 0.800"],
    }
)
CURVE = pd.DataFrame(
    [
        (m, k, 50 * 3**k, s, s - 0.02, s + 0.03, s - 0.01, s + 0.01)
        for m, add in (("cnn", 0), ("wide", 0.1))
        for k, s in ((1, 0.2 + add), (2, 0.25 + add), (3, 0.27 + add))
    ],
    columns=["model", "members", "images", "score", "low", "high", "worst", "best"],
)
HONESTY = pd.DataFrame(
    [
        ("test, all members", 0.3, 0.28, 0.33, "honest"),
        ("validation, held out", 0.25, 0.22, 0.27, "honest"),
        ("validation, all members", 0.5, 0.46, 0.53, "CONTAMINATED"),
    ],
    columns=["label", "score", "low", "high", "status"],
)

CONTEST = pd.DataFrame(
    [
        (f"compact {k}", f"wide {k}", metric, d, d - 0.02, d + 0.03)
        for k in (1, 2)
        for metric, d in (("single", 0.05 * k), ("avg", 0.1), ("feve", -0.02))
    ],
    columns=["model", "other", "metric", "difference", "low", "high"],
)
PRICE = pd.DataFrame(
    {"model": ["compact", "wide"], "member": 1, "own": [0.1, 2.0], "teachers": [0.2, 0.0]}
)
PRICED = pd.DataFrame(
    [
        (m, s, s - 0.02, s + 0.02)
        for m, s in (("compact 1", 0.5), ("compact x 1", 0.6), ("wide 1", 0.4))
    ],
    columns=["model", "score", "low", "high"],
)
NEAR = pd.DataFrame({"distance": [20.0, 60.0, 120.0], "r": [0.5, 0.3, 0.1]})
NEAR["low"], NEAR["high"] = NEAR["r"] - 0.1, NEAR["r"] + 0.1
RATIOS = pd.DataFrame(
    [
        (a, k, "21067-10-18", RNG.random())
        for a in "xyz"
        for k in ("units", "shuffled")
        for _ in range(9)
    ],
    columns=["axis", "kind", "session", "ratio"],
)
GAPS = pd.DataFrame(
    {"k": [1, 2, 3], "gap": [0.1, 0.4, 0.5], "error": 0.02, "within": [2.0, 1.0, 0.5]}
)
RANDS = pd.DataFrame(
    {"pair": ["function − position"], "rand": [0.1], "null_low": [-0.02], "null_high": [0.02]}
)
PROFILE = pd.DataFrame(
    {"place": [0.0, 50.0], "score": [0.3, 0.5], "low": [0.2, 0.4], "high": [0.4, 0.6]}
)

SHADES = {"a": "#0072b2", "b": "#b8b8b8"}
RATES = RNG.normal(size=60)
WINDOWS = pd.DataFrame(
    {"x": [-0.6, 0.0, 0.2], "y": [0.2, 0.0, 0.6], "sigma": [0.15, np.inf, 0.4], "r": 0.5}
)
TRIALS = pd.DataFrame(
    {"trial": [0, 1], "state": ["complete", "pruned"], "score": [0.2, 0.1], "best": 0.2, "rate": 1}
)

DRAWN = {
    "score_differences": (CONTEST,),
    "score_by_price": (PRICED, PRICE),
    "unit_bars": (RNG.random(30), "EV"),
    "rank_lag": ([RNG.random(30), RNG.random(20)],),
    "distance_curve": (NEAR,),
    "change_boxes": (RATIOS, {"units": "#0072b2", "shuffled": "#b8b8b8"}),
    "embedding": (SOMA[:, :2], np.arange(len(SOMA)) % 3, ["a", "b", "c"]),
    "clusters_in_cortex": (SOMA, np.arange(len(SOMA)) % 3),
    "gap_curve": (GAPS,),
    "elbow": (GAPS,),
    "rand_bars": (RANDS,),
    "control_intervals": (CONTROLS, "correlation"),
    "property_histogram": (TESTED["complexity"], "complexity"),
    "property_scatter": (TESTED["complexity"], TESTED["performance"], ("complexity", "contrast")),
    "image_performance": (TESTED[:30],),
    "performance_by_session": (TESTED[::30],),
    "performance_relation": (TESTED, "area", RELATION),
    "group_means": (TESTED["performance"].to_numpy()[:30], CATEGORIES, GROUPED),
    "third_scores": (BY_THIRD, "pupil size"),
    "third_differences": (DIFFERENCES, "pupil size"),
    "paired_units": (RNG.uniform(-0.1, 0.7, (2, 50)), "wide"),
    "units_per_session": (SESSIONS,),
    "images_per_session": (SESSIONS,),
    "response_raster": (RESPONSES,),
    "behavior_traces": (RNG.normal(size=(60, 3)), RNG.normal(size=(60, 2))),
    "response_bars": (RESPONSES[0],),
    "soma_cloud": (SOMA, RESPONSES[:, :90].mean(axis=0)),
    "learning_curve": (HISTORY, "cnn"),
    "learning_rates": (HISTORY,),
    "loss_curves": (STEPS, HISTORY),
    "score_distributions": (UNITS, "avg"),
    "score_intervals": (MEANS,),
    "members_curve": (CURVE,),
    "size_curve": (CURVE,),
    "score_against_ceiling": (UNITS[UNITS["model"] == "cnn"],),
    "predicted_against_measured": (RESPONSES[0], RESPONSES[1], 0.5),
    "retinotopy_map": (SOMA, COLORS),
    "color_square": limits(MU),
    "position_scatter": (MU, COLORS),
    "receptive_field": (RNG.normal(size=(1, 36, 64)), 8 * MU + 20, np.array([30, 18])),
    "snr_distributions": (FIELDS,),
    "center_shifts": (RNG.uniform(5, 30, (40, 2)), RNG.uniform(5, 30, (40, 2)), "cnn"),
    "null_histogram": (RNG.normal(size=200), 4.0),
    "interval_rows": (BOX_DIFFERENCES, "difference", True),
    "group_bars": (RATES, np.array(["faces", "cars"])[np.arange(60) % 2], ["cars", "faces"]),
    "score_histograms": (dict(zip("ab", RNG.random((2, 40)), strict=True)), SHADES, "r"),
    "windows": (WINDOWS,),
    "trial_scores": (TRIALS, "rate"),
    "best_so_far": (TRIALS,),
}


def test_every_panel_is_drawn():
    """In the table here, or by a test of its own in one of these files."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    called = {name for name in panels.__all__ if re.search(rf"panels\.{name}\b", tests)}
    assert set(DRAWN) <= set(panels.__all__)
    assert set(panels.__all__) - set(DRAWN) - called == set()


@pytest.mark.parametrize("name", DRAWN)
def test_panel_labels_its_axes_and_keeps_every_word_in_the_figure(axis, name):
    assert getattr(panels, name)(axis, *DRAWN[name]) is None
    mark_simulated(axis.figure)
    axis.figure.canvas.draw()
    assert axis.get_xlabel()
    assert axis.get_ylabel() or any(t.get_text() for t in axis.get_yticklabels())
    everything = Bbox.union([part.get_tightbbox() for part in axis.figure.axes])
    figure = axis.figure.bbox
    assert figure.x0 <= everything.x0 + 1 and everything.x1 <= figure.x1 + 1
    assert figure.y0 <= everything.y0 + 1 and everything.y1 <= figure.y1 + 1


def test_bars_are_as_long_as_the_numbers(axis):
    panels.units_per_session(axis, SESSIONS)
    assert [bar.get_width() for bar in axis.patches] == SESSIONS["units"].tolist()
    colors = [to_rgb(bar.get_facecolor()) for bar in axis.patches]
    assert colors == [to_rgb(ROLE_COLORS[r]) for r in SESSIONS["role"]]


def test_only_test_trials_are_boxed(axis):
    panels.images_per_session(axis, SESSIONS)
    tiers = ["train", "validation", "test", "final_test"]
    widths = np.reshape([bar.get_width() for bar in axis.patches], (4, 3))
    np.testing.assert_array_equal(widths, SESSIONS[tiers].T)
    ends = np.reshape([bar.get_x() for bar in axis.patches], (4, 3))
    np.testing.assert_array_equal(ends[1:], np.cumsum(widths, axis=0)[:-1])
    boxed = np.reshape([bar.get_edgecolor()[3] > 0 for bar in axis.patches], (4, 3))
    assert boxed.all(axis=1).tolist() == [False, False, True, True]
    assert not boxed[:2].any()


def test_raster_shows_units_by_trials(axis):
    panels.response_raster(axis, RESPONSES)
    (image,) = axis.images
    np.testing.assert_array_equal(image.get_array(), RESPONSES.T)
    assert image.get_clim() == (0, 5)


def test_traces_do_not_overlap(axis):
    panels.behavior_traces(axis, *DRAWN["behavior_traces"])
    middles = [np.median(line.get_ydata()) for line in axis.lines]
    assert len(middles) == 5 and (np.diff(middles) < -0.5).all()
    spreads = [np.ptp(np.percentile(line.get_ydata(), [1, 99])) for line in axis.lines]
    assert max(spreads) <= 0.8 + 1e-9


def test_constant_behavior_is_a_flat_line(axis):
    panels.behavior_traces(axis, np.zeros((10, 3)), np.zeros((10, 2)))
    assert all(np.ptp(line.get_ydata()) == 0 for line in axis.lines)


@pytest.mark.parametrize(("channels", "shape"), [(1, (8, 9, 1)), (3, (8, 9, 3))])
def test_stimulus_in_gray_or_color(axis, channels, shape):
    image = np.random.default_rng(1).normal(size=(channels, 8, 9))
    assert panels.stimulus(axis, image) is None
    shown = np.asarray(axis.images[0].get_array())
    assert shown.reshape(shape).min() == 0 and shown.max() == 1
    np.testing.assert_allclose(
        np.corrcoef(shown.ravel(), np.moveaxis(image, 0, -1).ravel())[0, 1], 1
    )


def test_an_object_box_lies_where_it_lies_in_the_image(axis):
    panels.stimulus(axis, np.zeros((1, 8, 16)))
    panels.object_box(axis, np.array([0.25, 0.75, 0.5, 0.5]), "red", dashed=True)
    corners = axis.transData.inverted().transform(axis.patches[0].get_window_extent().corners())
    assert np.allclose([corners.min(0), corners.max(0)], [[-0.5, 3.5], [7.5, 7.5]])


def test_published_numbers_are_gray_unless_there_is_a_difference(axis):
    table = pd.DataFrame({"published": [0.5, np.nan, 0.7], "difference": [0.1, np.nan, np.nan]})
    panels.published_marks(axis, table)
    marks = [(*line.get_xydata()[0], line.get_color()) for line in axis.lines]
    assert [mark[:2] for mark in marks if np.isfinite(mark[0])] == [(0.5, 0), (0.7, 2)]
    assert marks[2][2] == FAINT != marks[0][2]


def test_interval_rows_hold_the_numbers_of_the_table(axis):
    table = BOX_DIFFERENCES
    panels.interval_rows(axis, table, "difference", zero=True)
    spans = [lines.get_segments()[0][:, 0].tolist() for lines in axis.collections]
    assert spans == table[["low", "high"]].to_numpy().tolist()
    rule, *seeds, first, second = (np.ravel(line.get_xdata()).tolist() for line in axis.lines)
    assert rule == [0, 0] and seeds == [table[c].tolist() for c in ("seed_1", "seed_2")]
    assert first + second == table["score"].tolist()
    assert [text.get_text() for text in axis.texts] == table["note"].tolist()


def test_response_bars_say_how_many_units_they_show(axis):
    panels.response_bars(axis, RESPONSES[0])
    assert len(axis.patches) == 100 and axis.get_xlabel() == "first 100 units"
    np.testing.assert_array_equal([b.get_height() for b in axis.patches], RESPONSES[0, :100])


def test_soma_cloud_gives_every_cell_its_value(axis):
    values = np.arange(90.0)[::-1]
    panels.soma_cloud(axis, SOMA, values)
    (points,) = axis.collections
    order = np.argsort(values)
    np.testing.assert_array_equal(points.get_offsets(), SOMA[order, :2])
    np.testing.assert_array_equal(points.get_array(), values[order])


def test_the_last_step_of_an_epoch_stands_at_its_end(axis):
    panels.loss_curves(axis, STEPS, HISTORY)
    steps, measured = axis.lines
    assert list(steps.get_xdata()) == [0.5, 1, 1.5, 2]
    assert list(measured.get_xdata()) == [1, 2, 3, 4, 5]
    panels.learning_rates(axis, HISTORY)
    assert list(axis.lines[-1].get_ydata()) == list(HISTORY["learning_rate"])


def test_learning_curve_marks_the_kept_epoch_and_each_fall_of_the_rate(axis):
    panels.learning_curve(axis, HISTORY, "cnn")
    rule, curve, best = axis.lines
    assert rule.get_xdata()[0] == 3.5
    np.testing.assert_array_equal(curve.get_ydata(), HISTORY["validation"])
    assert (best.get_xdata().item(), best.get_ydata().item()) == (3, 0.25)
    assert curve.get_color() == model_color("cnn")


def test_a_violin_an_epoch_stands_around_its_median(axis):
    scores = (RNG.random((3, 50)) + np.arange(3)[:, None]).astype(np.float16)
    assert panels.epoch_violins(axis, scores) is None
    *bodies, medians = axis.collections
    found = np.array(medians.get_segments())
    np.testing.assert_allclose(found[:, 0, 1], np.median(scores.astype(float), 1))
    np.testing.assert_allclose(found[:, :, 0].mean(1), [1, 2, 3])
    for body, values in zip(bodies, scores, strict=True):
        reach = body.get_paths()[0].vertices[:, 1]
        np.testing.assert_allclose([reach.min(), reach.max()], [values.min(), values.max()])


def test_a_rate_that_falls_all_the_time_has_no_rules(axis):
    panels.learning_curve(axis, HISTORY.assign(learning_rate=1 / HISTORY["epoch"]), "cnn")
    assert len(axis.lines) == 2


def test_negative_responses_are_shown(axis):
    panels.predicted_against_measured(axis, np.array([-1.0, 2]), np.array([-2.0, 1]), 0.5)
    assert axis.get_xlim() == axis.get_ylim() == (-2.1, 2.1)


def test_distribution_is_the_empirical_one(axis):
    panels.score_distributions(axis, UNITS, "avg")
    curves = [line for line in axis.lines if len(line.get_xdata()) > 1]
    for (_, table), line in zip(UNITS.groupby("model", sort=False), curves, strict=True):
        below = np.mean(table["avg"].to_numpy()[:, None] <= line.get_xdata()[1:], axis=0)
        np.testing.assert_allclose(line.get_ydata()[1:], below)
    labels = [t.get_text() for t in axis.get_legend().get_texts()]
    medians = UNITS.groupby("model", sort=False)["avg"].median()
    assert labels == [f"{model}  {value:.3f}" for model, value in medians.items()]


def test_feve_is_shown_for_kept_units_only(axis):
    panels.score_distributions(axis, UNITS, "feve")
    labels = " ".join(t.get_text() for t in axis.get_legend().get_texts())
    kept = UNITS[UNITS["kept"] & (UNITS["model"] == "ln")]
    assert f"ln  {kept['feve'].median():.3f}" in labels


def test_intervals_reach_from_low_to_high(axis):
    panels.score_intervals(axis, MEANS)
    for lines, (_, rows) in zip(axis.collections, MEANS.groupby("model", sort=False), strict=True):
        ends = [segment[:, 0].tolist() for segment in lines.get_segments()]
        assert ends == rows[["low", "high"]].to_numpy().tolist()


@pytest.mark.parametrize(("name", "x"), [("members_curve", "members"), ("size_curve", "images")])
def test_curves_go_through_the_scores_with_their_intervals(axis, name, x):
    getattr(panels, name)(axis, CURVE)
    bars = [c for c in axis.collections if hasattr(c, "get_segments")]
    for line, bar, (model, rows) in zip(axis.lines, bars, CURVE.groupby("model"), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), rows[[x, "score"]])
        ends = [segment[:, 1].tolist() for segment in bar.get_segments()]
        assert ends == rows[["low", "high"]].to_numpy().tolist()
        assert line.get_color() == model_color(model)


def test_published_points_have_no_intervals(axis):
    panels.size_curve(axis, CURVE.drop(columns=["low", "high"]))
    assert len(axis.lines) == 2 and not axis.collections


def test_contaminated_scores_say_so_and_only_they(axis):
    panels.interval_rows(axis, HONESTY, "score")
    assert [t.get_text() for t in axis.texts] == ["contaminated"]
    assert axis.texts[0].xy == (0.5, 2)
    points = [line for line in axis.lines if line.get_marker() == "o"]
    assert [line.get_xydata().tolist() for line in points] == [[[0.3, 0]], [[0.25, 1]], [[0.5, 2]]]
    assert [line.get_markerfacecolor() for line in points].count("white") == 1
    assert [t.get_text() for t in axis.get_yticklabels()] == HONESTY["label"].tolist()


def test_ceiling_leaves_out_units_without_one(axis):
    units = UNITS[UNITS["model"] == "cnn"].copy()
    units.iloc[:4, units.columns.get_loc("cc_max")] = np.nan
    panels.score_against_ceiling(axis, units)
    (points,) = axis.collections
    np.testing.assert_array_equal(points.get_offsets(), units[["cc_max", "avg"]].iloc[4:])
    assert axis.texts[0].get_text() == "36 units"


def test_recording_without_repeats_has_no_ceiling(axis):
    panels.score_against_ceiling(axis, UNITS.assign(cc_max=np.nan))
    axis.figure.canvas.draw()
    assert axis.texts[0].get_text() == "no repeats, no ceiling"


def test_map_and_scatter_share_their_colors():
    _, axes = plt.subplots(1, 2)
    panels.retinotopy_map(axes[0], SOMA, COLORS)
    panels.position_scatter(axes[1], MU, COLORS)
    shown = [axis.collections[0].get_facecolor()[:, :3] for axis in axes]
    np.testing.assert_allclose(shown[0], COLORS)
    np.testing.assert_allclose(shown[1], COLORS)


def test_color_square_shows_at_each_place_the_color_of_the_map(axis):
    """Read a color back from the drawn square at the place of every unit."""
    low, high = limits(MU)
    panels.color_square(axis, low, high)
    axis.figure.canvas.draw()
    pixels = np.asarray(axis.figure.canvas.buffer_rgba())[..., :3] / 255
    column, row = axis.transData.transform(MU).T
    read = pixels[(len(pixels) - 1 - row).astype(int), column.astype(int)]
    np.testing.assert_allclose(read, COLORS, atol=0.03)


def test_top_of_the_image_is_drawn_at_the_top():
    _, axes = plt.subplots(1, 2)
    panels.color_square(axes[0], *limits(MU))
    panels.position_scatter(axes[1], MU, COLORS)
    assert all(axis.yaxis_inverted() for axis in axes)


def test_null_histogram_counts_every_shuffle_and_shows_the_observed(axis):
    null = np.random.default_rng(2).normal(size=300)
    panels.null_histogram(axis, null, 5.5)
    assert sum(bar.get_height() for bar in axis.patches) == 300
    assert axis.lines[0].get_xdata()[0] == 5.5
    assert axis.get_xlim()[1] > 5.5


def test_attention_is_shown_from_none_to_all(axis):
    values = np.random.default_rng(0).random((36, 64))
    assert panels.attention_map(axis, values) is None
    np.testing.assert_array_equal(axis.images[0].get_array(), values)
    assert axis.images[0].get_clim() == (0, 1)


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_no_change_of_attention_is_in_the_middle_of_the_colors(axis, scale):
    change = scale * np.random.default_rng(0).normal(size=(8, 15)) / 1000
    assert panels.attention_change(axis, change) is None
    np.testing.assert_allclose(axis.images[0].get_array(), 100 * change)
    low, high = axis.images[0].get_clim()
    assert low == -high and high >= 100 * np.abs(change).max()


def test_controls_are_drawn_with_their_intervals(axis):
    panels.control_intervals(axis, CONTROLS, "correlation")
    for lines, (_, rows) in zip(
        axis.collections, CONTROLS.groupby("kind", sort=False), strict=True
    ):
        ends = [segment[:, 0].tolist() for segment in lines.get_segments()]
        assert ends == rows[["low", "high"]].to_numpy().tolist()
    assert [t.get_text() for t in axis.get_yticklabels()] == list(CONTROLS["network"].unique())


@pytest.mark.parametrize("channels", [1, 3])
def test_field_is_drawn_around_zero_with_outline_and_place(axis, channels):
    field = np.zeros((channels, 8, 9))
    field[:, 2, 3], field[:, 5, 6] = 2, -1
    outline = np.array([[1, 1], [5, 1], [5, 4]])
    panels.receptive_field(axis, field, outline, np.array([3, 2]))
    shown = np.asarray(axis.images[0].get_array())
    if channels == 3:
        assert shown[[0, 2, 5], [0, 3, 6]].tolist() == [[0.5] * 3, [1] * 3, [0.25] * 3]
    else:
        assert axis.images[0].get_clim() == (-2, 2) and shown[2, 3] == 2
    line, cross = axis.lines
    np.testing.assert_array_equal(line.get_xydata(), outline)
    assert cross.get_xydata().tolist() == [[3, 2]] and axis.yaxis_inverted()


def test_field_of_a_silent_unit_is_blank(axis):
    panels.receptive_field(axis, np.zeros((1, 8, 9)))
    assert not np.asarray(axis.images[0].get_array()).any()


def test_each_model_has_its_fields_and_their_null(axis):
    panels.snr_distributions(axis, FIELDS)
    ends = [line.get_xdata()[-1] for line in axis.lines if len(line.get_xdata()) > 2]
    expected = FIELDS.groupby("model", sort=False)[["snr", "null_snr"]].max()
    assert ends == expected.to_numpy().ravel().tolist()


def test_shifts_lead_from_the_place_to_the_center(axis):
    places, centers, *rest = DRAWN["center_shifts"]
    panels.center_shifts(axis, places, centers, *rest)
    for line, place, center in zip(axis.lines, places, centers, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), [place, center])
    np.testing.assert_array_equal(axis.collections[0].get_offsets(), centers)
    assert axis.yaxis_inverted()


def test_panels_of_cortex_without_labels_show_the_numbers_they_are_given(axis):
    band = pd.DataFrame({"distance": [0.0, 100], "null_low": [-0.1, 0.0], "null_high": [0.1, 0.2]})
    panels.null_band(axis, band)
    corners = axis.collections[0].get_paths()[0].vertices
    assert {(0, -0.1), (0, 0.1), (100, 0), (100, 0.2)} <= set(map(tuple, corners.tolist()))
    panels.session_means(axis, RATIOS[:3].assign(axis=list("xyz")), {"units": "red"})
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), RATIOS["ratio"][:3])


def test_score_profile_shows_units_and_their_means(axis):
    panels.score_profile(axis, SOMA[:, 0], MU[:, 0], PROFILE)
    np.testing.assert_array_equal(
        axis.collections[0].get_offsets(), np.column_stack([SOMA[:, 0], MU[:, 0]])
    )
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), PROFILE["score"])


def test_similarity_map_is_centered_on_zero_and_marks_its_reference(axis):
    values, centers = RNG.normal(size=(3, 4)), (np.arange(3.0), np.arange(4.0))
    panels.similarity_map(axis, values, centers, (1, 2), 0.5)
    np.testing.assert_array_equal(axis.images[0].get_array(), values.T)
    assert axis.images[0].get_clim() == (-0.5, 0.5)
    assert axis.lines[0].get_xydata().tolist() == [[1, 2]]
    panels.similarity_scale([axis], 0.5)
    assert axis.figure.axes[-1].get_yticks().tolist() == [-0.5, 0, 0.5]
