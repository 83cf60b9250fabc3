"""What more members bring: scores of ensembles of one to all members, averaged over which ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
import pandas as pd

from src.evaluation import ensemble
from src.evaluation.bootstrap import Draws, interval, score_samples
from src.evaluation.intervals import SessionResults
from src.evaluation.metrics import (
    correlation_to_average,
    single_trial_correlation,
    total_variance,
)


def subsets(
    members: int, size: int, most: int, generator: np.random.Generator
) -> list[tuple[int, ...]]:
    """All subsets of `size` among k members, or `most` different ones at random if there are more.

    Each is ascending; random ones come in no particular order.
    """
    if comb(members, size) <= most:
        return list(combinations(range(members), size))
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < most:
        chosen = generator.choice(members, size, replace=False)
        drawn[tuple(sorted(chosen.tolist()))] = None
    return list(drawn)


def member_curve(
    results: Sequence[SessionResults],
    generator: np.random.Generator,
    metric: Literal["single", "avg"] = "single",
    most: int = 20,
    resamples: int = 1000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Mean score of ensembles of 1 to k members, by size, with bootstrap intervals over images.

    results: `predictions` are those of the single members. A size's score is the mean over its
    subsets (at most `most`) and sessions; worst and best are the subsets' own. `gain` is over one
    member, on the same resampled images.
    """
    scored = [x for x in results if total_variance(x.responses).any()]
    draws = Draws.make(np.concatenate([x.image_ids for x in scored]), resamples, generator)
    names = list(scored[0].predictions)
    rows, first = [], None
    for size in range(1, len(names) + 1):
        chosen = [[names[i] for i in s] for s in subsets(len(names), size, most, generator)]
        found = [_score(scored, subset, metric, draws) for subset in chosen]
        scores, samples = (np.array(x) for x in zip(*found, strict=True))
        mean, spread = scores.mean(), samples.mean(axis=0)
        first = (mean, spread) if first is None else first
        gain = mean - first[0], *interval(spread - first[1], level)
        extremes = scores.min(), scores.max()
        rows.append((size, len(chosen), mean, *interval(spread, level), *extremes, *gain))
    names = ("members", "subsets", "score", "low", "high", "worst", "best")
    return pd.DataFrame(rows, columns=[*names, "gain", "gain_low", "gain_high"])


def _score(
    results: Sequence[SessionResults], members: Sequence[str], metric: str, draws: Draws
) -> tuple[float, np.ndarray]:
    """Score of the mean of some members, mean over sessions, and in every resample: (), (b,)."""
    scores, samples = [], []
    for x in results:
        p = ensemble.mean(np.stack([x.predictions[m] for m in members]))
        r, ids = x.responses, x.image_ids
        average = metric == "avg"
        units = correlation_to_average(p, r, ids) if average else single_trial_correlation(p, r)
        scores.append(units[total_variance(r) > 0].mean())
        samples.append(score_samples(metric, p, r, ids, draws))
    return float(np.mean(scores)), np.mean(samples, axis=0)
