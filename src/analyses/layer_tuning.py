"""Which depth of a network a unit reads: its prediction from one layer alone, and without it.

Nothing is fitted again: weights outside, or inside, a layer are 0, and the bias stays. Source:
St-Yves et al. 2023; specification nsd_gnet, 9.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from src.correlation import pearson
from src.evaluation.bootstrap import Over, Resamples, interval, unit_samples
from src.evaluation.metrics import divide
from src.models.encoder import Encoder
from src.models.gnet import layer_channels

BATCH = 64


@dataclass(frozen=True, eq=False)
class LayerTuning:
    """Correlations of u units with all of k layers, one alone, all but one."""

    whole: np.ndarray  # (u,)
    alone: np.ndarray  # (k, u)
    without: np.ndarray  # (k, u)

    @property
    def shared(self) -> np.ndarray:
        """Percent of the explained variance that a layer explains alone: -> (k, u)."""
        return 100 * divide(self.alone**2, np.broadcast_to(self.whole**2, self.alone.shape))

    @property
    def unique(self) -> np.ndarray:
        """Percent that is lost without a layer, of any sign: -> (k, u)."""
        lost = self.whole**2 - self.without**2
        return 100 * divide(lost, np.broadcast_to(self.whole**2, lost.shape))


@torch.inference_mode()
def layer_parts(encoder: Encoder, session: Any, trials: np.ndarray) -> np.ndarray:
    """What each layer of a GNet adds to predictions of some trials: (n,) -> (7, n, u).

    An image is looked at once. Their sum is the prediction without its bias.
    """
    _, first, back = np.unique(session.image_index[trials], return_index=True, return_inverse=True)
    groups = list(layer_channels(encoder.config.core.width).values())
    readout, parts = encoder.eval().readouts[session.key], []
    for start in range(0, len(first), BATCH):
        images = session.batch(trials[first[start : start + BATCH]]).images
        parts.append(readout.parts(encoder.core(images), groups).numpy())
    return np.concatenate(parts, 1)[:, back]


def layer_tuning(parts: np.ndarray, responses: np.ndarray) -> LayerTuning:
    """Tuning from what layers add to predictions: (k, n, u), (n, u) -> LayerTuning."""
    whole = parts.sum(0)
    alone = np.stack([pearson(part, responses) for part in parts])
    without = np.stack([pearson(whole - part, responses) for part in parts])
    return LayerTuning(pearson(whole, responses), alone, without)


def tuning_samples(
    parts: np.ndarray,
    responses: np.ndarray,
    image_ids: np.ndarray,
    resamples: int,
    generator: np.random.Generator,
    over: Over = "images",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shared and unique percent with other images: (k, n, u), (n, u), (n,) -> (b, k, u) twice.

    And the variance that all layers explain, (b, u). Images are drawn with replacement, the same
    ones for all layers and units, but for `over` trials; see `Resamples`.
    """
    again = Resamples.make(image_ids, resamples, generator, over)

    def samples(part: np.ndarray) -> np.ndarray:
        return unit_samples("single", part, responses, *again.of(image_ids))

    whole = samples(parts.sum(0))
    alone = np.stack([samples(part) for part in parts], 1)
    without = np.stack([samples(parts.sum(0) - part) for part in parts], 1)
    power = np.broadcast_to(whole[:, None] ** 2, alone.shape)
    shared, unique = divide(alone**2, power), divide(power - without**2, power)
    return 100 * shared, 100 * unique, whole**2


def spread(variance: np.ndarray) -> np.ndarray:
    """How evenly layers share, from 0 for one alone to 1 for all: (k, u) -> (u,); nan if all equal.

    Variances from 0 to 1 by the smallest and largest, in order: where they pass 1/2, on a scale
    from 1 at the smallest to 0 at the largest. One of seven layers alone is .083, all but one .917.
    """
    ordered = np.sort(variance, axis=0)
    low, high = ordered[0], ordered[-1]
    scale = np.linspace(1, 0, len(variance))
    scores = divide(ordered - low, np.broadcast_to(high - low, ordered.shape))
    half = [np.nan if np.isnan(s).any() else np.interp(0.5, s, scale) for s in scores.T]
    return np.array(half)


def area_shares(
    tuning: LayerTuning,
    samples: tuple[np.ndarray, np.ndarray, np.ndarray],
    chosen: np.ndarray,
) -> dict[str, np.ndarray]:
    """Mean shared and unique percent of some units, with intervals: (u,) bool -> (k,) by name.

    Units count by the variance that all layers explain of them, also within each of `samples`
    (those of `tuning_samples`): a percentage of next to nothing can be anything.
    """
    if not chosen.any():
        empty = np.full(len(tuning.alone), np.nan)
        return {f"{n}{e}": empty for n in ("shared", "unique") for e in ("", "_low", "_high")}
    weights, found = tuning.whole[chosen] ** 2, {}
    *shares, power = (part[..., chosen] for part in samples)
    for name, sampled in zip(("shared", "unique"), shares, strict=True):
        found[name] = getattr(tuning, name)[:, chosen] @ weights / weights.sum()
        means = np.einsum("bku,bu->kb", sampled, power) / power.sum(1)
        limits = [interval(row) for row in means]
        found[f"{name}_low"], found[f"{name}_high"] = np.transpose(limits)
    return found
