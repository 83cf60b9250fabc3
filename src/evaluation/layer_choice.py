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

from src.evaluation.folds import brain_score_splits
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
    splits, whole = brain_score_splits(objects), {}
    found = np.zeros((2, len(splits), len(layers)))
    for j, (name, x) in enumerate(layers.items()):
        given = Predictors(x)
        for i, (train, test) in enumerate(splits):
            rows = given if components is None else given.components(train, components)
            among = brain_score_splits(objects[train])[:inner]
            found[0, i, j] = cross_validated(rows.take(train), y[train], among, mapping).score
            whole[name, i] = cross_validated(rows, y, [(train, test)], mapping)
            found[1, i, j] = whole[name, i].score
    names = tuple(layers)
    best = [whole[names[j], i] for i, j in enumerate(found[0].argmax(axis=1))]
    nested = SplitScore(
        np.concatenate([b.raw for b in best]),
        [b.predicted[0] for b in best],
        [test for _, test in splits],
    )
    return LayerChoice(names, *found, nested)
