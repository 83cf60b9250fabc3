"""Ridge on several feature sets at once, each with a weight of its own, chosen per unit.

In kernel form banded ridge is ridge on a weighted sum of Grams, each centered and scaled on the
training rows (Nunez-Elizalde et al. 2019; Dupré la Tour et al. 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.data.errors import DataError
from src.evaluation.decomposition import LinearMap, decompose
from src.evaluation.ridge import ALPHAS, Criterion, search, warn_at_edge


@dataclass(frozen=True, eq=False)
class BandedChoice:
    """Weights of l feature sets and alpha, chosen per unit by the held-out criterion."""

    weights: np.ndarray  # (u, l) they sum to 1
    alpha: np.ndarray  # (u,) scaled units of the weighted sum
    edge: np.ndarray  # (u,) as in RidgeChoice
    score: np.ndarray  # (u,)
    held_out: np.ndarray  # (n, u)
    maps: tuple[LinearMap, ...]  # one a feature set, without intercept
    intercept: np.ndarray  # (u,)

    def parts(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """What each set adds to the prediction: l rows of Grams (m, i) -> (l, m, u)."""
        return np.array([m.predict(r) for m, r in zip(self.maps, rows, strict=True)])

    def predict(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Rows of each Gram against all its images: l of (m, i) -> (m, u)."""
        return self.intercept + self.parts(rows).sum(axis=0)


def scales(grams: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Mean diagonal of each Gram, centered on the training rows: l of (i, i), (n,) -> (l,)."""
    blocks = [gram[np.ix_(rows, rows)] for gram in grams]
    found = np.array([np.trace(b) / len(rows) - b.mean() for b in blocks])
    if not (found > 0).all():
        raise DataError(f"feature set {found.argmin()} does not vary over the training rows")
    return found


def choose_bands(
    grams: Sequence[np.ndarray],
    rows: np.ndarray,
    y: np.ndarray,
    candidates: np.ndarray,
    alphas: np.ndarray = ALPHAS,
    groups: np.ndarray | None = None,
    criterion: Criterion = "r2",
) -> BandedChoice:
    """Best weights and alpha per unit: l of (i, i), (n,), (n, u), candidates (c, l) >= 0.

    One decomposition a candidate, so cost grows with c; a candidate with a single 1 is that set
    alone. `groups`, `alphas`, `criterion` as in choose_alpha.
    """
    rows, candidates = np.asarray(rows), np.asarray(candidates, np.float64)
    if candidates.ndim != 2 or candidates.shape[1] != len(grams) or (candidates < 0).any():
        raise DataError(
            f"candidates are {candidates.shape} for {len(grams)} Grams: give (c, l), all >= 0"
        )
    candidates = candidates / candidates.sum(axis=1, keepdims=True)
    scale, units = scales(grams, rows), np.shape(y)[1]
    found = {"alpha": np.zeros(units), "edge": np.zeros(units, int), "intercept": np.zeros(units)}
    found |= {"score": np.full(units, -np.inf), "weights": np.zeros((units, len(grams)))}
    dual, held_out = np.zeros((len(rows), units)), np.zeros((len(rows), units))
    for weights in candidates:
        mixed = sum(w / s * gram for w, s, gram in zip(weights, scale, grams, strict=True) if w)
        choice = search(decompose(mixed, rows), y, alphas, groups, criterion=criterion)
        better = ~(choice.score <= found["score"])
        for name in ("alpha", "edge", "score"):
            found[name][better] = getattr(choice, name)[better]
        found["weights"][better] = weights
        found["intercept"][better] = choice.fit.intercept[better]
        dual[:, better] = choice.fit.weights[:, better]
        held_out[:, better] = choice.held_out[:, better]
    warn_at_edge(found["edge"], alphas)
    maps = tuple(
        LinearMap(rows, gram[np.ix_(rows, rows)].mean(axis=0), dual * share / s, np.zeros(units))
        for gram, s, share in zip(grams, scale, found["weights"].T, strict=True)
    )
    return BandedChoice(held_out=held_out, maps=maps, **found)
