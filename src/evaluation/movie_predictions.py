"""Predictions of films: a row for each scored frame of each trial, in the form of all predictions.

A frame of a trial is to a film what a trial is to an image. So everything that scores, aligns and
averages predictions of images does the same for films: a correlation over rows is one over all
trials and frames (specification sensorium2023, 7.1), rows of equal image_ids are repeats of a frame
of a film (7.2, `concat`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from src.evaluation.prediction import Prediction
from src.models.stitching import Stitcher, labels, predicted_trials, stitcher_of
from src.training.device import placed, threads
from src.training.provenance import versions

FRAMES = 512  # more than a trial has; a frame's image_id is that of its film times this, plus it


def movie_predictions(
    encoders: Sequence[Any],
    session: Any,
    index: np.ndarray,
    provenance: Sequence[dict[str, Any]],
    stitcher: Stitcher | None = None,
    device: str = "auto",
    batch_size: int = 32,
    n_threads: int = 1,
) -> list[Prediction]:
    """Responses that k Encoders of films predict for the trials `index`: one Prediction each.

    Values are (rows, u), rows the frames of one trial after the other that any policy scores; those
    of the session's own are as if they were alone. trial_ids are "trial/frame". The labels of
    src.models.stitching and the stitcher stand in the provenance.
    """
    stitcher = stitcher or stitcher_of(encoders[0])
    with placed(encoders, device) as place, threads(n_threads):
        options = stitcher, place, batch_size, True
        made = list(predicted_trials(encoders, session, index, *options))
    spans = [frames for frames, _ in made]
    trials = np.repeat(np.asarray(index, int), [len(frames) for frames in spans])
    ids = frame_ids(session, index, spans)
    shared = {"session": session.provenance, "versions": versions(), **labels(session.inputs)}
    shared |= {"stride": stitcher.stride, "overlap": stitcher.overlap}
    shown = session.video_sha256[trials]
    return [
        Prediction(
            np.concatenate([values[k] for _, values in made] or [np.zeros((0, session.n_units))]),
            *(*ids, session.unit_ids, {**shared, **own}),
            image_sha256=shown,
        )
        for k, own in enumerate(provenance)
    ]


def frame_ids(
    session: Any, index: np.ndarray, spans: Sequence[range]
) -> tuple[np.ndarray, np.ndarray]:
    """Ids of the rows of some trials: "trial/frame" (rows,) str, and of frames of films int64."""
    pairs = [(i, f) for i, frames in zip(index, spans, strict=True) for f in frames]
    names = np.array([f"{session.trial_ids[i]}/{f:03d}" for i, f in pairs], np.str_)
    frames = np.array([int(session.image_ids[i]) * FRAMES + f for i, f in pairs], np.int64)
    return names, frames


def measured(session: Any, index: np.ndarray, policy: str = "") -> np.ndarray:
    """Scaled responses in the rows of `movie_predictions`: (n,) -> (rows, u)."""
    parts = [np.asarray(session.responses_of(i))[session.scored_frames(i, policy)] for i in index]
    return np.concatenate([np.zeros((0, session.n_units), np.float32), *parts])


def by_trial(prediction: Prediction) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each trial's id, its frames (t,) and the values of its rows (t, u), in the order there."""
    names = np.array([name.split("/") for name in prediction.trial_ids]).reshape(-1, 2)
    edges = np.flatnonzero(names[1:, 0] != names[:-1, 0]) + 1
    for rows in np.split(np.arange(len(names)), edges) if len(names) else ():
        yield names[rows[0], 0], names[rows, 1].astype(int), prediction.values[rows]
