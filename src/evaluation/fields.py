"""Where a unit looks: ridge from feature maps through each of many windows, the best one a unit.

Seen through a window, a layer of c channels is c numbers an image, the weighted means of its maps.
To their Gram that of the whole maps is added, each scaled to the same mean diagonal: what a unit
adds up over its window, and what stands at a place of its own. Layers are added in the same way.
Which window, and which alpha, held-out predictions of training images say, unit by unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from src.data.errors import DataError
from src.evaluation.bands import scales
from src.evaluation.decomposition import decompose
from src.evaluation.gram import forget_pages, streamed_gram
from src.evaluation.ridge import ALPHAS, Criterion, search, warn_at_edge
from src.models.windows import WindowGrid

BLOCK = 32  # images at a time
WINDOWS = 50  # of which features are held at a time


@dataclass(frozen=True, eq=False)
class FieldChoice:
    """Window and alpha of every unit, chosen on training images, and what they predict."""

    window: np.ndarray  # (u,) row of the grid's table
    alpha: np.ndarray  # (u,) scaled units
    edge: np.ndarray  # (u,) as in RidgeChoice
    score: np.ndarray  # (u,) held-out criterion
    held_out: np.ndarray  # (n, u) predictions of training images without their group
    predicted: np.ndarray  # (i, u) predictions of all images
    scores: np.ndarray  # (v, u) held-out criterion of every window


def choose_fields(
    maps: Sequence[np.ndarray],
    rows: np.ndarray,
    y: np.ndarray,
    grid: WindowGrid,
    alphas: np.ndarray = ALPHAS,
    groups: np.ndarray | None = None,
    criterion: Criterion = "r2",
) -> FieldChoice:
    """Best window and alpha per unit: l layers (i, c, h, w), (n,) training rows, (n, u).

    `groups`, `alphas` and `criterion` are those of `choose_alpha`. Memory: some Grams (i, i), and
    every layer seen through WINDOWS windows at a time, (WINDOWS, i, c) float32.
    """
    windows, units = len(grid.table()), np.shape(y)[1]
    window, alpha = np.zeros(units, int), np.zeros(units)
    edge, best = np.zeros(units, int), np.full(units, -np.inf)
    held_out, predicted = np.zeros(np.shape(y)), np.zeros((len(maps[0]), units))
    scores = np.empty((windows, units))
    for v, gram in enumerate(window_grams(maps, rows, grid)):
        with threadpool_limits(1):  # many small problems, where threads wait for each other
            choice = search(decompose(gram, rows), y, alphas, groups, criterion=criterion)
        scores[v] = choice.score
        better = ~(choice.score <= best)
        window[better], best[better] = v, choice.score[better]
        alpha[better], edge[better] = choice.alpha[better], choice.edge[better]
        held_out[:, better] = choice.held_out[:, better]
        predicted[:, better] = choice.fit.predict(gram)[:, better]
    warn_at_edge(edge, alphas)
    return FieldChoice(window, alpha, edge, best, held_out, predicted, scores)


def window_grams(
    maps: Sequence[np.ndarray], rows: np.ndarray, grid: WindowGrid
) -> Iterator[np.ndarray]:
    """The Gram of all images through each window: l layers (i, c, h, w), (n,) -> v of (i, i)."""
    for layer in maps:
        if layer.ndim != 4 or len(layer) != len(maps[0]):
            raise DataError(
                f"a layer is {layer.shape} where {len(maps[0])} images and maps (i, c, h, w) are "
                "needed: keep its maps when features are extracted"
            )
    whole = sum(_scaled(streamed_gram(layer.reshape(len(layer), -1)), rows) for layer in maps)
    moments = [channel_scale(layer, rows) for layer in maps]
    for first in range(0, len(grid.table()), WINDOWS):
        some = slice(first, first + WINDOWS)
        seen = [
            seen_through(m, grid.weights(*m.shape[2:])[some], *s)
            for m, s in zip(maps, moments, strict=True)
        ]
        for layers in zip(*seen, strict=True):
            wide = (x.astype(np.float64) for x in layers)
            yield whole + sum(_scaled(x @ x.T, rows) for x in wide)


def _scaled(gram: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The Gram, its mean diagonal 1 when centered on the training rows: (i, i), (n,) -> (i, i)."""
    return gram / scales([gram], rows)[0]


def channel_scale(layer: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over training images: (i, c, h, w) -> (c,) x 2.

    A channel that is the same everywhere gets an infinite one, and counts for nothing.
    """
    sums, squares, count = 0.0, 0.0, 0
    for start in range(0, len(rows), BLOCK):
        x = layer[np.sort(rows[start : start + BLOCK])].astype(np.float64)
        forget_pages(layer)
        sums, squares = sums + x.sum((0, 2, 3)), squares + (x**2).sum((0, 2, 3))
        count += x.size // x.shape[1]
    mean = sums / count
    variance = squares / count - mean**2
    return mean, np.sqrt(np.where(variance > 1e-12 * (squares / count), variance, np.inf))


def seen_through(
    layer: np.ndarray, weights: np.ndarray, mean: np.ndarray, std: np.ndarray
) -> np.ndarray:
    """Weighted means of standardized maps: (i, c, h, w), (v, h, w), (c,), (c,) -> (v, i, c)."""
    seen = pool_maps(layer, weights)
    seen -= mean.astype(np.float32)
    seen /= std.astype(np.float32)
    return seen


def pool_maps(layer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums of maps over their places: (i, c, h, w), (v, h, w) -> (v, i, c) float32."""
    flat = np.ascontiguousarray(weights.reshape(len(weights), -1).T, np.float32)
    pooled = np.empty((len(weights), *layer.shape[:2]), np.float32)
    for start in range(0, len(layer), BLOCK):
        x = torch.from_numpy(np.array(layer[start : start + BLOCK])).float().numpy()
        forget_pages(layer)
        x = x.reshape(*x.shape[:2], -1) @ flat  # (b, c, v)
        pooled[:, start : start + BLOCK] = x.transpose(2, 0, 1)
    return pooled
