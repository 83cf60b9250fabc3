"""How well a prediction explains responses to films, per unit; rows are frames of trials.

All trials and scored frames are concatenated: a correlation is not a mean of those of trials. Rows
know their film, its frame and their trial, so that repeats are rows of one frame of one film.
Source: metrics of the SENSORIUM 2023 competition (specification sensorium2023, 7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from src.correlation import pearson
from src.evaluation.ceilings import spearman_brown
from src.evaluation.metrics import Repeats, total_variance

SIGNAL = 1e-4  # signal power up to which CC_norm is unknown
HALVES = 10


@dataclass(frozen=True)
class FrameRows:
    """Which trial, film and frame each of n rows is."""

    trials: np.ndarray  # (n,)
    videos: np.ndarray  # (n,) equal where the content is
    frames: np.ndarray  # (n,)

    def only(self, rows: np.ndarray) -> FrameRows:
        """Some of the rows: (n,) bool or indices."""
        return FrameRows(self.trials[rows], self.videos[rows], self.frames[rows])

    @property
    def moments(self) -> np.ndarray:
        """Number of each row's frame of its film, the same for all repeats: (n,) -> (n,)."""
        pairs = np.stack([np.unique(self.videos, return_inverse=True)[1], self.frames], axis=1)
        return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)

    def averaged(self, *values: np.ndarray) -> tuple[FrameRows, list[np.ndarray]]:
        """One row for each frame of each film, with means over repeats: k of (n, u) -> (m, u)."""
        moments = self.moments
        repeats, first = Repeats.of(moments), np.unique(moments, return_index=True)[1]
        return self.only(first), [repeats.mean(x) for x in values]

    def of_videos(self) -> list[np.ndarray]:
        """Rows of each different film."""
        return [np.flatnonzero(self.videos == v) for v in np.unique(self.videos)]


def average_concatenated(p: np.ndarray, r: np.ndarray, rows: FrameRows) -> np.ndarray:
    """Correlation of means over repeats over the frames of all films: (n, u), (n, u) -> (u,)."""
    return pearson(*rows.averaged(p, r)[1])


def average_per_video(p: np.ndarray, r: np.ndarray, rows: FrameRows) -> np.ndarray:
    """Mean over films of the correlation of means over repeats: (n, u), (n, u) -> (u,)."""
    means, (p, r) = rows.averaged(p, r)
    return np.mean([pearson(p[v], r[v]) for v in means.of_videos()], axis=0)


def signal_power(r: np.ndarray) -> np.ndarray:
    """(var of the sum - sum of the variances) / (K (K - 1)) over frames: (K, t, u) -> (u,).

    nan for one repeat. Source: Schoppe et al. 2016, eq. 1; Sahani & Linden 2003.
    """
    repeats = len(r)
    if repeats < 2:
        return np.full(r.shape[2], np.nan)
    r = np.asarray(r, np.float64)
    apart = r.sum(0).var(0, ddof=1) - r.var(1, ddof=1).sum(0)
    return apart / (repeats * (repeats - 1))


def normalized_correlation(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """CC_norm of one film: cov(mean r, mean p) / sqrt(var(mean p) SP): (K, t, u) twice -> (u,).

    nan where the signal power SP is 1e-4 or below, 0 for a constant prediction.
    """
    p, r = np.mean(p, 0, dtype=np.float64), np.asarray(r, np.float64)
    mean = r.mean(0)
    covariance = ((p - p.mean(0)) * (mean - mean.mean(0))).sum(0) / (len(p) - 1)
    power, spread = signal_power(r), p.var(0, ddof=1)
    with np.errstate(invalid="ignore"):
        known = power > SIGNAL
    product = np.where(known & (spread > 0), power * spread, 1.0)
    return np.where(known, np.where(spread > 0, covariance / np.sqrt(product), 0.0), np.nan)


def cc_norm(p: np.ndarray, r: np.ndarray, rows: FrameRows) -> np.ndarray:
    """Mean over films of CC_norm, of those in which it is known: (n, u), (n, u) -> (u,)."""
    each = []
    for video in rows.of_videos():
        trials = [video[rows.trials[video] == t] for t in np.unique(rows.trials[video])]
        frames = min(map(len, trials))
        each.append(
            normalized_correlation(*(np.stack([x[t[:frames]] for t in trials]) for x in (p, r)))
        )
    known = ~np.isnan(each)
    total, count = np.where(known, each, 0).sum(0), known.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def poisson_loss(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Mean of p - r log(p + 1e-12), for rates p of 0 or more: (n, u), (n, u) -> (u,)."""
    p = np.asarray(p, np.float64)
    return np.mean(p - r * np.log(p + 1e-12), axis=0)


def split_half(
    r: np.ndarray, rows: FrameRows, generator: np.random.Generator, halves: int = HALVES
) -> np.ndarray:
    """Reliability of means over repeats, from halves of whole trials: (n, u) -> (u,).

    Correlation over frames of the means of two halves of each film's trials, corrected to all of
    them (Spearman-Brown), mean over `halves` random halvings; nan unless every film has repeats.
    Whole trials, because what a mouse does lasts longer than a frame.
    """
    trials, first = np.unique(rows.trials, return_index=True)
    shown = Repeats.of(rows.videos[first])
    if (shown.counts < 2).any():
        return np.full(r.shape[1], np.nan)
    found = []
    for _ in range(halves):
        order = np.lexsort((generator.random(len(trials)), shown.index))
        place = np.empty(len(trials), int)
        begin = np.cumsum(shown.counts) - shown.counts
        place[order] = np.arange(len(trials)) - np.repeat(begin, shown.counts)
        early = (place < (shown.counts // 2)[shown.index])[np.searchsorted(trials, rows.trials)]
        parts = [rows.only(half).averaged(r[half])[1][0] for half in (early, ~early)]
        found.append(spearman_brown(pearson(*parts)))
    return np.mean(found, axis=0)


SCORES = ("single", "avg", "avg_per_video", "cc_norm", "poisson", "reliability")


def movie_unit_scores(
    p: np.ndarray, r: np.ndarray, rows: FrameRows, generator: np.random.Generator
) -> pd.DataFrame:
    """All scores of all units: (n, u), (n, u) -> u rows.

    A unit that never varies, or a prediction that does not, scores 0 and counts; n_nan says how
    many predicted values are no numbers: those units score 0 too (specification, 7.1).
    """
    if not p.shape == r.shape == (len(rows.trials), r.shape[1]):
        raise ValueError(f"predictions {p.shape}, responses {r.shape}, {len(rows.trials)} rows")
    bad = ~np.isfinite(p)
    p = np.where(bad.any(0), 0.0, p)
    columns = {
        "single": pearson(p, r),
        "avg": average_concatenated(p, r, rows),
        "avg_per_video": average_per_video(p, r, rows),
        "cc_norm": cc_norm(p, r, rows),
        "poisson": poisson_loss(np.maximum(p, 0), r),
        "reliability": split_half(r, rows, generator),
        "n_nan": bad.sum(0),
        "silent": total_variance(r) == 0,
    }
    return pd.DataFrame(columns)
