"""How a quantity goes with properties of the images: correlations, intervals, permutations, groups.

Intervals: images drawn with replacement. p: values handed to other images at random, both signs
counted. Sessions that show the same images share draws and shuffles, so that their mean is treated
as what it is, several looks at the same images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from src.evaluation.bootstrap import Draws, interval, weighted_correlation
from src.evaluation.permutation import p_value

FEWEST = 4  # images below which a correlation says nothing


class _Relation(NamedTuple):
    n: int
    value: float
    samples: np.ndarray  # (b,) in resamples of the images
    null: np.ndarray  # (b,) with the images shuffled


def relation_table(
    table: pd.DataFrame,
    measure: str,
    properties: Sequence[str],
    generator: np.random.Generator,
    resamples: int = 1000,
) -> pd.DataFrame:
    """Pearson and Spearman r of a measure with properties: a row for each, session, and mean.

    table: columns session, image_id, the measure, the properties; an image without a property stays
    out of that row. p_holm is corrected for the number of properties (Holm 1979).
    """
    draws = Draws.make(table["image_id"].to_numpy(), resamples, generator)
    keys = generator.random(draws.weights.shape)
    rows = []
    for statistic in ("pearson", "spearman"):
        for name in properties:
            found = {}
            for session, one in table.sort_values("image_id").groupby("session", sort=False):
                known = one.dropna(subset=[name, measure])
                ids, xy = known["image_id"].to_numpy(), known[[name, measure]].to_numpy(float)
                where = np.searchsorted(draws.ids, ids)
                if len(ids) >= FEWEST:
                    found[session] = _relation(xy, draws.of(ids), keys[:, where], statistic)
            if found:
                found |= _mean(list(found.values()))
            rows += [_row(measure, statistic, name, *item) for item in found.items()]
    return _corrected(pd.DataFrame(rows, columns=COLUMNS))


COLUMNS = ["measure", "statistic", "property", "session", "n", "r", "low", "high", "p"]


def _row(measure: str, statistic: str, name: str, session: str, found: _Relation) -> tuple:
    p = p_value(abs(found.value), np.abs(found.null))
    return measure, statistic, name, session, found.n, found.value, *interval(found.samples), p


def _relation(xy: np.ndarray, weights: np.ndarray, keys: np.ndarray, statistic: str) -> _Relation:
    """Of (i, 2) values, with draws (b, i) and random keys (b, i) whose order is a shuffle."""
    ranked = statistic == "spearman"
    x, y = (c - c.mean() for c in (map(rankdata, xy.T) if ranked else xy.T))
    once = np.ones_like(weights)
    value, null = _correlation(x, y, once[:1]), _correlation(x, y[np.argsort(keys, axis=1)], once)
    drawn = (weighted_ranks(c, weights) for c in (x, y)) if ranked else (x, y)
    return _Relation(len(xy), float(value[0]), _correlation(*drawn, weights), null)


def _correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted correlation of images, row by row: (i,) or (b, i) twice, (b, i) -> (b,)."""
    sums = (v[..., None] for v in (x, y, x * x, y * y, x * y))
    return weighted_correlation(weights[:, None], np.ones(len(weights.T)), *sums).ravel()


def weighted_ranks(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean ranks in resamples that hold each value `weights` times: (i,), (b, i) -> (b, i)."""
    levels, level = np.unique(x, return_inverse=True)
    mass = weights @ (level[:, None] == np.arange(len(levels)))
    return (np.cumsum(mass, axis=1) - (mass - 1) / 2)[:, level]


def _mean(found: list[_Relation]) -> dict[str, _Relation]:
    """Mean over sessions; n counts the images of each."""
    n, value, samples, null = zip(*found, strict=True)
    mean = _Relation(sum(n), float(np.mean(value)), np.mean(samples, 0), np.mean(null, 0))
    return {f"mean of {len(found)}": mean}


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    groups = table.groupby(["statistic", "session"], sort=False)["p"]
    return table.assign(p_holm=groups.transform(holm))


def holm(p: Sequence[float]) -> np.ndarray:
    """p values corrected for their number, step down (Holm 1979): (k,) -> (k,)."""
    p = np.asarray(p, np.float64)
    order, corrected = np.argsort(p), np.empty(len(p))
    stepped = (len(p) - np.arange(len(p))) * p[order]
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return corrected


def group_table(
    values: np.ndarray, groups: np.ndarray, generator: np.random.Generator, resamples: int = 1000
) -> tuple[pd.DataFrame, float]:
    """Means of groups of images with intervals over images, and p that the groups are alike.

    (i,), (i,) -> a row a group, largest mean first, and the share of `resamples` shuffles of the
    group labels with as much variance between groups. A group of one image has no interval.
    """
    names, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    member = np.equal.outer(np.arange(len(names)), group).astype(float)  # (g, i)
    means = member @ values / counts
    order = np.argsort(generator.random((resamples, len(values))), axis=1)
    null = values[order] @ member.T / counts
    spread = [np.square(m - values.mean()) @ counts for m in (means, null)]
    limits = [_group_interval(values[group == g], generator, resamples) for g in range(len(names))]
    table = pd.DataFrame({"group": names, "images": counts, "mean": means})
    table[["low", "high"]] = limits
    return table.sort_values("mean", ascending=False, ignore_index=True), p_value(*spread)


def _group_interval(
    values: np.ndarray, generator: np.random.Generator, resamples: int
) -> tuple[float, float]:
    if len(values) == 1:
        return np.nan, np.nan
    return interval(generator.choice(values, (resamples, len(values))).mean(axis=1))
