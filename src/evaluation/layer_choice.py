"""Which layer stands for an area, chosen among training images and scored on others.

Brain-Score chooses on one set of public data and scores on another. With one set only, each split
chooses among its training images, and its test images see the chosen layer alone (nested
cross-validation): a score that the choice has not seen.
"""

from __future__ import annotations

from collections.abc import Mapping as Named
from dataclasses import dataclass

import numpy as np
import pandas as pd

from src.evaluation.folds import Splits, brain_score_splits
from src.evaluation.linear_scores import SplitScore
from src.evaluation.mapping import Mapping, Predictors, cross_validated

INNER = 2  # of the ten splits inside the training images


@dataclass(frozen=True, eq=False)
class LayerChoice:
    """For every split, scores of all layers inside its training images and the best one's on it."""

    layers: tuple[str, ...]
    inner: np.ndarray  # (s, l) scores among training images
    outer: np.ndarray  # (s, l) scores on test images, which chose nothing
    nested: SplitScore  # of the layer that each split chose

    @property
    def chosen(self) -> list[str]:
        """Layer that each split chose."""
        return [self.layers[i] for i in self.inner.argmax(axis=1)]

    @property
    def layer(self) -> str:
        """The layer with the best mean inside training images."""
        return self.layers[int(self.inner.mean(axis=0).argmax())]

    def table(self) -> pd.DataFrame:
        """A row a layer: layer, training, test (mean scores), chosen (share of splits)."""
        share = [self.chosen.count(layer) / len(self.inner) for layer in self.layers]
        columns = {"training": self.inner.mean(axis=0), "test": self.outer.mean(axis=0)}
        return pd.DataFrame({"layer": self.layers, **columns, "chosen": share})


def choose_layer(
    layers: Named[str, np.ndarray],
    y: np.ndarray,
    objects: np.ndarray,
    mapping: Mapping = "pls",
    components: int | None = None,
    inner: int = INNER,
) -> LayerChoice:
    """Choose among l layers, features (n, p) each, rows as those of (n, u), (n,) -> LayerChoice.

    Rows are sorted by stimulus id. `components`: principal components kept of each layer, fitted to
    the training images of the split; None for all features.
    """
    splits = brain_score_splits(objects)
    within = [
        [(train[a], train[b]) for a, b in brain_score_splits(objects[train])[:inner]]
        for train, _ in splits
    ]
    both = [_layer(x, y, splits, within, mapping, components) for x in layers.values()]
    tried, scored = np.stack([inner for inner, _ in both], axis=1), [outer for _, outer in both]
    best = [scored[j] for j in tried.argmax(axis=1)]
    nested = SplitScore(
        np.stack([one.raw[i] for i, one in enumerate(best)]),
        [one.predicted[i] for i, one in enumerate(best)],
        [test for _, test in splits],
    )
    outer = np.stack([np.median(one.raw, axis=1) for one in scored], axis=1)
    return LayerChoice(tuple(layers), tried, outer, nested)


def _layer(
    x: np.ndarray,
    y: np.ndarray,
    splits: Splits,
    within: list[Splits],
    mapping: Mapping,
    components: int | None,
) -> tuple[np.ndarray, SplitScore]:
    """Of one layer the mean score inside each split's training images, (s,), and outside."""
    given = Predictors(x)
    if components is None:
        inside = cross_validated(given, y, [one for among in within for one in among], mapping)
        medians = np.median(inside.raw, axis=1).reshape(len(splits), -1)
        return medians.mean(axis=1), cross_validated(given, y, splits, mapping)
    inner, outer = [], []
    for split, among in zip(splits, within, strict=True):
        reduced = given.components(split[0], components).x
        tried, scored = _layer(reduced, y, [split], [among], mapping, None)
        inner.append(tried)
        outer.append(scored)
    raw, predicted = np.concatenate([o.raw for o in outer]), [o.predicted[0] for o in outer]
    return np.concatenate(inner), SplitScore(raw, predicted, [test for _, test in splits])
