"""Similarity against distance in micrometers: pairs of units, or of cells of a grid.

Every bin of distance holds its pairs, or a random sample of them, so that memory grows with the
bins and not with the square of the units. Intervals resample units or images; the null hands the
units' responses to other places.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from src.correlation import z_score
from src.evaluation.bootstrap import Draws, interval, score_samples
from src.evaluation.metrics import divide

CANDIDATES = 1_000_000  # pairs of which a bin's sample is taken where there are more
CHUNK = 20_000  # pairs correlated at once
LENGTHS = np.geomspace(5, 2000, 601)  # um


@dataclass(frozen=True)
class Pairs:
    """Pairs of places, the bin of distance each lies in, and the distances' mean in each bin."""

    first: np.ndarray  # (p,)
    second: np.ndarray  # (p,)
    bins: np.ndarray  # (p,)
    distance: np.ndarray  # (d,) um, nan in a bin without pairs

    @classmethod
    def of(
        cls,
        a: np.ndarray,
        b: np.ndarray | None,
        edges: np.ndarray,
        generator: np.random.Generator,
        per_bin: int = 20_000,
    ) -> Pairs:
        """Pairs within a (b None) or of a with b, at most `per_bin` in a bin: (u, 3), (v, 3) um."""
        first, second = _candidates(len(a), None if b is None else len(b), generator)
        distance = np.linalg.norm(a[first] - (a if b is None else b)[second], axis=1)
        bins = np.digitize(distance, edges) - 1
        kept = np.concatenate([np.flatnonzero(bins == k)[:per_bin] for k in range(len(edges) - 1)])
        counts = np.bincount(bins[kept], minlength=len(edges) - 1)
        total = np.bincount(bins[kept], distance[kept], minlength=len(edges) - 1)
        return cls(first[kept], second[kept], bins[kept], divide(total, counts))

    @property
    def counts(self) -> np.ndarray:
        """Pairs in each bin: -> (d,)."""
        return np.bincount(self.bins, minlength=len(self.distance))

    def correlation(self, a: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
        """Pearson r over images of each pair: (i, u), (i, v) -> (p,)."""
        first, second = (np.ascontiguousarray(z_score(x).T) for x in (a, a if b is None else b))
        chunks = np.split(np.arange(len(self.bins)), range(CHUNK, len(self.bins), CHUNK))
        r = [np.einsum("pi,pi->p", first[self.first[c]], second[self.second[c]]) for c in chunks]
        return np.concatenate(r) / len(a)

    def mean(self, values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Mean over the pairs of each bin: (p,), weights (p,) -> (d,); nan without pairs."""
        weights = np.ones(len(values)) if weights is None else weights
        sums = (np.bincount(self.bins, w, len(self.distance)) for w in (weights * values, weights))
        return divide(*sums)

    def curve(self, a: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
        """Mean correlation in each bin: (i, u), (i, v) -> (d,)."""
        return self.mean(self.correlation(a, b))


def _candidates(u: int, v: int | None, generator: np.random.Generator) -> tuple:
    """All pairs in random order, or many random ones: -> (p,), (p,); within u where v is None."""
    total = u * (u - 1) // 2 if v is None else u * v
    if total > CANDIDATES:
        first, second = (generator.integers(n, size=CANDIDATES) for n in (u, v or u))
        keep = slice(None) if v is not None else first < second
        return first[keep], second[keep]
    first, second = np.triu_indices(u, 1) if v is None else np.divmod(np.arange(u * v), v)
    order = generator.permutation(total)
    return first[order], second[order]


@dataclass(frozen=True, eq=False)
class Population:
    """Mean responses of one session's units, at their own places or spread to a grid's cells."""

    responses: np.ndarray  # (i, u)
    places: np.ndarray  # (u, 3) um, or (m, 3) of cells
    spread: Callable[[np.ndarray], np.ndarray] | None = None  # (i, u) -> (i, m), nan where unknown

    def at_places(self, order: np.ndarray | None = None) -> np.ndarray:
        """Responses at the places, of units in their own or another order: -> (i, m)."""
        responses = self.responses if order is None else self.responses[:, order]
        return self.spread(responses) if self.spread else responses


def draw_units(
    populations: Iterable[Population], generator: np.random.Generator, resamples: int = 200
) -> dict[Population, np.ndarray]:
    """How often each resample draws each unit of a population, with replacement: (resamples, u)."""
    sizes = {p: p.responses.shape[1] for p in populations}
    return {p: generator.multinomial(u, np.full(u, 1 / u), resamples) for p, u in sizes.items()}


def unit_samples(
    pairs: Pairs, a: Population, b: Population | None, drawn: Mapping[Population, np.ndarray]
) -> np.ndarray:
    """The curve with units drawn with replacement: -> (resamples, d).

    A pair counts as often as its two units together; a unit drawn twice is no pair with itself. All
    pairs of sessions share the draws of a session.
    """
    r = pairs.correlation(a.responses, None if b is None else b.responses)
    both = zip(drawn[a], drawn[b or a], strict=True)
    return np.stack([pairs.mean(r, v[pairs.first] * w[pairs.second]) for v, w in both])


def image_samples(pairs: Pairs, a: Population, b: Population | None, draws: Draws) -> np.ndarray:
    """The curve with images drawn with replacement: -> (resamples, d)."""
    sides = a.at_places(), (b or a).at_places()
    curves = np.full((len(draws.weights), len(pairs.distance)), np.nan)
    for k in np.unique(pairs.bins):
        here = pairs.bins == k
        p, r = sides[0][:, pairs.first[here]], sides[1][:, pairs.second[here]]
        curves[:, k] = score_samples("avg", p, r, draws.ids, draws)
    return curves


def shuffled_curves(
    pairs: Pairs,
    a: Population,
    b: Population | None,
    generator: np.random.Generator,
    shuffles: int = 100,
) -> np.ndarray:
    """The curve with the responses of a handed to other units at random: -> (shuffles, d)."""
    orders = (generator.permutation(a.responses.shape[1]) for _ in range(shuffles))
    other = None if b is None else b.at_places()
    return np.stack([pairs.curve(a.at_places(order), other) for order in orders])


def pooled(curves: Sequence[np.ndarray], counts: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over sessions, weighted by pairs: s of (..., d), s of (d,) -> (..., d)."""
    stacked = np.stack(curves)
    spread = np.reshape(counts, (len(counts), *[1] * (stacked.ndim - 2), stacked.shape[-1]))
    weights = np.isfinite(stacked) * spread
    return divide(np.nansum(stacked * weights, axis=0), weights.sum(axis=0))


@dataclass(frozen=True)
class DistanceCurve:
    """Mean similarity by distance with its resamples and its null, pooled over sessions."""

    distance: np.ndarray  # (d,) um
    pairs: np.ndarray  # (d,)
    r: np.ndarray  # (d,)
    samples: np.ndarray  # (resamples, d)
    null: np.ndarray  # (shuffles, d)

    @property
    def table(self) -> pd.DataFrame:
        """A row a bin that has pairs: distance, pairs, r, low, high, null_low, null_high (95 %)."""
        known = self.pairs > 0
        columns = {"distance": self.distance, "pairs": self.pairs, "r": self.r}
        for name, curves in (("", self.samples), ("null_", self.null)):
            limits = np.array([interval(curve) for curve in curves[:, known].T]).T
            for side, values in zip(("low", "high"), limits, strict=True):
                columns[name + side] = np.full(len(known), np.nan)
                columns[name + side][known] = values
        return pd.DataFrame(columns)[known].reset_index(drop=True)

    @property
    def length(self) -> tuple[float, float, float]:
        """Length constant in um, and its 95 % interval; nan where the curve does not give one."""
        value = float(length_constant(self.distance, self.r, self.pairs))
        lengths = length_constant(self.distance, self.samples, self.pairs)
        bends = np.isfinite(lengths).mean() > 0.9 and np.isfinite(value)
        return (value, *interval(lengths)) if bends else (np.nan, np.nan, np.nan)


def distance_curve(
    populations: Sequence[tuple[Population, Population | None]],
    edges: np.ndarray,
    generator: np.random.Generator,
    resamples: int = 200,
    shuffles: int = 100,
    per_bin: int = 20_000,
) -> DistanceCurve:
    """The curve of all sessions (each with None), or of all pairs of two; edges (d + 1,) in um.

    Units are resampled, or images where units are spread to cells, because cells share units.
    """
    images = np.arange(len(populations[0][0].responses))
    draws = Draws.make(images, resamples, generator)
    drawn = draw_units((p for sides in populations for p in sides if p), generator, resamples)
    found = defaultdict(list)
    for a, b in populations:
        pairs = Pairs.of(a.places, None if b is None else b.places, edges, generator, per_bin)
        by_image = a.spread is not None
        sampled = (
            image_samples(pairs, a, b, draws) if by_image else unit_samples(pairs, a, b, drawn)
        )
        found["pairs"].append(pairs.counts)
        found["distance"].append(pairs.distance)
        found["r"].append(pairs.curve(a.at_places(), None if b is None else b.at_places()))
        found["samples"].append(sampled)
        found["null"].append(shuffled_curves(pairs, a, b, generator, shuffles))
    counts = found.pop("pairs")
    curves = {name: pooled(values, counts) for name, values in found.items()}
    return DistanceCurve(pairs=np.sum(counts, axis=0), **curves)


def decay(distance: np.ndarray, length: float) -> np.ndarray:
    """exp(-distance / length), the similarity of a world whose length constant is known."""
    return np.exp(-distance / length)


def length_constant(distance: np.ndarray, r: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Length L of the best a exp(-distance / L) + c, a > 0: (d,), (..., d), (d,) -> (...) um.

    Least squares weighted by pairs, in closed form for each L of a fine grid; nan where the best is
    at the grid's end, that is where the curve does not bend within the distances at hand.
    """
    known = counts > 0
    weights = counts[known] / counts[known].sum()
    decay = np.exp(-distance[known] / LENGTHS[:, None])  # (lengths, d)
    decay -= decay @ weights[:, None]
    decay /= np.sqrt(np.square(decay) @ weights)[:, None]
    fit = (r[..., known] * weights) @ decay.T  # covariance with the curve: (..., lengths)
    best = fit.argmax(axis=-1)
    bends = (best > 0) & (best < len(LENGTHS) - 1) & (fit.max(axis=-1) > 0)
    return np.where(bends, LENGTHS[best], np.nan)
