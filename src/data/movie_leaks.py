"""Which films are shown on both sides of an evaluation, told by their content.

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
NEAR = 2.0  # gray levels, root mean square over frames: less than the eye or a network tells apart
LOOKED_AT = 8  # frames that decide which films are compared whole
BLOCK = 4  # pixels a side that are averaged then


def shared_videos(sessions: Mapping[str, Any]) -> pd.DataFrame:
    """How many different films two tiers share, for every pair of tiers of every two sessions.

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


def near_copies(sessions: Mapping[str, Any], within: float = NEAR) -> pd.DataFrame:
    """Films that differ, but hardly: a film saved once more, or a pixel changed.

    Columns video, other (hashes), difference (root mean square, gray levels, over the frames both
    have, from the first on), shown and other_shown (session tier, ...). All pairs are compared in
    a few coarse frames, whose difference is at most that of the frames themselves, so that no pair
    is lost that is near in those; what is near there is compared whole.
    """
    places = _places(sessions)
    names = sorted(places)
    shown = [(sessions[key], i) for key, i in (places[name][0] for name in names)]
    end = min((int(session.video_lengths[i]) for session, i in shown), default=1)
    at = np.linspace(0, end - 1, LOOKED_AT).astype(int).tolist()
    seen = [np.concatenate([_coarse(s.video(i, t, 1)) for t in at]) for s, i in shown]
    rows = []
    for a, b in _near(np.array(seen), within) if seen else ():
        pair = [session.video(i).astype(np.float64) for session, i in (shown[a], shown[b])]
        frames = min(map(len, pair))
        apart = float(np.sqrt(np.square(pair[0][:frames] - pair[1][:frames]).mean()))
        if apart <= within:
            where = [_shown(sessions, places[names[k]]) for k in (a, b)]
            rows.append((names[a], names[b], apart, *where))
    return pd.DataFrame(rows, columns=["video", "other", "difference", "shown", "other_shown"])


def _places(sessions: Mapping[str, Any]) -> dict[str, list[tuple[str, int]]]:
    """Sessions and trials that show each film, by its hash."""
    places: dict[str, list[tuple[str, int]]] = {}
    for key, session in sessions.items():
        for i in np.flatnonzero(session.video_lengths > 0).tolist():
            places.setdefault(str(session.video_sha256[i]), []).append((key, i))
    return places


def _shown(sessions: Mapping[str, Any], places: Sequence[tuple[str, int]]) -> str:
    return ", ".join(sorted({f"{key} {sessions[key].tiers[i]}" for key, i in places}))


def _coarse(frame: np.ndarray) -> np.ndarray:
    """Means over blocks of pixels: (1, h, w) -> (k,); what fills no block is left out."""
    h, w = (size // BLOCK for size in frame.shape[1:])
    blocks = frame[0, : h * BLOCK, : w * BLOCK].astype(np.float64)
    return blocks.reshape(h, BLOCK, w, BLOCK).mean((1, 3)).ravel()


def _near(x: np.ndarray, within: float) -> list[tuple[int, int]]:
    """Pairs of rows whose root mean square difference is small: (n, d) -> [(a, b)], a < b."""
    power = np.square(x).mean(1)
    square = power[:, None] + power - 2 * (x @ x.T) / x.shape[1]
    a, b = np.nonzero(np.triu(square <= within**2 + 1e-6 * power.max(initial=1.0), 1))
    return list(zip(a.tolist(), b.tolist(), strict=True))


def movie_splits(
    sessions: Mapping[str, Any],
    training: Sequence[str] = ("train",),
    validation: Sequence[str] = ("oracle",),
    evaluated: Sequence[str] = EVALUATED,
    stimulus_disjoint: bool = False,
    copies: pd.DataFrame | None = None,
) -> tuple[dict[str, Split], pd.DataFrame]:
    """Trials of every session for training, early stopping and scoring, and those left out.

    With `stimulus_disjoint`, a trial for training or validation is left out if its film is
    evaluated in any session, and one for validation if its film is trained on; so are those with
    a near copy there, if the table of `near_copies` is given. Trials without responses are never
    trained on nor validated with.
    """
    if copies is not None and not stimulus_disjoint:
        raise ValueError("copies are left out of disjoint splits: set stimulus_disjoint=True")
    banned = _content(sessions, evaluated, copies) if stimulus_disjoint else set()
    trained = _content(sessions, training, copies) if stimulus_disjoint else set()
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


def _content(
    sessions: Mapping[str, Any], tiers: Sequence[str], copies: pd.DataFrame | None
) -> set[str]:
    """Hashes of the films of some tiers, and of their near copies."""
    own = {
        name
        for session in sessions.values()
        for name in session.video_sha256[_trials(session, tiers)].tolist()
    }
    pairs = [] if copies is None else copies[["video", "other"]].to_numpy().tolist()
    return own | {b for x, y in pairs for a, b in ((x, y), (y, x)) if a in own}
