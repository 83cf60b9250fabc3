"""Which videos are shown on both sides of an evaluation, told by their content.

Mice of SENSORIUM 2023 form pairs that saw the same films, test films among them, and the responses
of one of each pair are public (specification sensorium2023, 3.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from src.data.movie_mouse import TIERS
from src.data.splits import Split

EVALUATED = TIERS[2:6]


def shared_videos(sessions: Mapping[str, Any]) -> pd.DataFrame:
    """How many different videos two tiers share, for every pair of tiers of every two sessions.

    Columns session, tier, other, other_tier, videos (of the tier) and shared; none is left out, but
    a tier with itself.
    """
    shown = {
        (key, tier): set(session.video_sha256[session.trials(tier)].tolist())
        for key, session in sessions.items()
        for tier in TIERS
        if len(session.trials(tier))
    }
    rows = [
        (*a, *b, len(shown[a]), len(shown[a] & shown[b]))
        for a, b in product(shown, shown)
        if a != b
    ]
    names = ["session", "tier", "other", "other_tier", "videos", "shared"]
    return pd.DataFrame(rows, columns=names)


def movie_splits(
    sessions: Mapping[str, Any],
    training: Sequence[str] = ("train",),
    validation: Sequence[str] = ("oracle",),
    evaluated: Sequence[str] = EVALUATED,
    stimulus_disjoint: bool = False,
) -> tuple[dict[str, Split], pd.DataFrame]:
    """Trials of every session for training, early stopping and scoring, and those left out.

    With `stimulus_disjoint`, a trial for training or validation is left out if its video is
    evaluated in any session, and one for validation if its video is trained on. Trials without
    responses are never trained on nor validated with.
    """
    banned = _content(sessions, evaluated) if stimulus_disjoint else set()
    trained = _content(sessions, training) if stimulus_disjoint else set()
    splits, removed = {}, []
    for key, session in sessions.items():
        parts = {}
        for part, tiers, out in (
            ("train", training, banned),
            ("validation", validation, banned | trained),
        ):
            trials = _trials(session, tiers)
            trials = trials[~session.withheld_trials(trials)]
            leaks = np.isin(session.video_sha256[trials], list(out))
            parts[part] = trials[~leaks]
            removed += [
                (key, part, session.tiers[i], int(i), session.video_sha256[i])
                for i in trials[leaks]
            ]
        splits[key] = Split(**parts, test=_trials(session, evaluated))
    columns = ["session", "part", "tier", "trial", "video"]
    return splits, pd.DataFrame(removed, columns=columns)


def _trials(session: Any, tiers: Sequence[str]) -> np.ndarray:
    found = [session.trials(tier) for tier in tiers]
    return np.sort(np.concatenate([np.zeros(0, int), *found]))


def _content(sessions: Mapping[str, Any], tiers: Sequence[str]) -> set[str]:
    return {
        name
        for session in sessions.values()
        for name in session.video_sha256[_trials(session, tiers)].tolist()
    }
