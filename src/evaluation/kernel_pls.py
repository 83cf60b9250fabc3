"""PLS of all cross-validation splits at once, from one Gram matrix and in no more than it.

On centered rows, kernel PLS (Rosipal & Trejo 2001) and the improved kernel algorithm (Dayal &
MacGregor 1997) find the same scores t. With K the Gram and Y the responses, zero outside a split's
training rows, all they need is M = K Y: the weight v leads Y'M, t is Mv made orthogonal to earlier
scores, the loading is q = Y't / t't, and M - (Kt) q' is K times the deflated responses. Centering
on training rows is one mean taken off each product with K, and a row that was not fitted gets its
score from the same product: prediction costs nothing more. All splits take their steps together,
so that K is read once a component.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from src.data.errors import DataError
from src.evaluation.folds import Splits
from src.evaluation.pls import COMPONENTS, EXHAUSTED

REFRESH = 1e-6  # Y'M is summed anew when its trace has fallen so far: updates keep 16 digits of it


def pls_over_splits(
    gram: np.ndarray, y: np.ndarray, splits: Splits, components: int = COMPONENTS
) -> list[np.ndarray]:
    """Predicted responses of each split's test rows: (n, n), (n, u), s splits -> s of (m, u).

    Equal to `fit_pls` on features with this Gram. Holds K, and for every split two (n, u).
    """
    if gram.shape != (len(y), len(y)) or y.ndim != 2:
        raise DataError(f"a Gram {gram.shape} and responses {y.shape} do not match: (n, n), (n, u)")
    fewest = min(len(train) for train, _ in splits)
    if not 0 < components < fewest:
        raise DataError(f"{components} components asked of {fewest} training rows: ask for fewer")
    ks = [_Split.start(gram, y, *split, components) for split in splits]
    for _ in range(components):
        scores = [k.next_score() for k in ks]
        fitted = np.stack([np.where(k.fitted, t, 0) for k, t in zip(ks, scores, strict=True)], 1)
        products = gram @ fitted
        for i, (k, t) in enumerate(zip(ks, scores, strict=True)):
            k.deflate(t, products[:, i])
    return [k.predicted for k in ks]


@dataclass(eq=False)
class _Split:
    """One split on its way through the components; rows are all n, fitted or not."""

    fitted: np.ndarray  # (n,) bool
    test: np.ndarray  # (m,)
    y: np.ndarray  # (n, u) centered responses, deflated; 0 outside the fitted rows
    m: np.ndarray  # (n, u) K y, centered on the fitted rows
    square: np.ndarray  # (u, u) y'm
    predicted: np.ndarray  # (m, u)
    scores: np.ndarray  # (n, k) earlier t; 0 where there is none yet
    projector: np.ndarray  # (k, n) t' / t't of the fitted rows, 0 elsewhere
    found: int  # how many there are
    first: float  # trace of the first square
    summed: float  # trace of the square when it was last summed anew

    @classmethod
    def start(
        cls,
        gram: np.ndarray,
        y: np.ndarray,
        train: np.ndarray,
        test: np.ndarray,
        components: int,
    ) -> _Split:
        fitted = np.zeros(len(y), bool)
        fitted[train] = True
        mean = y[train].mean(axis=0, dtype=np.float64)
        centered = np.where(fitted[:, None], y - mean, 0)
        m = gram @ centered
        m -= m[train].mean(axis=0)
        square = centered.T @ m
        trace = float(np.trace(square))
        predicted = np.tile(mean, (len(test), 1))
        empty = np.zeros((2, components, len(y)))
        earlier = empty[0].T, empty[1], 0
        return cls(fitted, test, centered, m, square, predicted, *earlier, trace, trace)

    def next_score(self) -> np.ndarray:
        """t of all rows, (n,); 0 where nothing of the responses is left."""
        trace = np.trace(self.square)
        if trace < REFRESH * self.summed:
            self.square = self.y.T @ self.m
            self.summed = trace = float(np.trace(self.square))
        if trace <= EXHAUSTED**2 * self.first:
            return np.zeros(len(self.y))
        symmetric = (self.square + self.square.T) / 2
        v = eigh(symmetric, subset_by_index=[len(symmetric) - 1] * 2)[1][:, 0]
        t = self.m @ v
        earlier, projector = self.scores[:, : self.found], self.projector[: self.found]
        for _ in range(2):  # once more: orthogonal to the last digit
            t = t - earlier @ (projector @ t)
        return t

    def deflate(self, t: np.ndarray, product: np.ndarray) -> None:
        """Take the part along t off responses and products; product: K t, t at fitted rows."""
        fitted = np.where(self.fitted, t, 0)
        norm = fitted @ fitted
        if norm == 0:
            return
        q = self.y.T @ fitted / norm
        g = product - product[self.fitted].mean()
        along = self.m.T @ fitted
        self.square -= np.outer(along, q) + np.outer(q, along) - (fitted @ g) * np.outer(q, q)
        self.predicted += np.outer(t[self.test], q)
        self.y -= np.outer(fitted, q)
        self.m -= np.outer(g, q)
        self.scores[:, self.found], self.projector[self.found] = t, fitted / norm
        self.found += 1
