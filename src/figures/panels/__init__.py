"""Panels: each draws one thing on the axis it is given, from arrays or a table."""

from src.figures.panels.attention import attention_change, attention_map, control_intervals
from src.figures.panels.behavior import paired_units, third_differences, third_scores
from src.figures.panels.boxes import object_box
from src.figures.panels.contest import score_by_price, score_differences
from src.figures.panels.cortex import (
    change_boxes,
    clusters_in_cortex,
    distance_curve,
    elbow,
    embedding,
    gap_curve,
    null_band,
    rand_bars,
    rank_lag,
    score_profile,
    session_means,
    similarity_map,
    similarity_scale,
)
from src.figures.panels.curves import members_curve, size_curve
from src.figures.panels.fields import center_shifts, receptive_field, snr_distributions
from src.figures.panels.geometry import correlation_map, rank_map, rate_profile, value_map
from src.figures.panels.images import (
    group_means,
    image_performance,
    performance_by_session,
    performance_relation,
    property_histogram,
    property_scatter,
    thumbnail_sheet,
)
from src.figures.panels.intervals import interval_rows
from src.figures.panels.objects import (
    dissimilarity,
    group_bars,
    layer_profile,
    picture,
    picture_rows,
    rates_by_group,
    score_histograms,
    score_violins,
    unit_bars,
    unit_boxes,
    unit_scatter,
    windows,
)
from src.figures.panels.points import key_of, numbered_points
from src.figures.panels.recording import (
    behavior_traces,
    images_per_session,
    response_bars,
    response_raster,
    soma_cloud,
    stimulus,
    units_per_session,
)
from src.figures.panels.report import text_table
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
from src.figures.panels.search import best_so_far, trial_scores
from src.figures.panels.training import learning_curve, learning_rates, loss_curves
from src.figures.panels.videos import level_rows, step_curves, traces

__all__ = [
    "attention_change",
    "attention_map",
    "behavior_traces",
    "best_so_far",
    "center_shifts",
    "change_boxes",
    "clusters_in_cortex",
    "color_square",
    "control_intervals",
    "correlation_map",
    "dissimilarity",
    "distance_curve",
    "elbow",
    "embedding",
    "gap_curve",
    "group_bars",
    "group_means",
    "image_performance",
    "images_per_session",
    "interval_rows",
    "key_of",
    "layer_profile",
    "learning_curve",
    "learning_rates",
    "level_rows",
    "loss_curves",
    "members_curve",
    "null_band",
    "null_histogram",
    "numbered_points",
    "object_box",
    "paired_units",
    "performance_by_session",
    "performance_relation",
    "picture",
    "picture_rows",
    "position_scatter",
    "predicted_against_measured",
    "property_histogram",
    "property_scatter",
    "rand_bars",
    "rank_lag",
    "rank_map",
    "rate_profile",
    "rates_by_group",
    "receptive_field",
    "response_bars",
    "response_raster",
    "retinotopy_map",
    "score_against_ceiling",
    "score_by_price",
    "score_differences",
    "score_distributions",
    "score_histograms",
    "score_intervals",
    "score_profile",
    "score_violins",
    "session_means",
    "similarity_map",
    "similarity_scale",
    "size_curve",
    "snr_distributions",
    "soma_cloud",
    "step_curves",
    "stimulus",
    "text_table",
    "third_differences",
    "third_scores",
    "thumbnail_sheet",
    "traces",
    "trial_scores",
    "unit_bars",
    "unit_boxes",
    "unit_scatter",
    "units_per_session",
    "value_map",
    "windows",
]
