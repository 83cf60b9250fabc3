"""Whether predictions are better while an animal is in one state than while it is in another.

Trials are cut into thirds of a state, for example of the pupil's size; the single-trial correlation
is taken in the smallest and in the largest third (V1T, Li et al. 2023). Interval: images drawn with
replacement, each with all its trials. Null: states handed to other repeats of the same image, so
that the images in each third, and with them how hard they are, stay the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from src.correlation import pearson
from src.data.errors import DataError
from src.evaluation.bootstrap import CHUNK, Draws, interval, weighted_correlation
from src.evaluation.intervals import SessionResults
from src.evaluation.metrics import Repeats, total_variance
from src.evaluation.permutation import p_value

THIRDS = ("smallest", "largest")
REPEATS = "other repeats"  # a predictor without a model: the mean of the image's other trials


def thirds(state: np.ndarray) -> np.ndarray:
    """Which trials lie in the smallest and in the largest third of a state: (n,) -> (2, n) bool.

    Equal values stay together: of a state that is mostly 0, the smallest third is all the zeros.
    """
    low, high = np.quantile(state, [1 / 3, 2 / 3])
    return np.stack([state <= low, state > high])


def varies(state: np.ndarray) -> bool:
    """Whether the smallest and the largest third of a state hold two trials or more each: (n,)."""
    return bool((thirds(state).sum(axis=1) > 1).all())


def repeated(result: SessionResults) -> np.ndarray:
    """Which trials show an image that was shown more than once: -> (n,) bool."""
    repeats = Repeats.of(result.image_ids)
    return repeats.repeated[repeats.index]


def with_other_repeats(result: SessionResults) -> SessionResults:
    """The `repeated` trials, with the mean of an image's other trials as one more prediction."""
    use = repeated(result)
    ids, r = result.image_ids[use], result.responses[use]
    predictions = {name: p[use] for name, p in result.predictions.items()}
    predictions[REPEATS] = Repeats.of(ids).others(r)
    return SessionResults(result.session, ids, r, predictions)


def shuffled_within(
    groups: np.ndarray, generator: np.random.Generator, shuffles: int
) -> np.ndarray:
    """Shuffles of trials among those of the same image: (n,) -> (b, n) indices of trials."""
    keys = generator.random((shuffles, len(groups)))
    order = np.lexsort((keys, np.broadcast_to(groups, keys.shape)))
    shuffled = np.empty_like(order)
    shuffled[:, np.argsort(groups, kind="stable")] = order
    return shuffled


@dataclass(frozen=True)
class Compared:
    """Scores of one model in the smallest and the largest third, of one session or their mean."""

    scores: np.ndarray  # (2,) mean over units of the single-trial correlation
    units: np.ndarray  # (2, u) nan where a unit does not respond
    samples: np.ndarray  # (2, b) the scores in resamples of the images
    null: np.ndarray  # (b,) largest - smallest with the state shuffled within images


def compare(
    results: Sequence[SessionResults],
    states: Mapping[str, np.ndarray],
    generator: np.random.Generator,
    resamples: int = 500,
) -> dict[tuple[str, str], Compared]:
    """Every model in every session and in their mean; states: by session, (n,), one a trial.

    Models share resamples and shuffles, sessions that share images share the resamples. DataError
    without any session.
    """
    if not results:
        raise DataError("no session has both this state and test responses: skip this analysis")
    draws = Draws.make(np.concatenate([x.image_ids for x in results]), resamples, generator)
    found: dict[str, dict[str, Compared]] = {}
    for x in results:
        repeats, masks = Repeats.of(x.image_ids), thirds(states[x.session])
        drawn = masks[:, None] * draws.of(repeats.ids)[:, repeats.index]
        shuffled = masks[:, shuffled_within(repeats.index, generator, resamples)]
        for model, p in x.predictions.items():
            one = _compare(p, x.responses, masks, drawn, shuffled.astype(np.float64))
            found.setdefault(model, {})[x.session] = one
    for sessions in found.values():
        sessions[f"mean of {len(sessions)}"] = _mean(list(sessions.values()))
    return {(model, key): one for model, sessions in found.items() for key, one in sessions.items()}


def _compare(
    p: np.ndarray, r: np.ndarray, masks: np.ndarray, drawn: np.ndarray, shuffled: np.ndarray
) -> Compared:
    """(n, u), (n, u), thirds (2, n), their trials as drawn and as shuffled (2, b, n)."""
    active = total_variance(r) > 0
    units = np.stack([np.where(active, pearson(p[m], r[m]), np.nan) for m in masks])
    p, r = (np.asarray(x, np.float64)[:, active] for x in (p, r))
    p, r = p - p.mean(axis=0), r - r.mean(axis=0)
    sums = p, r, p * p, r * r, p * r
    samples, null = (np.stack([_means(w, *sums) for w in both]) for both in (drawn, shuffled))
    return Compared(np.nanmean(units, axis=1), units, samples, null[1] - null[0])


def _means(weights: np.ndarray, *sums: np.ndarray) -> np.ndarray:
    """Mean correlation over units of weighted trials: (b, n), 5 x (n, u) -> (b,)."""
    parts = np.split(weights, range(CHUNK, len(weights), CHUNK))
    once = np.ones(weights.shape[1])
    return np.concatenate([weighted_correlation(w, once, *sums).mean(axis=1) for w in parts])


def _mean(sessions: list[Compared]) -> Compared:
    scores, samples, null = (
        np.mean([getattr(s, name) for s in sessions], axis=0)
        for name in ("scores", "samples", "null")
    )
    return Compared(scores, np.concatenate([s.units for s in sessions], axis=1), samples, null)


def third_table(found: Mapping[tuple[str, str], Compared]) -> pd.DataFrame:
    """Score and interval in each third: a row a model, session and third."""
    rows = [
        (*key, third, score, *interval(samples))
        for key, one in found.items()
        for third, score, samples in zip(THIRDS, one.scores, one.samples, strict=True)
    ]
    return pd.DataFrame(rows, columns=["model", "session", "third", "score", "low", "high"])


def difference_table(found: Mapping[tuple[str, str], Compared]) -> pd.DataFrame:
    """Largest minus smallest third, a row a model and session.

    null is the mean over shuffles, p the share of them that lie as far from it, on either side.
    units_better is the share of units that score higher in the largest third.
    """
    rows = []
    for key, one in found.items():
        difference, null = one.scores[1] - one.scores[0], one.null.mean()
        p = p_value(abs(difference - null), np.abs(one.null - null))
        counted = ~np.isnan(one.units[0])
        better = np.mean(one.units[1, counted] > one.units[0, counted])
        limits = interval(one.samples[1] - one.samples[0])
        rows.append((*key, *one.scores, difference, *limits, null, p, better))
    names = ["difference", "low", "high", "null", "p", "units_better"]
    return pd.DataFrame(rows, columns=["model", "session", *THIRDS, *names])


def benefit_table(
    found: Mapping[tuple[str, str], Compared], pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Score of one model minus that of another in each third, paired over images and units."""
    rows = [
        (model, other, session, third, difference, *interval(samples))
        for model, other in pairs
        for session in dict.fromkeys(key for name, key in found if name == model)
        for a, b in [(found[model, session], found[other, session])]
        for third, difference, samples in zip(
            THIRDS, a.scores - b.scores, a.samples - b.samples, strict=True
        )
    ]
    names = ["model", "other", "session", "third", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def unit_table(
    found: Mapping[tuple[str, str], Compared], unit_ids: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Scores of every unit in both thirds: unit_ids by session (u,) -> a row a unit and model."""
    rows = [
        pd.DataFrame({"session": key, "unit_id": unit_ids[key], "model": model}).assign(
            **dict(zip(THIRDS, one.units, strict=True))
        )
        for (model, key), one in found.items()
        if key in unit_ids
    ]
    return pd.concat(rows, ignore_index=True)
