"""One mouse as a model of another that saw the same films: what overlap of stimuli gives away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from src.data.errors import DataError
from src.evaluation.lag_ridge import LagRidge, fit_lag_ridge
from src.evaluation.movie_results import frame_rows
from src.evaluation.prediction import Prediction

LAGS = 3  # frames of the partner that are looked at
VALIDATED = 10  # every so-manieth shared film chooses the penalty


def partners(shared: pd.DataFrame, sessions: Mapping[str, Any]) -> dict[str, str]:
    """For each session with withheld tests the public one that shares most of its training films.

    Sessions without such a partner are left out. `shared` is that of `shared_videos`.
    """
    found = {}
    for key, session in sessions.items():
        rows = shared[
            (shared["session"] == key)
            & (shared["other"] != key)
            & (shared[["tier", "other_tier"]] == "train").all(axis=1)
        ].sort_values("shared")
        if session.role == "scored" and len(rows) and rows["shared"].iloc[-1]:
            found[key] = rows["other"].iloc[-1]
    return found


def fit_partner(session: Any, partner: Any) -> LagRidge:
    """Ridge from the partner's responses to those of a session, over training films of both."""
    pieces = list(_shared_pieces(session, partner))
    if len(pieces) < 2:
        raise DataError(
            f"sessions '{session.key}' and '{partner.key}' share {len(pieces)} training films: "
            "choose partners"
        )
    held = pieces[::VALIDATED]
    kept = [piece for i, piece in enumerate(pieces) if i % VALIDATED]
    return fit_lag_ridge(kept or held, held, LAGS)


def _shared_pieces(session: Any, partner: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Responses of both to each film both were trained with: (t, 1, v), (t, u)."""
    theirs = {partner.video_sha256[i]: i for i in partner.trials("train")}
    for i in session.trials("train"):
        if (other := theirs.get(session.video_sha256[i])) is not None:
            x, y = partner.responses_of(other), session.responses_of(i)
            frames = min(len(x), len(y))
            yield x[:frames, None], y[:frames]


def predict_from_partner(
    fit: LagRidge, session: Any, partner: Any, trials: np.ndarray
) -> Prediction:
    """Responses of a session from its partner's mean responses to the same films.

    Rows are scored frames of the trials. DataError for a film that the partner has no responses to.
    """
    rows, names = frame_rows(session, trials)
    known: dict[str, np.ndarray] = {}
    parts = []
    for i in trials:
        film, scored = session.video_sha256[i], session.scored_frames(i)
        if film not in known:
            known[film] = fit.predict(_mean_response(partner, film)[:, None])
        parts.append(known[film][scored])
    values = np.concatenate(parts).astype(np.float32)
    shown = session.video_sha256[rows.trials]
    return Prediction(values, names, rows.videos, session.unit_ids, image_sha256=shown)


def _mean_response(partner: Any, film: str) -> np.ndarray:
    """Mean over a session's trials of one film, as long as the shortest: -> (t, v)."""
    trials = np.flatnonzero(partner.video_sha256 == film)
    trials = trials[~partner.withheld_trials(trials)]
    if not len(trials):
        raise DataError(f"session '{partner.key}' has no responses to film {film[:12]}")
    shown = [partner.responses_of(i) for i in trials]
    frames = min(map(len, shown))
    return np.mean([r[:frames] for r in shown], axis=0)
