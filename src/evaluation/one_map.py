"""One map of one layer, put together from a few words: which features, and which readout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import numpy as np

from src.config import MlpConfig
from src.data.errors import DataError
from src.evaluation.components import Fit, FoldedComponents, ridge_candidates
from src.evaluation.linear_probes import COMPONENTS, folds_of, spread
from src.evaluation.probes import ImageResponses
from src.training.mlp import predict_by_mlp

Features = Literal["all", "pca"]
Readout = Literal["linear", "ridge", "mlp"]


@dataclass(frozen=True)
class OneMap:
    """What is asked for; 0 stands for the usual number.

    all: every axis the training images have, which for linear maps is the same as every feature.
    pca: the first `components`. linear: least squares. ridge: alpha by unit. mlp: one hidden layer.
    """

    features: Features = "all"
    components: int = 0
    readout: Readout = "ridge"
    lr: float = 0.0
    epochs: int = 0

    def __post_init__(self) -> None:
        for name, kinds in (("features", Features), ("readout", Readout)):
            if (word := getattr(self, name)) not in (known := get_args(kinds)):
                raise DataError(f"{name} {word!r} is not one of {', '.join(known)}")
        for name, field, needed in (
            ("components", "features", "pca"),
            ("lr", "readout", "mlp"),
            ("epochs", "readout", "mlp"),
        ):
            value, word = getattr(self, name), getattr(self, field)
            if value < 0 or (value and word != needed):
                raise DataError(
                    f"{name}={value!r} with {field} {word!r}: give a number above 0 with "
                    f"{field}={needed!r}, or 0"
                )

    @property
    def mlp(self) -> MlpConfig:
        """The recipe of the network, with what was asked for in place of its defaults."""
        asked = {"learning_rate": self.lr, "epochs": self.epochs}
        return replace(MlpConfig(), **{name: value for name, value in asked.items() if value})

    @property
    def words(self) -> dict[str, str | float | None]:
        """What describes the map in a table; what has no bearing on it is empty."""
        mlp = {"lr": self.mlp.learning_rate, "epochs": self.mlp.epochs}
        mlp = mlp if self.readout == "mlp" else dict.fromkeys(mlp)
        components = self.components or None
        return {
            "features": self.features,
            "components": components if self.features == "pca" else None,
            "readout": self.readout,
            **mlp,
        }

    def axes(self, n: int) -> int:
        """How many principal axes of n training images are read, if there are as many."""
        return (self.components or min(COMPONENTS, n // 2)) if self.features == "pca" else n


@dataclass(frozen=True, eq=False)
class FittedMap:
    """Predictions of one map."""

    predicted: np.ndarray  # (i, u) all images of the session
    held_out: np.ndarray  # (n, u) fitted images, each without its fold
    inputs: int  # axes that were read


def fit_one_map(asked: OneMap, gram: np.ndarray, images: ImageResponses, seed: int) -> FittedMap:
    """Fit on some of the images of a Gram: (i, i) -> FittedMap. Axes are found inside the folds."""
    n = len(images.rows)
    folds = spread(folds_of(images.objects, seed), n)
    found = FoldedComponents.of([gram], images.rows, folds, asked.axes(n))
    predicted, best = found.best(_fit(asked, seed), images.responses)
    return FittedMap(predicted, best.held_out, found.whole.shape[1])


def _fit(asked: OneMap, seed: int) -> Fit:
    match asked.readout:
        case "linear":
            return partial(ridge_candidates, alphas=(0.0,))
        case "ridge":
            return ridge_candidates
        case "mlp":
            return partial(_mlp, config=asked.mlp, seed=seed)


def _mlp(x: np.ndarray, y: np.ndarray, to: np.ndarray, config: MlpConfig, seed: int) -> np.ndarray:
    return predict_by_mlp(x, y, to, config, seed)[None]
