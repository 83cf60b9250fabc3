"""Panels of recordings of films show what they were given, and keep their words in the figure."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from src.figures import panels

RNG = np.random.default_rng(0)
SHARED = pd.DataFrame(
    [
        ("a", tier, "b", other, 6, 3 if tier == other else 0)
        for tier in ("train", "oracle", "final_test_main")
        for other in ("train", "oracle", "final_test_main")
    ],
    columns=["session", "tier", "other", "other_tier", "videos", "shared"],
)
SCORES = pd.DataFrame(
    [
        {"stimulus": s, "model": m, "avg": v + d, "reliability": 0.49}
        for s, v in (("natural", 0.5), ("dots", 0.3), ("rdk", 0.2))
        for m, d in (("compact", 0.0), ("linear", -0.1))
    ]
)


def test_film_strip_holds_every_frame_in_order(axis):
    frames = RNG.integers(0, 256, (5, 9, 16)).astype(float)
    panels.film_strip(axis, frames, np.arange(5) / 2)
    shown = axis.images[0].get_array()
    assert shown.shape == (9, 5 * 17 - 1)
    np.testing.assert_array_equal(shown[:, 2 * 17 : 2 * 17 + 16], frames[2])
    assert [t.get_text() for t in axis.get_xticklabels()][1] == "0.5 s"


def test_units_by_depth_stand_where_they_are():
    axis = plt.subplots(subplot_kw={"projection": "3d"})[1]
    xyz = RNG.uniform(-500, 500, (30, 3))
    panels.units_by_depth(axis, xyz)
    (points,) = axis.collections
    np.testing.assert_array_equal(np.stack(points._offsets3d, 1), xyz)
    assert axis.get_zlabel() == "depth (µm)"


def test_shared_matrix_writes_the_counts_in_the_order_of_tiers(axis):
    table = SHARED.sample(frac=1, random_state=0)
    panels.shared_matrix(axis, table, "a", "b")
    assert [t.get_text() for t in axis.get_yticklabels()] == ["train", "oracle", "final"]
    numbers = np.array([int(t.get_text()) for t in axis.texts]).reshape(3, 3)
    np.testing.assert_array_equal(numbers, 3 * np.eye(3))
    assert axis.get_xlabel() == "tiers of b"


def test_stimulus_scores_have_a_bar_a_model_and_the_ceiling(axis):
    panels.stimulus_scores(axis, SCORES)
    heights = [bar.get_height() for bar in axis.patches]
    np.testing.assert_allclose(heights, [0.5, 0.3, 0.2, 0.4, 0.2, 0.1])
    (lines,) = (c for c in axis.collections if isinstance(c, LineCollection))
    np.testing.assert_allclose([s[0, 1] for s in lines.get_segments()], 0.7)
    colors = {bar.get_facecolor() for bar in axis.patches}
    assert len(colors) == 2
    assert [t.get_text() for t in axis.get_xticklabels()] == ["natural", "dots", "rdk"]


def test_stimulus_scores_without_a_ceiling_draw_none(axis):
    panels.stimulus_scores(axis, SCORES.drop(columns="reliability"), ceiling="")
    assert not axis.collections and len(axis.patches) == 6


def test_score_by_plane_joins_the_means(axis):
    units = pd.DataFrame({"depth": [200, 200, 300, 300], "single": [0.1, 0.3, 0.4, 0.6]})
    panels.score_by_plane(axis, units)
    (line,) = axis.lines
    np.testing.assert_allclose(line.get_xydata(), [[0.2, 200], [0.5, 300]])
    low, high = axis.get_ylim()
    assert low > high  # the surface is above


def test_arrows_are_the_shifts(axis):
    pupil, shift = RNG.normal(size=(12, 2)), RNG.normal(size=(12, 2))
    panels.shift_arrows(axis, pupil, shift)
    (arrows,) = axis.collections
    np.testing.assert_array_equal(np.stack([arrows.U, arrows.V], 1), shift)


@pytest.mark.parametrize("names", [("pupil size", "running", "pupil x", "pupil y"), None])
def test_behavior_traces_are_as_many_as_were_recorded(axis, names):
    values = RNG.normal(size=(50, 2 if names else 3)), RNG.normal(size=(50, 2))
    panels.behavior_traces(axis, *values, **({"names": names} if names else {}))
    assert len(axis.lines) == (4 if names else 5)
    if names:
        assert [t.get_text() for t in axis.get_yticklabels()] == list(names)


@pytest.mark.parametrize("members", [1, 2])
def test_a_model_of_one_member_goes_by_its_name_beside_its_price(axis, members):
    price = pd.DataFrame(
        {"model": "compact", "member": range(1, members + 1), "own": 0.5, "teachers": 0.0}
    )
    scores = pd.DataFrame([("compact 1", 0.3, 0.2, 0.4)], columns=["model", "score", "low", "high"])
    panels.score_by_price(axis, scores, price, "single")
    (label,) = [text.get_text() for text in axis.get_legend().get_texts()]
    assert label == ("compact" if members == 1 else "compact, one")
    assert axis.lines[0].get_xydata().tolist() == [[0.5, 0.3]]
    assert axis.get_ylabel() == "single-trial correlation"
