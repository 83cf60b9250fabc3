"""In which share of units one model predicts better, with other images, and by chance alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from src.correlation import pearson
from src.evaluation.bootstrap import Over, Resamples, interval, unit_samples
from src.evaluation.metrics import Repeats


@dataclass(frozen=True, eq=False)
class Wins:
    """Which of u units the second model predicts better."""

    observed: np.ndarray  # (u,) bool
    drawn: np.ndarray  # (b, u) bool, with images drawn anew
    swapped: np.ndarray  # (b, u) bool, after a coin said for each image whose prediction is whose

    def row(self, units: np.ndarray) -> dict[str, float]:
        """Percent of some units, its 95 % interval, and the coin's: (u,) bool -> 5 numbers."""
        both = [100 * part[:, units].mean(1) for part in (self.drawn, self.swapped)]
        names = "low", "high", "chance_low", "chance_high"
        limits = (limit for samples in both for limit in interval(samples))
        share = 100 * self.observed[units].mean()
        return {"score": share, **dict(zip(names, limits, strict=True))}


def wins(
    first: np.ndarray,
    second: np.ndarray,
    responses: np.ndarray,
    image_ids: np.ndarray,
    resamples: int,
    generator: np.random.Generator,
    over: Over = "images",
) -> Wins:
    """Compared by correlation over n rows, trials or images: (n, u) three times, (n,) -> Wins.

    Trials of an image stay together, but for `over` trials; see `Resamples`.
    """
    repeats = Repeats.of(image_ids)
    observed = pearson(second, responses) > pearson(first, responses)
    again = Resamples.make(image_ids, resamples, generator, over)
    scores = [unit_samples("single", p, responses, *again.of(image_ids)) for p in (first, second)]
    swapped = np.empty((resamples, len(observed)), bool)
    for b in range(resamples):
        coin = generator.random(len(repeats.ids))[repeats.index, None] < 0.5
        mixed = np.where(coin, first, second), np.where(coin, second, first)
        swapped[b] = pearson(mixed[0], responses) > pearson(mixed[1], responses)
    return Wins(observed, scores[1] > scores[0], swapped)


def together(parts: list[Wins]) -> Wins:
    """Units of several sessions, each resample taken from all: k Wins -> Wins."""
    names = "observed", "drawn", "swapped"
    return Wins(*(np.concatenate([getattr(p, n) for p in parts], axis=-1) for n in names))
