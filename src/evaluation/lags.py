"""How good each output step of a clip is, and what averaging overlapping windows brings.

Output k of a clip of 30 frames with 15 outputs is made of frames 2k and 2k + 1 and says what units
do in frame 15 + k: the early ones speak about a future they have not seen, the last about now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from src.correlation import pearson
from src.evaluation.movie_predictions import measured
from src.models.stitching import Stitcher, stitcher_of, window_outputs
from src.models.video_core import VideoCore


def step_scores(
    encoder: Any, session: Any, trials: np.ndarray, stride: int = 5, device: str = "cpu"
) -> pd.DataFrame:
    """Single-trial correlation of each output step over windows: one row a step, `step`, `score`.

    Mean over units; `lag` is how many frames before its target the step's own newest frame is.
    """
    stitcher = stitcher_of(encoder, stride)
    parts = list(_windows(encoder, session, trials, stitcher, device))
    outputs, targets = (np.concatenate(x) for x in zip(*parts, strict=True))  # (w, t', u)
    steps = range(stitcher.outputs)
    scores = [pearson(outputs[:, k], targets[:, k]).mean() for k in steps]
    lags = [0 for _ in steps]  # a convolution's output is of the newest frame it sees
    if isinstance(encoder.core, VideoCore):
        patch, first = encoder.core.config.patch[0], stitcher.clip - stitcher.outputs
        lags = [first + k - (patch * (k + 1) - 1) for k in steps]
    return pd.DataFrame({"step": steps, "lag": lags, "score": scores})


def _windows(
    encoder: Any, session: Any, trials: np.ndarray, stitcher: Stitcher, device: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Outputs of each trial's windows, and what was measured in their frames: (w, t', u) twice."""
    for trial in trials:
        scored = session.scored_frames(trial)
        starts = stitcher.starts(range(scored.start, scored.stop))
        (outputs,) = window_outputs([encoder], session, trial, starts, stitcher.clip, device)
        frames = starts[:, None] + np.arange(stitcher.clip)[-stitcher.outputs :]
        yield outputs, np.asarray(session.responses_of(trial))[frames]


def overlap_scores(
    encoder: Any,
    session: Any,
    trials: np.ndarray,
    strides: Sequence[int] = (15, 5, 1),
    device: str = "cpu",
) -> pd.DataFrame:
    """Score of stitched predictions by stride, of means and of latest outputs: one row each.

    A window is looked through once, whichever strides it belongs to.
    """
    ways = [stitcher_of(encoder, stride, o) for stride in strides for o in ("last", "mean")]
    ways = list(dict.fromkeys(ways))  # strides above the outputs of a clip are one
    joined = [[] for _ in ways]
    for trial in trials:
        scored = session.scored_frames(trial)
        frames = range(scored.start, scored.stop)
        starts = [way.starts(frames) for way in ways]
        every = np.unique(np.concatenate(starts))
        (seen,) = window_outputs([encoder], session, trial, every, ways[0].clip, device)
        for part, way, own in zip(joined, ways, starts, strict=True):
            part.append(way.join(seen[np.searchsorted(every, own)], own, frames))
    responses = measured(session, trials)
    scores = [pearson(np.concatenate(part), responses).mean() for part in joined]
    found = {"stride": [w.stride for w in ways], "overlap": [w.overlap for w in ways]}
    return pd.DataFrame({**found, "score": scores})
