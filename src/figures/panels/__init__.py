"""Panels: each draws one thing on the axis it is given, from arrays or a table."""

from src.figures.panels.contest import score_by_price, score_differences
from src.figures.panels.curves import interval_rows, members_curve, size_curve
from src.figures.panels.recording import (
    behavior_traces,
    images_per_session,
    response_bars,
    response_raster,
    soma_cloud,
    stimulus,
    units_per_session,
)
from src.figures.panels.retinotopy import (
    color_square,
    null_histogram,
    position_scatter,
    retinotopy_map,
)
from src.figures.panels.scores import (
    predicted_against_measured,
    score_against_ceiling,
    score_distributions,
    score_intervals,
)
from src.figures.panels.training import learning_curve

__all__ = [
    "behavior_traces",
    "color_square",
    "images_per_session",
    "interval_rows",
    "learning_curve",
    "members_curve",
    "null_histogram",
    "position_scatter",
    "predicted_against_measured",
    "response_bars",
    "response_raster",
    "retinotopy_map",
    "score_against_ceiling",
    "score_by_price",
    "score_differences",
    "score_distributions",
    "score_intervals",
    "size_curve",
    "soma_cloud",
    "stimulus",
    "units_per_session",
]
