"""What a model of films has to beat: each unit's mean response, and a linear map of one frame.

The first sees nothing. Its correlation is 0, and its Poisson loss that of a unit's mean rate. The
second sees the frame that is on the screen and none before it (specification sensorium2023, 14).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch.nn.functional as F

from src.evaluation.lag_ridge import fit_lag_ridge
from src.evaluation.movie_results import MovieResults

GRID = (9, 16)  # places that a frame is averaged to
FILMS, VALIDATED = 32, 8  # of training and oracle: 400 MB of responses of 7,900 units


def reference_results(found: MovieResults, session: Any) -> MovieResults:
    """The same rows as predicted by `mean response` and by `frame shown`, fitted on training films.

    The penalty of the second is chosen on oracle films.
    """
    pieces = (list(_pieces(session, *of)) for of in (("train", FILMS), ("oracle", VALIDATED)))
    fit = fit_lag_ridge(*pieces, lags=1)
    seen = np.empty_like(found.responses)
    for trial in np.unique(found.rows.trials):
        own = found.rows.trials == trial
        seen[own] = fit.predict(_frames(session, trial))[found.rows.frames[own]]
    means = np.broadcast_to(session.mean_response, found.responses.shape)
    return replace(found, predictions={"mean response": means, "frame shown": seen})


def _frames(session: Any, trial: int) -> np.ndarray:
    """Normalized frames of a trial, averaged to a coarse grid: -> (t, 9, 16)."""
    frames = int(session.lengths[trial])
    video = session.clips([trial], [0], frames=frames, answered=0).images[0, 0]
    return F.adaptive_avg_pool2d(video, GRID).numpy()


def _pieces(session: Any, tier: str, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames and responses of some trials of a tier, evenly spaced."""
    trials = session.trials(tier)
    trials = trials[~session.withheld_trials(trials)]
    for trial in trials[np.unique(np.linspace(0, len(trials) - 1, most).astype(int))]:
        x, r = _frames(session, trial), session.responses_of(trial)
        yield x[: len(r)], r[: len(x)]
