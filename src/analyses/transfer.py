"""Do features of one area serve another: transfer matrices, and how one-sided they are.

Trunks were trained on areas in order of the hierarchy, and each was read, frozen, by units of all
areas. Source: St-Yves et al. 2023; specification nsd_gnet, 9.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

import numpy as np

from src.config import TrunkMapsConfig
from src.data.session import Session
from src.data.splits import Split
from src.models.encoder import Encoder
from src.models.map_sessions import TrunkSession
from src.studies.records import Plan
from src.training.checkpoint import load_encoder
from src.training.trainer import train

CHAIN, BRANCHES = 0.7, 0.5  # alpha where later areas are made of earlier ones, and where none is


@dataclass(frozen=True)
class Asymmetry:
    """Slopes of a transfer matrix over distance in the hierarchy, and their contrast."""

    up: float  # later area's trunk, earlier area's units
    down: float  # earlier area's trunk, later area's units
    alpha: float  # (up - down) / (|up| + |down|); nan where both are 0
    error: float  # of alpha, as published: covariance of the slopes is ignored


def read_frozen(
    trunk: Path,
    plan: Plan,
    sessions: Mapping[str, Session],
    splits: Mapping[str, Split],
    seed: int,
    folder: Path,
    device: str = "auto",
) -> Encoder:
    """A trained trunk as it is, with new readouts for all units of all sessions.

    `trunk` is its weights.pt; `plan` that of the model with the recipe of the readouts. What they
    learn is kept in `folder`, and learned again for another trunk. It looks at every image once; as
    published, where the recipe lets it drift, at every batch.
    """
    encoder = Encoder(plan.model, sessions, seed)
    encoder.core.load_state_dict(load_encoder(trunk).core.state_dict())
    recipe = replace(plan.training, core_rate=0.0)
    if recipe.drifting:
        train(encoder, sessions, splits, recipe, seed, folder, device)
        return encoder
    seen = {key: TrunkSession(s, encoder.core, folder) for key, s in sessions.items()}
    core = TrunkMapsConfig(next(iter(seen.values())).shapes)
    model = replace(plan.model, core=core, inputs=replace(plan.model.inputs, raw=False))
    reader = Encoder(model, seen, seed)
    train(reader, seen, splits, recipe, seed, folder, device)
    encoder.readouts.load_state_dict(reader.readouts.state_dict())
    return encoder.eval()


def transfer_matrix(
    transferred: np.ndarray, own: np.ndarray, area: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean gain of each trunk in each area, and units: (a, u), (u,), (u,) -> (a, a), (a,).

    `transferred` are correlations of all units on the trunk of each area, `own` those to compare
    with, `area` the number of each unit's own. Rows are trunks, columns areas of units; an area
    without units is nan. Pooled over subjects when their units are given together.
    """
    areas, gain = np.arange(len(transferred)), transferred - own
    counts = (area[:, None] == areas).sum(0)
    sums = np.stack([gain[:, area == j].sum(1) for j in areas], axis=1)
    return np.where(counts, sums / np.maximum(counts, 1), np.nan), counts


def asymmetry(matrix: np.ndarray) -> Asymmetry:
    """Slopes through 0 over distance, above and below the diagonal: (a, a) -> Asymmetry.

    alpha is 1 where later features serve earlier areas and not the other way round, 0 where both
    are alike. It is 1 as soon as up >= 0 > down, so the slopes are to be looked at as well.
    """
    distance = np.subtract.outer(np.arange(len(matrix)), np.arange(len(matrix)))
    (up, up_error), (down, down_error) = (
        _slope(sign * distance[sign * distance > 0], matrix[sign * distance > 0])
        for sign in (1, -1)
    )
    total = abs(up) + abs(down)
    if not total > 0:
        return Asymmetry(up, down, np.nan, np.nan)
    alpha, squared = (up - down) / total, up_error**2 + down_error**2
    apart = squared / (up - down) ** 2 if up != down else 0.0
    return Asymmetry(up, down, alpha, abs(alpha) * np.sqrt(apart + squared / total**2))


def _slope(distance: np.ndarray, value: np.ndarray) -> tuple[float, float]:
    """Least squares through 0, and its standard error: (n,), (n,) -> slope, error."""
    power = (distance**2).sum()
    slope = (distance * value).sum() / power
    variance = ((value - slope * distance) ** 2).sum() / (len(value) - 1)
    return float(slope), float(np.sqrt(variance / power))


def asymmetry_samples(
    transferred: np.ndarray,
    own: np.ndarray,
    area: np.ndarray,
    resamples: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """up, down and alpha with other units of the same areas: (a, u), (u,), (u,) -> (b, 3).

    Units are drawn with replacement within each area, all trunks on the same ones. Correlations
    may be those of other test images in each resample, (b, a, u) and (b, u): then both vary.
    """
    transferred = np.broadcast_to(transferred, (resamples, *transferred.shape[-2:]))
    own = np.broadcast_to(own, (resamples, own.shape[-1]))
    groups = [np.flatnonzero(area == j) for j in range(transferred.shape[1])]
    samples = np.empty((resamples, 3))
    for sample, moved, still in zip(samples, transferred, own, strict=True):
        drawn = np.concatenate([generator.choice(g, len(g)) for g in groups if len(g)])
        found = asymmetry(transfer_matrix(moved[:, drawn], still[drawn], area[drawn])[0])
        sample[:] = found.up, found.down, found.alpha
    return samples


def verdict(low: float, high: float) -> str:
    """What an interval of alpha says, by what chains and branches are known to give.

    Simulated chains are above CHAIN, branches below BRANCHES (specification nsd_gnet, 14); an
    interval that reaches beyond settles nothing. Weak trunks are all alike, and hide a chain.
    """
    if low > CHAIN:
        return "chain"
    return "no chain seen" if high < BRANCHES else "not determined"


def other_orders(matrix: np.ndarray) -> np.ndarray:
    """alpha as if the areas stood in any other order, the null of a hierarchy: (a, a) -> (a! - 1,).

    In the reversed order up and down change places, and alpha its sign.
    """
    orders = list(permutations(range(len(matrix))))[1:]
    return np.array([asymmetry(matrix[np.ix_(o, o)]).alpha for o in orders])
