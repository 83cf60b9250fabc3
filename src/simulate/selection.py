"""How good the best of many looks on the images that chose it, when all are equally good."""

from __future__ import annotations

import numpy as np

from src.correlation import pearson


def equal_models(
    rng: np.random.Generator, models: int, images: int, r: float, dimensions: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of k models on i images, and on as many fresh ones: -> (k,), (k,).

    Each predicts r times the responses, plus noise of its own, so that r is the true correlation of
    all. Sites of a population agree; the score is the mean over so many independent dimensions.
    """
    return _scores(rng, models, images, r, dimensions), _scores(rng, models, images, r, dimensions)


def _scores(
    rng: np.random.Generator, models: int, images: int, r: float, dimensions: int
) -> np.ndarray:
    responses = rng.normal(size=(images, 1, dimensions))
    noise = rng.normal(size=(images, models, dimensions))
    prediction = r * responses + np.sqrt(1 - r**2) * noise
    both = (prediction, np.broadcast_to(responses, prediction.shape))
    scores = pearson(*(x.reshape(images, -1) for x in both))
    return scores.reshape(models, dimensions).mean(1)


def selection_gain(chosen: np.ndarray, fresh: np.ndarray) -> float:
    """By how much the best of k models looks better where it was chosen: (k,), (k,) -> scalar."""
    best = int(np.argmax(chosen))
    return float(chosen[best] - fresh[best])
