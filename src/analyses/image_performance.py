"""How well the population response to each single image is predicted, across the units.

The published measure correlates, for one image, the units' mean responses with their predictions.
Units differ in how much they respond to anything, and a model that knows only that already scores.
So each image's response is also held against the predictions for all *other* images, and the
correlation is repeated after every unit's mean over images is taken away (`centered`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from src.correlation import pearson, z_score
from src.evaluation.bootstrap import Draws, interval, weighted_correlation
from src.evaluation.intervals import SessionResults
from src.evaluation.metrics import Repeats, divide
from src.evaluation.permutation import p_value

# Stored outputs of the SENSORIUM 2022 winner's analysis: session, image, performance.
PUBLISHED = (
    ("21067-10-18", 4812, 0.599),
    ("23343-5-17", 4812, 0.602),
    ("22846-10-16", 4812, 0.756),
    ("23656-14-22", 4812, 0.699),
    ("23964-4-22", 4812, 0.703),
    ("21067-10-18", 483, 0.514),
    ("21067-10-18", 104, 0.6107),
)


def matches(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Correlation across units of each response with each prediction: (i, u), (i, u) -> (i, i).

    Rows are images shown, columns images predicted; z-scores over the units of one image.
    """
    return z_score(r.T).T @ z_score(p.T) / r.shape[1]


def centered(x: np.ndarray) -> np.ndarray:
    """Without each unit's mean over images: (i, u) -> (i, u)."""
    return x - x.mean(axis=0)


def performance_table(
    result: SessionResults, model: str, generator: np.random.Generator, resamples: int = 1000
) -> pd.DataFrame:
    """One row an image: performance with its 95 % interval over units, and what chance gives.

    shuffled is the mean over predictions for the other images: chance with image labels shuffled.
    """
    repeats = Repeats.of(result.image_ids)
    p, r = repeats.mean(result.predictions[model]), repeats.mean(result.responses)
    own = pearson(p.T, r.T)
    low, high = np.quantile(_unit_samples(p, r, generator, resamples), [0.025, 0.975], axis=0)
    columns = {
        "session": result.session,
        "model": model,
        "image_id": repeats.ids,
        "n_trials": repeats.counts,
        "performance": own,
        "low": low,
        "high": high,
        "shuffled": divide(matches(p, r).sum(axis=1) - own, np.full(len(own), len(own) - 1)),
        "centered": pearson(centered(p).T, centered(r).T),
    }
    return pd.DataFrame(columns)


def _unit_samples(
    p: np.ndarray, r: np.ndarray, generator: np.random.Generator, resamples: int
) -> np.ndarray:
    """Performance of each image with units drawn with replacement: (i, u), (i, u) -> (b, i)."""
    p, r = p.T, r.T
    weights = Draws.make(np.arange(len(p)), resamples, generator).weights.astype(np.float64)
    return weighted_correlation(weights, np.ones(len(p)), p, r, p * p, r * r, p * r)


def session_table(
    results: Sequence[SessionResults],
    models: Sequence[str],
    generator: np.random.Generator,
    resamples: int = 1000,
) -> pd.DataFrame:
    """Means over images, a row a session and model, with intervals over images and a permutation p.

    shuffled: expectation with image labels shuffled; p: share of shuffles, `resamples` of them, as
    good. identified: share of images whose own prediction fits the response best, of all images.
    """
    draws = Draws.make(np.concatenate([x.image_ids for x in results]), resamples, generator)
    rows = []
    for x in results:
        repeats = Repeats.of(x.image_ids)
        weights, r = draws.of(repeats.ids), repeats.mean(x.responses)
        for model in models:
            p = repeats.mean(x.predictions[model])
            row = {"session": x.session, "model": model, "images": len(p), "units": p.shape[1]}
            row |= _summary(matches(p, r), weights, generator)
            row |= {"centered": np.mean(pearson(centered(p).T, centered(r).T))}
            rows.append(row)
    return pd.DataFrame(rows)


def _summary(
    found: np.ndarray, weights: np.ndarray, generator: np.random.Generator
) -> dict[str, float]:
    own, n = np.diag(found), len(found)
    order = np.argsort(generator.random((len(weights), n)), axis=1)
    null = found[np.arange(n), order].mean(axis=1)
    low, high = interval(divide(weights @ own, weights.sum(axis=1)))
    best = found.argmax(axis=1) == np.arange(n)
    row = {"performance": own.mean(), "low": low, "high": high}
    row |= {"shuffled": null.mean(), "p": p_value(own.mean(), null)}
    return row | {"identified": best.mean(), "chance": 1 / n}


def summaries(result: SessionResults) -> pd.DataFrame:
    """Min, median, max, mean and std of responses and predictions, before and after averaging."""
    rows = []
    for name, x in {"response": result.responses, **result.predictions}.items():
        parts = {"single trials": x, "means over repeats": Repeats.of(result.image_ids).mean(x)}
        rows += [
            {"session": result.session, "of": name, "over": over, **_five(part)}
            for over, part in parts.items()
        ]
    return pd.DataFrame(rows)


def _five(x: np.ndarray) -> dict[str, Any]:
    functions = (np.min, np.median, np.max, np.mean, np.std)
    return {f.__name__: f(np.asarray(x, np.float64)) for f in functions}
