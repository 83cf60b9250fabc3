"""Panels of models of films draw every row of their table, in its place."""

import numpy as np
import pandas as pd

from src.figures import panels


def points(axis):
    """Places of all markers by label."""
    return {line.get_label(): line.get_xydata().tolist() for line in axis.lines}


def test_traces_are_both_in_seconds(axis):
    t = np.arange(5) / 30
    panels.traces(axis, t, np.arange(5.0), np.ones(5))
    drawn = points(axis)
    np.testing.assert_allclose(drawn["measured"], np.column_stack([t, np.arange(5)]))
    np.testing.assert_allclose(drawn["predicted"], np.column_stack([t, np.ones(5)]))


def test_steps_are_counted_back_from_the_last_frame(axis):
    table = pd.DataFrame(
        {
            "model": ["a"] * 3 + ["b"] * 2,
            "step": [0, 1, 2, 0, 1],
            "score": [0.1, 0.2, 0.3, 0.4, 0.5],
        }
    )
    panels.step_curves(axis, table)
    assert points(axis) == {"a": [[-2, 0.1], [-1, 0.2], [0, 0.3]], "b": [[-1, 0.4], [0, 0.5]]}
    assert len({line.get_color() for line in axis.lines}) == 2


def test_each_subset_of_levels_is_a_row_with_a_point_a_fusion(axis):
    table = pd.DataFrame(
        {
            "fusion": ["gated", "mean", "gated"],
            "mode": ["0", "2_4", "2_4"],
            "score": [0.2, 0.3, 0.4],
            "low": [0.1, 0.2, 0.3],
            "high": [0.3, 0.4, 0.5],
        }
    )
    panels.level_rows(axis, table)
    drawn = {k: v for k, v in points(axis).items() if not k.startswith("_")}
    assert [[x, round(y)] for x, y in drawn["gated"]] == [[0.2, 1], [0.4, 0]]
    assert [[x, round(y)] for x, y in drawn["mean"]] == [[0.3, 0]]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["2 4", "0"]


def test_shares_are_means_over_mice_at_their_level(axis):
    table = pd.DataFrame(
        {
            "model": ["mean_2"] * 4,
            "session": list("aabb"),
            "level": [1, 2, 1, 2],
            "contribution": [1.0, 2.0, 3.0, 6.0],
        }
    )
    panels.level_shares(axis, table)
    (line,) = axis.lines
    assert line.get_xydata().tolist() == [[1, 2], [2, 4]]


def test_ways_to_stitch_are_points_of_their_model(axis):
    table = pd.DataFrame(
        {
            "model": ["a", "a", "b"],
            "stride": [15, 5, 5],
            "overlap": ["last", "mean", "mean"],
            "score": [0.1, 0.2, 0.3],
        }
    )
    panels.overlap_rows(axis, table)
    drawn = points(axis)
    assert [x for x, _ in drawn["mean, every 5"]] == [0.2, 0.3]
    assert [round(y) for _, y in drawn["mean, every 5"]] == [1, 0]
    assert drawn["last, every 15"][0][0] == 0.1
