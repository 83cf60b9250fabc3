"""Means and standard deviations of trials frame by frame, and the scales made from them.

The official normalization of SENSORIUM 2023 divides by a standard deviation per unit and per frame
index. That is an accident of the data export that the organizers kept (specification
sensorium2023, 1 and 4.1), so it is one of three scalings here, chosen by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from src.data.errors import DataError

FLOOR = 0.01  # of the mean std of responses: no unit is divided by less


class FrameMoments:
    """Mean and population std over trials of each frame, however many trials reach it."""

    def __init__(self, frames: int, row: tuple[int, ...]) -> None:
        self.count = np.zeros(frames)
        self.mean, self._squares = np.zeros((frames, *row)), np.zeros((frames, *row))

    def add(self, x: np.ndarray) -> None:
        """One more trial, from its first frame on: (t, ...). Source: Welford 1962."""
        here = slice(len(x))
        self.count[here] += 1
        n = self.count[here].reshape(-1, *[1] * (x.ndim - 1))
        apart = x - self.mean[here]
        self.mean[here] += apart / n
        self._squares[here] += apart * (x - self.mean[here])

    def result(self) -> dict[str, np.ndarray]:
        """mean and std (T, ...), NaN in frames that no trial reaches, and count (T,)."""
        n = self.count.reshape(-1, *[1] * (self.mean.ndim - 1))
        there = n > 0
        std = np.sqrt(self._squares / np.where(there, n, 1))
        both = {"mean": self.mean, "std": std}
        return {k: np.where(there, v, np.nan) for k, v in both.items()} | {"count": self.count}


@dataclass(frozen=True)
class FrameStatistics:
    """Mean and std of one kind, valid in the first `frames` frames; pooled ones hold after them."""

    mean: np.ndarray  # (t, ...) float64
    std: np.ndarray  # (t, ...)

    @classmethod
    def of(cls, mean: np.ndarray, std: np.ndarray, frames: int) -> FrameStatistics:
        """Of (T, ...) arrays, of which no more than `frames`, and none from a NaN on, count."""
        finite = np.isfinite(mean) & np.isfinite(std)
        finite = finite.reshape(len(finite), -1).all(1)[:frames]
        end = len(finite) if finite.all() else int(np.argmin(finite))
        if not end:
            raise DataError(
                f"statistics {mean.shape} are NaN from the first frame on: take statistics='train'"
            )
        return cls(mean[:end].astype(np.float64), std[:end].astype(np.float64))

    @property
    def frames(self) -> int:
        """Frames of which it knows."""
        return len(self.mean)

    def pooled(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and std over trials and frames together: -> (...), (...)."""
        mean = self.mean.mean(0)
        return mean, np.sqrt((self.std**2 + (self.mean - mean) ** 2).mean(0))

    def extended(self, frames: int) -> FrameStatistics:
        """For `frames` frames; those it does not know have the pooled values."""
        if frames <= self.frames:
            return FrameStatistics(self.mean[:frames], self.std[:frames])
        rest = frames - self.frames
        longer = (
            np.concatenate([known, np.broadcast_to(pooled, (rest, *pooled.shape))])
            for known, pooled in zip((self.mean, self.std), self.pooled(), strict=True)
        )
        return FrameStatistics(*longer)


def precision(std: np.ndarray) -> np.ndarray:
    """1 / std, with a floor under std of 1 % of its mean: any shape -> the same.

    One floor for all units and frames (specification sensorium2023, 4.1). DataError if the mean is
    0 or not finite.
    """
    threshold = FLOOR * np.nanmean(std)
    if not (np.isfinite(threshold) and threshold > 0):
        raise DataError(
            f"responses std {std.shape} has mean {np.nanmean(std)}, which must be finite and above "
            "0: take statistics='train'"
        )
    return 1 / np.where(std > threshold, std, threshold)


def response_scales(
    scaling: str, chosen: FrameStatistics, trained: FrameStatistics, frames: int
) -> np.ndarray:
    """What responses are multiplied by: -> (frames, u).

    per_frame: 1 / std of each unit and frame, as published; per_unit: 1 / std of each unit over
    all training frames; none: 1.
    """
    units = chosen.std.shape[1]
    match scaling:
        case "per_frame":
            scale = precision(chosen.std)
            later = precision(chosen.extended(frames).std) if frames > len(scale) else scale
            return np.concatenate([scale, later[len(scale) :]])[:frames]
        case "per_unit":
            return np.broadcast_to(precision(trained.pooled()[1]), (frames, units))
        case "none":
            return np.ones((frames, units))
    raise ValueError(f"response_scale {scaling!r} is not one of per_frame, per_unit, none")


def nonzero(kind: str, std: np.ndarray, key: str) -> np.ndarray:
    """A std by which `kind` can be divided everywhere: (t, ...). DataError names the frame."""
    zero = np.argwhere(std == 0)
    if len(zero):
        raise DataError(
            f"session '{key}': std of {kind} {std.shape} is 0 at {len(zero)} places (first: frame "
            f"{zero[0, 0]}): take statistics='train', or pack again without meta/statistics/{kind}"
        )
    return std


def stored(prefix: str, kind: str, tables: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Mean and std of one kind in a packed session's tables."""
    return tables[f"{prefix}_{kind}_mean"], tables[f"{prefix}_{kind}_std"]
