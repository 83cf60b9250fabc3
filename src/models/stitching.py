"""Whole films from clips: which windows a trial is seen through, and how their outputs are joined.

An encoder of films sees a clip and says what units do in its last frames. A trial is predicted
through windows that move along it (specification sensorium2023, 8.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from src.config import InputConfig
from src.data.errors import DataError


@dataclass(frozen=True)
class Stitcher:
    """How windows of `clip` frames with outputs for the last `outputs` of them cover a trial."""

    clip: int = 30
    outputs: int = 15
    stride: int = 15  # from 1 to outputs
    # of windows that see one frame: their mean, or the output of the latest step, of least lag
    overlap: Literal["mean", "last"] = "last"

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.outputs:
            raise ValueError(f"stride={self.stride} must be from 1 to outputs={self.outputs}")
        if self.overlap not in ("mean", "last"):
            raise ValueError(f"overlap={self.overlap!r} is not one of mean, last")

    def starts(self, frames: range) -> np.ndarray:
        """First frames of the windows, ascending: the last one ends where `frames` does.

        The grid begins so that all frames are seen by as many windows as the stride allows.
        """
        if len(frames) and frames.stop < self.clip:
            raise ValueError(f"a trial of {frames.stop} frames is shorter than a clip of {self}")
        if not len(frames):
            return np.zeros(0, np.int64)
        last, lag = frames.stop - self.clip, self.clip - self.outputs
        grid = np.arange(frames.start - lag - (self.outputs - self.stride), last, self.stride)
        return np.unique(np.append(grid[grid >= 0], last))

    def join(self, outputs: np.ndarray, starts: np.ndarray, frames: range) -> np.ndarray:
        """What windows say of each frame as one: (w, outputs, u), (w,) -> (frames, u) float32."""
        total = np.zeros((len(frames), outputs.shape[2]))
        count = np.zeros((len(frames), 1))
        lag = self.clip - self.outputs
        for window, start in zip(outputs, starts + lag - frames.start, strict=True):
            keep = slice(max(0, -start), max(0, len(frames) - start))
            rows = slice(max(0, start), max(0, start) + len(window[keep]))
            new = 1 if self.overlap == "mean" else count[rows] == 0
            total[rows] += np.where(new, window[keep], 0)
            count[rows] += new
        if len(missed := np.flatnonzero(count[:, 0] == 0)):
            raise ValueError(f"frame {frames[missed[0]]} is in no window: {self}")
        return (total / count).astype(np.float32)


def stitcher_of(encoder: Any, stride: int | None = None, overlap: str = "last") -> Stitcher:
    """The stitcher for an Encoder of films; a stride of None, or above its outputs, is those."""
    _, *size = next(iter(encoder.sessions.values())).image_shape
    outputs = encoder.core.output_shape(*size)[0]
    return Stitcher(size[0], outputs, min(stride or outputs, outputs), overlap)


def predicted_trials(
    encoders: Sequence[Any],
    session: Any,
    index: np.ndarray,
    stitcher: Stitcher,
    device: torch.device | str = "cpu",
    batch_size: int = 32,
    whole: bool = False,
) -> Iterator[tuple[range, np.ndarray]]:
    """Of each trial its scored frames, and what k Encoders predict for them: -> (t, (k, t, u)).

    Clips are read once and given to all; encoders are in evaluation mode and on the device.
    `whole`: the later frames too that the policy "full" scores, from windows of their own.
    """
    for trial in np.asarray(index):
        if session.lengths[trial] < stitcher.clip:
            raise DataError(
                f"session {session.key!r}: trial {session.trial_ids[trial]} has "
                f"{session.lengths[trial]} frames, a clip {stitcher.clip}: leave it out"
            )
        scored = _range(session.scored_frames(trial))
        frames = _range(session.scored_frames(trial, "full")) if whole else scored
        starts = stitcher.starts(scored)
        more = stitcher.starts(frames)
        given = np.append(starts, more[more > max(starts, default=-1)])
        if not len(given):
            yield frames, np.zeros((len(encoders), 0, session.n_units), np.float32)
            continue
        outputs = window_outputs(encoders, session, trial, given, stitcher.clip, device, batch_size)
        joined = np.stack([stitcher.join(x, given, frames) for x in outputs])
        if whole:  # what is scored does not depend on windows that see what is not
            own = [stitcher.join(x[: len(starts)], starts, scored) for x in outputs]
            joined[:, : len(scored)] = own
        yield frames, joined


@torch.no_grad()
def window_outputs(
    encoders: Sequence[Any],
    session: Any,
    trial: int,
    starts: np.ndarray,
    clip: int,
    device: torch.device | str = "cpu",
    batch_size: int = 32,
) -> np.ndarray:
    """What k Encoders say about the windows of one trial: (w,) -> (k, w, t', u)."""
    made = [[] for _ in encoders]
    for part in np.split(starts, range(batch_size, len(starts), batch_size)):
        batch = session.clips(np.full(len(part), trial), part, device, clip, answered=0)
        for outputs, encoder in zip(made, encoders, strict=True):
            outputs.append(encoder(batch, session.key).cpu().numpy())
    return np.stack([np.concatenate(outputs) for outputs in made])


def _range(frames: slice) -> range:
    return range(frames.start, frames.stop)


def labels(inputs: InputConfig) -> dict[str, str]:
    """How scores of an encoder of films are to be labeled: scale, statistics, frames."""
    return {
        "response_scale": inputs.response_scale,
        "statistics": inputs.statistics,
        "frame_policy": inputs.frame_policy,
    }
