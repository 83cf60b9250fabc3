"""Attention roll-out: which patches a vision transformer's attention leads to (spec 9.8).

Weights of single blocks say little, as each block attends to what the one before has mixed. The
roll-out (Abnar and Zuidema 2020; with the largest head, as in V1T) multiplies them through. A map
needs controls: the same network untrained, its positions shuffled, the image of another trial.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from src.correlation import z_score
from src.data.batch import Batch
from src.evaluation.bootstrap import interval
from src.models.encoder import Encoder

FLAT = 1e-5  # relative range of a map below which its differences are rounding


def rollout(weights: Iterable[Tensor]) -> Tensor:
    """Attention of CLS followed back to the patches: (n, heads, t, t) a block -> (n, t - 1).

    In every block: largest weight of all heads, plus the identity for the residual path, rows
    scaled to sum to 1. The blocks are multiplied, last first, of which only the row of CLS is
    needed; its own share is left out.
    """
    steps = [_step(w) for w in weights]
    row = steps[-1][:, :1]
    for step in reversed(steps[:-1]):
        row = row @ step
    return row[:, 0, 1:]


def _step(weights: Tensor) -> Tensor:
    mixed = weights.amax(1) + torch.eye(weights.shape[-1]).to(weights)
    return mixed / mixed.sum(-1, keepdim=True)


@torch.no_grad()
def attention_maps(encoder: Encoder, batch: Batch, session: str) -> np.ndarray:
    """Roll-out of each image over the core's patches: -> (n, h', w'), each map sums to 1."""
    side, maps = encoder.side(batch, session), []
    for i in range(len(batch)):  # one at a time: weights of a block are (heads, t, t)
        own = None if side is None else side[i : i + 1]
        maps.append(rollout(encoder.core.attention(batch.images[i : i + 1], own)))
    maps = torch.cat(maps)
    return (maps / maps.sum(1, keepdim=True)).unflatten(1, encoder.core.grid).numpy()


def displayed(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Each map from its least (0) to its largest value (1), as large as the image: -> (n, h, w).

    A map whose values are all the same is 0 everywhere.
    """
    low, high = (f(maps, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    spread = np.where(high - low > FLAT * high, high - low, np.inf)
    scaled = torch.from_numpy((maps - low) / spread)[:, None].float()
    return F.interpolate(scaled, size, mode="bilinear")[:, 0].numpy()


def with_shuffled_positions(encoder: Encoder, generator: torch.Generator) -> Encoder:
    """A copy whose patches have one another's learned positions, at random."""
    shuffled = copy.deepcopy(encoder)
    positions = shuffled.core.positions.data
    order = torch.randperm(len(positions) - 1, generator=generator)
    positions[1:] = positions[1:][order]
    return shuffled


def behaving_as(batch: Batch, like: Batch, rows: np.ndarray | slice = slice(None)) -> Batch:
    """The images of a batch, all with the mean behavior and pupil of rows of another: n trials."""
    n = len(batch)
    means = {name: getattr(like, name)[rows].mean(0) for name in ("behavior", "pupil")}
    return replace(batch, **{name: mean.expand(n, -1) for name, mean in means.items()})


def of_outer_thirds(
    encoder: Encoder, batch: Batch, session: str, states: Batch, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Maps of n images in the mean state of the first and last third of trials: (n, h', w') twice.

    order: (m,) rows of `states`, for example by the size of the pupil.
    """
    first, _, last = np.array_split(order, 3)
    batches = (behaving_as(batch, states, rows) for rows in (first, last))
    return tuple(attention_maps(encoder, b, session) for b in batches)


def patch_statistics(images: Tensor, patch: int, stride: int) -> dict[str, np.ndarray]:
    """Mean and standard deviation of every patch's pixels: (n, c, h, w) -> (n, h', w') each."""
    h, w = ((size - patch) // stride + 1 for size in images.shape[2:])
    pixels = F.unfold(images, patch, stride=stride).unflatten(2, (h, w)).numpy()
    return {"brightness": pixels.mean(axis=1), "contrast": pixels.std(axis=1)}


def map_correlations(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pearson r over places of every map with every other: (n, h, w), (m, h, w) -> (n, m)."""
    a, b = (z_score(x.reshape(len(x), -1).T / x.std()) for x in (maps, others))
    return a.T @ b / len(a)


def own_and_other(correlations: np.ndarray) -> np.ndarray:
    """Of each map with what belongs to it, and on average with the rest: (n, n) -> (n, 2)."""
    own, n = np.diag(correlations), len(correlations)
    return np.column_stack([own, (correlations.sum(axis=1) - own) / (n - 1)])


def agreement_table(
    maps: Mapping[str, np.ndarray], features: Mapping[str, np.ndarray], draws: np.ndarray
) -> pd.DataFrame:
    """Correlation of each network's maps with each feature of their own and of other images.

    Means over n images with intervals from their bootstrap draws (b, n), and the difference.
    """
    rows = []
    for (feature, values), (network, found) in product(features.items(), maps.items()):
        own, other = own_and_other(map_correlations(found, values)).T
        kinds = {"own image": own, "other images": other, "difference": own - other}
        for kind, r in kinds.items():
            rows.append((feature, network, kind, r.mean(), *interval(draws @ r / len(r))))
    return pd.DataFrame(rows, columns=["feature", "network", "kind", "mean", "low", "high"])


def moved(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Share of attention that is elsewhere in b: (n, h, w), (n, h, w) -> (n,), from 0 to 1."""
    return np.abs(a - b).sum(axis=(1, 2)) / 2
