"""Panels: each draws one thing on the axis it is given, from arrays or a table."""

from src.figures.panels.fields import center_shifts, receptive_field, snr_distributions
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
    "center_shifts",
    "color_square",
    "images_per_session",
    "learning_curve",
    "null_histogram",
    "position_scatter",
    "predicted_against_measured",
    "receptive_field",
    "response_bars",
    "response_raster",
    "retinotopy_map",
    "score_against_ceiling",
    "score_distributions",
    "score_intervals",
    "snr_distributions",
    "soma_cloud",
    "stimulus",
    "units_per_session",
]
