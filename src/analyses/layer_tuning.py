"""Which depth of a network a unit reads: its prediction from one layer alone, and without it.

Nothing is fitted again: weights outside, or inside, a layer are 0, and the bias stays. Source:
St-Yves et al. 2023; specification nsd_gnet, 9.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from src.correlation import pearson
from src.evaluation.bootstrap import Resamples, interval, unit_samples
from src.evaluation.metrics import divide
from src.models.encoder import Encoder
from src.models.gnet import layer_channels

BATCH = 64
MASKS = MappingProxyType(  # (7,) which layers of a GNet each keeps: one, or those of a map
    {
        **dict(zip((f"L{k}" for k in range(1, 8)), np.eye(7), strict=True)),
        "fine map": np.repeat([1.0, 0.0], [3, 4]),
        "coarse map": np.repeat([0.0, 1.0], [3, 4]),
    }
)


@dataclass(frozen=True, eq=False)
class LayerTuning:
    """Correlations of u units with all layers, those of k masks, and all others; or samples."""

    whole: np.ndarray  # (..., u)
    alone: np.ndarray  # (..., k, u)
    without: np.ndarray  # (..., k, u)

    @property
    def shared(self) -> np.ndarray:
        """Percent of the explained variance that a layer explains alone: -> (..., k, u)."""
        return 100 * self._of_whole(self.alone)

    @property
    def unique(self) -> np.ndarray:
        """Percent that is lost without a layer, of any sign: -> (..., k, u)."""
        return 100 * (1 - self._of_whole(self.without))

    def errors(self, samples: LayerTuning) -> dict[str, np.ndarray]:
        """Standard errors of both from b resamples, and as published: -> (k, u) by name.

        As published, a correlation with all layers and that with some count as independent.
        """
        found = {"shared": samples.shared.std(0), "unique": samples.unique.std(0)}
        of_whole = divide(samples.whole.std(0), np.abs(self.whole))
        for name, part in (("shared", "alone"), ("unique", "without")):
            some = getattr(self, part)
            own = divide(getattr(samples, part).std(0), np.abs(some))
            share = 200 * self._of_whole(some)
            found[f"{name}_published"] = share * np.hypot(of_whole, own)
        return found

    @property
    def moments(self) -> dict[str, np.ndarray]:
        """Mean and standard deviation over samples of each correlation: (b, ...) -> (..., 2)."""
        return {name: np.stack([x.mean(0), x.std(0)], -1) for name, x in vars(self).items()}

    def _of_whole(self, some: np.ndarray) -> np.ndarray:
        """Squares as a share of that of all layers: (..., k, u) same; nan where that is 0."""
        whole = self.whole[..., None, :] ** 2
        return divide(some**2, np.broadcast_to(whole, some.shape))


def _together(parts: Sequence[LayerTuning]) -> LayerTuning:
    """Units of several sessions side by side; of samples, each from all sessions."""
    names = "whole", "alone", "without"
    return LayerTuning(*(np.concatenate([getattr(p, n) for p in parts], axis=-1) for n in names))


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


def layer_tuning(parts: np.ndarray, responses: np.ndarray, masks: np.ndarray) -> LayerTuning:
    """Tuning from what layers add to predictions: (l, n, u), (n, u), (k, l) -> LayerTuning."""
    return _tuning(partial(pearson, r=responses), parts, masks)


def tuning_samples(
    parts: np.ndarray,
    responses: np.ndarray,
    masks: np.ndarray,
    image_ids: np.ndarray,
    again: Resamples,
) -> LayerTuning:
    """As `layer_tuning`, in b resamples of images (n,): -> LayerTuning of (b, u) and (b, k, u)."""

    def samples(part: np.ndarray) -> np.ndarray:
        return unit_samples("single", part, responses, *again.of(image_ids))

    return _tuning(samples, parts, masks)


def _tuning(
    score: Callable[[np.ndarray], np.ndarray], parts: np.ndarray, masks: np.ndarray
) -> LayerTuning:
    """A score (..., u) of predictions (n, u) with all layers, and by mask."""
    whole = parts.sum(0)
    kept = [np.tensordot(mask, parts, 1) for mask in masks]
    alone, without = ([score(p) for p in some] for some in (kept, [whole - p for p in kept]))
    return LayerTuning(score(whole), np.stack(alone, -2), np.stack(without, -2))


def session_tuning(
    parts: Iterable[np.ndarray],
    responses: Iterable[np.ndarray],
    image_ids: Iterable[np.ndarray],
    again: Resamples,
) -> tuple[LayerTuning, LayerTuning]:
    """Tuning by MASKS of the units of all sessions, and samples: each (7, n, u), (n, u), (n,)."""
    masks, found, samples = np.stack(list(MASKS.values())), [], []
    for part, r, ids in zip(parts, responses, image_ids, strict=True):
        found.append(layer_tuning(part, r, masks))
        samples.append(tuning_samples(part, r, masks, ids, again))
    return _together(found), _together(samples)


def unit_tuning(tuning: LayerTuning, samples: LayerTuning) -> dict[str, np.ndarray]:
    """Columns of a table of units, from a `session_tuning`: -> (u,) by name.

    What each layer shares, the deepest of them, their spread, what is unique to the fine map, and
    its error in the samples and as published.
    """
    fine, layers = list(MASKS).index("fine map"), [k for k in MASKS if k.startswith("L")]
    shared, errors = tuning.shared[: len(layers)], tuning.errors(samples)
    return {
        "r": tuning.whole,
        "deepest": shared.argmax(0) + 1,
        **dict(zip(layers, shared, strict=True)),
        "spread": spread(tuning.alone[: len(layers)] ** 2),
        "unique": tuning.unique[fine],
        "error": errors["unique"][fine],
        "error_published": errors["unique_published"][fine],
    }


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
    tuning: LayerTuning, samples: LayerTuning, chosen: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean shared and unique percent of some units, with intervals: (u,) bool -> (k,) by name.

    Units count by the variance that all layers explain of them, also within each of `samples`: a
    percentage of next to nothing can be anything.
    """
    if not chosen.any():
        empty = np.full(len(tuning.alone), np.nan)
        return {f"{n}{e}": empty for n in ("shared", "unique") for e in ("", "_low", "_high")}
    weights, found = tuning.whole[chosen] ** 2, {}
    power = samples.whole[:, chosen] ** 2
    for name in ("shared", "unique"):
        found[name] = getattr(tuning, name)[:, chosen] @ weights / weights.sum()
        sampled = getattr(samples, name)[..., chosen]
        means = np.einsum("bku,bu->kb", sampled, power) / power.sum(1)
        limits = [interval(row) for row in means]
        found[f"{name}_low"], found[f"{name}_high"] = np.transpose(limits)
    return found
