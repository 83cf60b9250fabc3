"""Predictions of films beside what units did: loaded, matched, scored, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.data.errors import DataError
from src.evaluation.intervals import SessionResults, comparison_table, interval_table
from src.evaluation.movie_metrics import SCORES, FrameRows, movie_unit_scores
from src.evaluation.movie_predictions import frame_ids, measured
from src.evaluation.prediction import Prediction, align, load_prediction
from src.seeds import numpy_stream
from src.studies.records import PublishedScore

RESAMPLED = ("single", "avg")  # scores that have intervals


@dataclass(frozen=True)
class MovieResults:
    """Scored frames of some trials of one session: what units did, what each model predicted."""

    session: str
    rows: FrameRows
    stimuli: np.ndarray  # (n,) str
    unit_ids: np.ndarray  # (u,)
    responses: np.ndarray  # (n, u) scaled
    predictions: Mapping[str, np.ndarray]  # by model: (n, u)

    def only(self, which: np.ndarray) -> MovieResults:
        """Some of the rows: (n,) bool."""
        return replace(
            self,
            rows=self.rows.only(which),
            stimuli=self.stimuli[which],
            responses=self.responses[which],
            predictions={name: p[which] for name, p in self.predictions.items()},
        )

    def resampled(self, metric: str) -> SessionResults:
        """As the bootstrap takes it: each film with all its frames is what is drawn.

        single: rows are trials' frames; avg: frames of films, with means over repeats.
        """
        rows, r, predictions = self.rows, self.responses, self.predictions
        if metric == "avg":
            rows, (r, *means) = rows.averaged(r, *predictions.values())
            predictions = dict(zip(predictions, means, strict=True))
        return SessionResults(self.session, rows.videos, r, predictions, silent=True)


def frame_rows(session: Any, trials: np.ndarray, policy: str = "") -> tuple[FrameRows, np.ndarray]:
    """The scored frames of some trials, one trial after the other, and their names in files."""
    spans = [session.scored_frames(i, policy) for i in trials]
    spans = [range(s.start, s.stop) for s in spans]
    sizes = [len(frames) for frames in spans]
    frames = np.concatenate([np.zeros(0, int), *map(np.array, spans)])
    rows = FrameRows(np.repeat(trials, sizes), np.repeat(session.image_ids[trials], sizes), frames)
    return rows, frame_ids(session, trials, spans)[0]


def results_of(
    session: Any, trials: np.ndarray, predictions: Mapping[str, Prediction], policy: str = ""
) -> MovieResults:
    """Scored frames of the given trials with the predictions of every model, matched by ids.

    A file may hold more rows than are scored, not fewer. DataError for trials whose responses are
    withheld: there is nothing to score.
    """
    if session.withheld_trials(trials).any():
        raise DataError(
            f"session '{session.key}': responses of {session.withheld_trials(trials).sum()} of "
            f"{len(trials)} trials are withheld: score other tiers"
        )
    rows, names = frame_rows(session, trials, policy)
    shown = session.video_sha256[rows.trials]
    aligned = {
        model: align(_held(p, names), names, session.unit_ids, shown)
        for model, p in predictions.items()
    }
    r = measured(session, trials, policy)
    stimuli = session.stimuli[rows.trials]
    return MovieResults(session.key, rows, stimuli, session.unit_ids, r, aligned)


def _held(prediction: Prediction, names: np.ndarray) -> Prediction:
    """The rows of a prediction that are asked for, as many as it has."""
    keep = np.isin(prediction.trial_ids, names)
    known = prediction.image_sha256
    return replace(
        prediction,
        values=prediction.values[keep],
        trial_ids=prediction.trial_ids[keep],
        image_ids=prediction.image_ids[keep],
        image_sha256=None if known is None else known[keep],
    )


def load_movie_results(
    sessions: Mapping[str, Any],
    folder: Path,
    systems: Mapping[str, str],
    tiers: Sequence[str],
    policy: str = "",
) -> list[MovieResults]:
    """Trials of `tiers` of all sessions that have responses to any, with what `systems` predicted.

    A system's files are `<folder>/<its place>/<session>.npz`.
    """
    results = []
    for key, session in sessions.items():
        trials = np.concatenate([session.trials(tier) for tier in tiers])
        trials = np.sort(trials[~session.withheld_trials(trials)])
        if len(trials):
            files = {name: folder / place / f"{key}.npz" for name, place in systems.items()}
            found = {name: load_prediction(path) for name, path in files.items()}
            results.append(results_of(session, trials, found, policy))
    return results


def unit_table(results: Sequence[MovieResults], seed: int) -> pd.DataFrame:
    """Every unit of every session, model by model, with its scores."""
    parts = []
    for found in results:
        for model, p in found.predictions.items():
            rng = numpy_stream(seed, "halves", found.session)
            scores = movie_unit_scores(p, found.responses, found.rows, rng)
            own = {"model": model, "session": found.session, "unit_id": found.unit_ids}
            parts.append(pd.DataFrame(own).join(scores))
    return pd.concat(parts, ignore_index=True)


def summary(units: pd.DataFrame) -> pd.DataFrame:
    """Means over units: a row for each model and session, then both ways to take them together.

    pooled: over the units of all sessions, as the organizers do; mean of k: of the sessions' means,
    as the winner does (specification sensorium2023, 7.1).
    """
    rows = []
    for model, table in units.groupby("model", sort=False):
        each = table.groupby("session", sort=False)[list(SCORES)].mean()
        counts = table.groupby("session", sort=False).size()
        total = pd.DataFrame(
            [table[list(SCORES)].mean(), each.mean()], ["pooled", f"mean of {len(each)}"]
        )
        both = pd.concat([each, total]).rename_axis("session").reset_index()
        both.insert(1, "n_units", [*counts, len(table), len(table)])
        both.insert(0, "model", model)
        rows.append(both)
    return pd.concat(rows, ignore_index=True)


def by_stimulus(results: Sequence[MovieResults], seed: int) -> pd.DataFrame:
    """`summary` for each type of stimulus there is: one more column, `stimulus`."""
    types = np.unique(np.concatenate([found.stimuli for found in results])).tolist()
    parts = []
    for kind in types:
        some = [found.only(found.stimuli == kind) for found in results if kind in found.stimuli]
        parts.append(summary(unit_table(some, seed)).assign(stimulus=kind))
    return pd.concat(parts, ignore_index=True)


def published_table(
    published: Iterable[PublishedScore], scores: pd.DataFrame, alike: bool
) -> pd.DataFrame:
    """Published scores, a row each with source, status and tolerance, beside ours of that place.

    scores: rows of `summary` of one model on official frames, with their `track`, which is the last
    word of a published system; its session `mean` is ours over sessions. Where the data are `alike`
    there is a difference, and `within` says whether it is at most the tolerance.
    """
    table = pd.DataFrame([vars(score) for score in published]).drop(columns="images")
    places = table["system"].str.extract("(oracle|main|OOD)$", expand=False), table["session"]
    known = scores.assign(session=scores["session"].replace(r"mean of \d+", "mean", regex=True))
    known = known.set_index(["track", "session"])["single"]
    table["ours"] = known.reindex(pd.MultiIndex.from_arrays(places)).to_numpy()
    table["difference"] = table["ours"] - table["value"] if alike else np.nan
    within = np.where(table["difference"].abs() <= table["tolerance"], "yes", "no")
    return table.assign(within=np.where(table["difference"].isna(), "", within))


def movie_intervals(
    results: Sequence[MovieResults], seed: int, resamples: int = 1000
) -> pd.DataFrame:
    """Scores single and avg with bootstrap intervals over films, by model and session."""
    parts = [
        interval_table(*_draw(results, metric, seed), resamples, metrics=("single",)).assign(
            metric=metric
        )
        for metric in RESAMPLED
    ]
    return pd.concat(parts, ignore_index=True)


def movie_comparisons(
    results: Sequence[MovieResults],
    pairs: Sequence[tuple[str, str]],
    seed: int,
    resamples: int = 1000,
) -> pd.DataFrame:
    """Differences of two models on the same units and resampled films, for single and avg."""
    parts = []
    for metric in RESAMPLED:
        some, rng = _draw(results, metric, seed)
        table = comparison_table(some, pairs, rng, resamples, metrics=("single",))
        parts.append(table.assign(metric=metric))
    return pd.concat(parts, ignore_index=True)


def _draw(
    results: Sequence[MovieResults], metric: str, seed: int
) -> tuple[list[SessionResults], np.random.Generator]:
    rng = numpy_stream(seed, "intervals", metric)
    return [found.resampled(metric) for found in results], rng
