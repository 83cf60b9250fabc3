"""Bootstrap over images: how far a score would move with other images of the same kind.

Images are drawn with replacement, each with all its trials; units stay, or are drawn as well,
independently of the images. Every score is a function of sums over images, so b resamples are
matrix products of the draws (b, i) with per-image sums (i, u). Models are compared on the same
draws of images and units (paired).
Sources: Efron & Tibshirani 1993, chapters 6 and 13 (percentile interval); Owen 2007, "The
pigeonhole bootstrap" (both ways; a little wide rather than too narrow).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from src.evaluation.metrics import Repeats, divide, kept, total_variance

Metric = Literal["single", "avg", "feve", "ev"]
Over = Literal["images", "trials"]
CHUNK = 50  # resamples computed at once


@dataclass(frozen=True)
class Draws:
    """How often each resample drew each image; sessions that share images share their draws."""

    ids: np.ndarray  # (i,) ascending
    weights: np.ndarray  # (b, i)

    @classmethod
    def make(cls, image_ids: np.ndarray, resamples: int, generator: np.random.Generator) -> Draws:
        """Resample the different ones among the image ids of all sessions: (n,) -> b resamples."""
        ids = np.unique(image_ids)
        even = np.full(len(ids), 1 / len(ids))
        return cls(ids, generator.multinomial(len(ids), even, size=resamples))

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Draws of some of the images: (i',) -> (b, i')."""
        return self.weights[:, np.searchsorted(self.ids, ids)].astype(np.float64)


@dataclass(frozen=True, eq=False)
class Resamples:
    """What is drawn anew: images with all their trials, or trials as if each stood for itself.

    Images are the same ones in everything that is compared. Over trials every request draws others,
    as published: intervals of differences are then too wide, those of scores too narrow where
    trials of an image are alike (specification nsd_gnet, 6.5 and defect D-21).
    """

    count: int
    generator: np.random.Generator
    images: Draws | None  # None: over trials

    @classmethod
    def make(
        cls, image_ids: np.ndarray, count: int, generator: np.random.Generator, over: Over
    ) -> Resamples:
        """Of the image ids of all sessions: (n,) -> b resamples."""
        images = Draws.make(image_ids, count, generator) if over == "images" else None
        return cls(count, generator, images)

    def of(self, image_ids: np.ndarray) -> tuple[np.ndarray, Draws]:
        """Ids of what is drawn for some trials, and draws of them: (n,) -> (n,), b resamples."""
        if self.images:
            return image_ids, self.images
        alone = np.arange(len(image_ids))
        return alone, Draws.make(alone, self.count, self.generator)


def member_weights(members: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Weights whose sums over k members' scores are means of other members: (b, k), rows sum to 1.

    Members are drawn with replacement, and their deviations widened by sqrt(k / (k - 1)), without
    which few members would seem to vary less than they do (Rao & Wu 1988).
    """
    if members == 1:
        return np.ones((resamples, 1))
    drawn = generator.multinomial(members, np.full(members, 1 / members), size=resamples)
    return (1 + np.sqrt(members / (members - 1)) * (drawn - 1)) / members


def every_unit(units: int, resamples: int) -> np.ndarray:
    """Each unit once in each resample, in no memory: -> (b, u)."""
    return np.broadcast_to(1.0, (resamples, units))


def unit_draws(units: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """How often each resample drew each unit: -> (b, u)."""
    return generator.multinomial(units, np.full(units, 1 / units), size=resamples)


def score_samples(
    metric: Metric, p: np.ndarray, r: np.ndarray, image_ids: np.ndarray, draws: Draws
) -> np.ndarray:
    """Mean score over units in every resample: (n, u), (n, u), (n,) -> (b,).

    single, avg, ev: units that respond at all; feve: units kept in that resample, nan without any.
    """
    every = every_unit(r.shape[1], len(draws.weights))
    return mean_samples(metric, p, r, image_ids, draws, [every])[0]


def mean_samples(
    metric: Metric,
    p: np.ndarray,
    r: np.ndarray,
    image_ids: np.ndarray,
    draws: Draws,
    of_units: Sequence[np.ndarray],
) -> np.ndarray:
    """As `score_samples`, for k weightings of units: k times (b, u) -> (k, b)."""
    active = total_variance(r) > 0
    repeats = Repeats.of(image_ids)
    p, r = (np.asarray(x, np.float64)[:, active] for x in (p, r))
    p, r = p - r.mean(axis=0), r - r.mean(axis=0)  # one offset for both: FEVE counts a bias
    weights, means, first = draws.of(repeats.ids), [], 0
    parts = np.split(weights, range(CHUNK, len(weights), CHUNK))
    for scores in _unit_scores(metric, p, r, repeats, parts):
        some = slice(first, first := first + len(scores))
        means.append([_weighted_mean(scores, w[some, active]) for w in of_units])
    return np.concatenate(means, axis=1)


def unit_samples(
    metric: Metric, p: np.ndarray, r: np.ndarray, image_ids: np.ndarray, draws: Draws
) -> np.ndarray:
    """Score of every unit in every resample: (n, u), (n, u), (n,) -> (b, u).

    0 where predictions or responses do not vary.
    """
    repeats, weights = Repeats.of(image_ids), draws.of(np.unique(image_ids))
    p, r = (np.asarray(x, np.float64) for x in (p, r))
    parts = np.split(weights, range(CHUNK, len(weights), CHUNK))
    return np.concatenate(list(_unit_scores(metric, p - p.mean(0), r - r.mean(0), repeats, parts)))


def _weighted_mean(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over units that have a score, nan without any: (b, u), (b, u) -> (b,)."""
    known = ~np.isnan(scores)
    total = (weights * np.where(known, scores, 0)).sum(axis=1)
    return divide(total, (weights * known).sum(axis=1))


def exchanged_differences(
    metric: Metric,
    p: np.ndarray,
    q: np.ndarray,
    r: np.ndarray,
    image_ids: np.ndarray,
    swaps: Draws,
) -> np.ndarray:
    """Score of p minus that of q with their predictions of some images swapped: (n, u) x 3 -> (b,).

    swaps: 1 where an image is swapped, else 0. If the models do not differ, every swap is as likely
    as none: the null of a paired permutation test (Fisher 1935).
    """
    ids, index = np.unique(image_ids, return_inverse=True)
    of_p, of_q = 1 - swaps.of(ids), swaps.of(ids)
    both = np.concatenate([p, q]), np.concatenate([r, r]), np.r_[index, index + len(ids)]
    doubled = np.arange(2 * len(ids))
    mixed = (Draws(doubled, np.hstack(w)) for w in ((of_p, of_q), (of_q, of_p)))
    first, second = (score_samples(metric, *both, draws) for draws in mixed)
    return first - second


def _unit_scores(
    metric: Metric, p: np.ndarray, r: np.ndarray, repeats: Repeats, parts: list[np.ndarray]
) -> Iterator[np.ndarray]:
    """Scores of units, nan where one does not count, for each part of the draws: -> (b, u)."""
    match metric:
        case "single":
            sums = [repeats.sum(x) for x in (p, r, p * p, r * r, p * r)]
            yield from (weighted_correlation(w, repeats.counts, *sums) for w in parts)
        case "avg":
            p, r = repeats.mean(p), repeats.mean(r)
            sums, once = (p, r, p * p, r * r, p * r), np.ones(len(p))
            yield from (weighted_correlation(w, once, *sums) for w in parts)
        case "ev":
            r, e = repeats.mean(r), repeats.mean(r - p)
            yield from (_explained(w, r, r * r, e, e * e) for w in parts)
        case "feve":
            sums = [repeats.sum(x) for x in (r, r * r, (r - p) ** 2)]
            noise = np.zeros_like(sums[0])
            noise[repeats.repeated] = repeats.variance(r)
            yield from (_feve_of_kept(w, repeats, *sums, noise) for w in parts)


def weighted_correlation(weights: np.ndarray, counts: np.ndarray, *sums: np.ndarray) -> np.ndarray:
    """Pearson r from the sums of p, r, pp, rr, pr in every resample: (b, i), (i, u) -> (b, u).

    0 where p or r is constant, nan where a resample drew nothing. counts (i,): terms in each sum.
    """
    n = (weights @ counts)[:, None]
    n = np.where(n > 0, n, np.nan)
    p, r, pp, rr, pr = (weights @ x / n for x in sums)
    spread = np.sqrt(np.maximum(pp - p * p, 0) * np.maximum(rr - r * r, 0))
    return np.divide(pr - p * r, spread, out=0 * pr, where=spread > 0)


def _explained(weights: np.ndarray, *sums: np.ndarray) -> np.ndarray:
    """Explained variance from the sums of r, rr, e, ee in every resample: (b, i) -> (b, u)."""
    r, rr, e, ee = (weights @ x / weights.sum(axis=1, keepdims=True) for x in sums)
    return 1 - divide(ee - e * e, np.maximum(rr - r * r, 0))


def _feve_of_kept(
    weights: np.ndarray,
    repeats: Repeats,
    r: np.ndarray,
    rr: np.ndarray,
    squared_error: np.ndarray,
    noise: np.ndarray,
) -> np.ndarray:
    """FEVE of the units kept in every resample, nan of others: (b, i), (i, u) -> (b, u)."""
    n = (weights @ repeats.counts)[:, None]
    total = (weights @ rr - (weights @ r) ** 2 / n) / (n - 1)
    repeated = (weights @ repeats.repeated)[:, None]
    noise = divide(weights @ noise, np.broadcast_to(repeated, total.shape))
    explained = 1 - divide(weights @ squared_error / n - noise, total - noise)
    return np.where(kept(divide(total - noise, total)), explained, np.nan)


def interval(samples: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the resamples that have a score: (b,) -> low, high."""
    tail = (1 - level) / 2
    low, high = np.nanquantile(samples, [tail, 1 - tail])
    return float(low), float(high)
