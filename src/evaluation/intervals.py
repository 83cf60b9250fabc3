"""Intervals of scores and of differences between models, by session and over sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.data.hashes import trial_sha256
from src.evaluation.bootstrap import (
    Metric,
    Over,
    Resamples,
    every_unit,
    interval,
    mean_samples,
    member_weights,
    unit_draws,
)
from src.evaluation.metrics import scored_rows, total_variance
from src.evaluation.prediction import align, load_prediction
from src.evaluation.scores import unit_scores

METRICS: tuple[Metric, ...] = ("single", "avg", "feve")
LIMITS = {False: ("low", "high"), True: ("low", "high", "low_units", "high_units")}


@dataclass(frozen=True)
class SessionResults:
    """Test trials of one session: what the units did and what every model predicted."""

    session: str
    image_ids: np.ndarray  # (n,)
    responses: np.ndarray  # (n, u)
    # by model, the same ones in all sessions: (n, u), or (k, n, u) for the mean score of k members
    predictions: Mapping[str, np.ndarray]
    silent: bool = False  # units that never vary count, with a score of 0, as in scores of films

    def rows(self, metric: str) -> SessionResults:
        """The same with what a metric correlates in place of trials, see `scored_rows`."""
        given = self.image_ids, self.responses, *self.predictions.values()
        ids, responses, *predicted = scored_rows(metric, *given)
        predictions = dict(zip(self.predictions, predicted, strict=True))
        return replace(self, image_ids=ids, responses=responses, predictions=predictions)


def load_results(
    sessions: Mapping[str, Any],
    folder: Path,
    systems: Mapping[str, str],
    tier: str | None = "test",
) -> list[SessionResults]:
    """Trials of all sessions with the predictions of `systems`, a folder below `folder` each.

    The trials are those of `tier`, or for None those the first system's file holds. Rows are
    matched by trial id and columns by unit id. DataError where a file lacks any, and where it was
    made for other images than these trials show.
    """
    results = []
    for key, session in sessions.items():
        found = {x: load_prediction(folder / place / f"{key}.npz") for x, place in systems.items()}
        first = next(iter(found.values()))
        held = np.flatnonzero(np.isin(session.trial_ids, first.trial_ids))
        trials = held if tier is None else session.trials(tier)
        ids = session.trial_ids[trials], session.unit_ids, trial_sha256(session, trials)
        predictions = {name: align(p, *ids) for name, p in found.items()}
        responses = session.responses(trials).numpy()
        results.append(SessionResults(key, session.image_ids[trials], responses, predictions))
    return results


@dataclass(frozen=True)
class _Sampled:
    """A score of one model in one session, or their mean."""

    score: float
    units: np.ndarray  # (u,) nan where the unit does not count
    samples: np.ndarray  # (1, b) the score in resamples of images; (2, b) of images and units too


def _sampled(
    results: Sequence[SessionResults],
    generator: np.random.Generator,
    resamples: int,
    metrics: Sequence[Metric],
    units: bool,
    over: Over,
) -> dict[tuple[str, Metric, str], _Sampled]:
    """Scores by model, metric and session, without sessions that have none, and their means."""
    scored = [x for x in results if total_variance(x.responses).any()]
    if not scored:
        return {}
    if over == "trials" and set(metrics) != {"single"}:
        raise ValueError(f"trials drawn one by one have no repeats for {metrics}: use single")
    ids = np.concatenate([x.image_ids for x in scored])
    again = Resamples.make(ids, resamples, generator, over)
    counts = {1 if p.ndim == 2 else len(p) for x in scored for p in x.predictions.values()}
    weights = {k: member_weights(k, resamples, generator) for k in sorted(counts)}
    found: dict[tuple[str, Metric], dict[str, _Sampled]] = {}
    for x in scored:
        size = x.responses.shape[1], resamples
        of_units = [every_unit(*size), *([unit_draws(*size, generator)] if units else [])]
        share = (total_variance(x.responses) > 0).mean() if x.silent else 1.0
        for model, p in x.predictions.items():
            members = [p] if p.ndim == 2 else list(p)
            scores = [unit_scores(member, x.responses, x.image_ids) for member in members]
            for metric in metrics:
                columns = [s[metric].where(s["kept"] | (metric != "feve")) for s in scores]
                if not np.isnan(known := np.mean(columns, axis=0)).all():
                    args = x.responses, *again.of(x.image_ids), of_units
                    samples = [mean_samples(metric, m, *args) for m in members]
                    samples = np.einsum("kwb,bk->wb", samples, weights[len(members)])
                    sampled = _Sampled(share * np.nanmean(known), known, share * samples)
                    found.setdefault((model, metric), {})[x.session] = sampled
    return {
        (*key, session): sampled
        for key, sessions in found.items()
        for session, sampled in (*sessions.items(), _mean(list(sessions.values())))
    }


def _mean(sessions: list[_Sampled]) -> tuple[str, _Sampled]:
    score = float(np.mean([s.score for s in sessions]))
    units, samples = np.concatenate([s.units for s in sessions]), [s.samples for s in sessions]
    return f"mean of {len(sessions)}", _Sampled(score, units, np.mean(samples, axis=0))


def interval_table(
    results: Sequence[SessionResults],
    generator: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
    metrics: Sequence[Metric] = METRICS,
    units: bool = False,
    over: Over = "images",
) -> pd.DataFrame:
    """Scores with bootstrap intervals over images: a row for each model, metric, session, and mean.

    Sessions that share image ids share the draws of these images. Where a model has several
    members, members are drawn as well, the same ones for all sessions and models. With `units`, a
    second interval, low_units to high_units, is over images and units: what holds for other units
    of the same area too. `over` trials is the published way, see `Resamples`.
    """
    sampled = _sampled(results, generator, resamples, metrics, units, over)
    rows = ((*key, s.score, *_limits(s.samples, level)) for key, s in sampled.items())
    return pd.DataFrame(rows, columns=["model", "metric", "session", "score", *LIMITS[units]])


def _limits(samples: np.ndarray, level: float) -> list[float]:
    """The interval of each row of samples, one after the other: (1 or 2, b) -> 2 or 4 limits."""
    return [limit for row in samples for limit in interval(row, level)]


def comparison_table(
    results: Sequence[SessionResults],
    pairs: Sequence[tuple[str, str]],
    generator: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
    metrics: Sequence[Metric] = METRICS,
    units: bool = False,
    over: Over = "images",
) -> pd.DataFrame:
    """Differences model - other, paired over units and images, with bootstrap intervals.

    units_better is the share of units in which `model` scores higher; `units` and `over` as for
    scores.
    """
    sampled, rows = _sampled(results, generator, resamples, metrics, units, over), []
    places = dict.fromkeys((metric, session) for _, metric, session in sampled)
    for (model, other), place in product(pairs, places):
        a, b = sampled[model, *place], sampled[other, *place]
        counted = ~np.isnan(a.units)
        better = np.mean(a.units[counted] > b.units[counted])
        limits = _limits(a.samples - b.samples, level)
        rows.append((model, other, *place, a.score - b.score, *limits, better))
    names = ["model", "other", "metric", "session", "difference", *LIMITS[units], "units_better"]
    return pd.DataFrame(rows, columns=names)
