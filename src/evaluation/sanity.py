"""Do features make sense at all? What is plain to see in images can be read out of them.

A wrong file of weights, a step before the image, or rows in another order give features of the
right shape that say nothing. Before any brain is asked, ask for brightness.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.correlation import z_score
from src.data.errors import DataError
from src.evaluation.folds import brain_score_splits
from src.evaluation.mapping import cross_validated

FEWEST = 40  # images, of which a tenth is held out
COMPONENTS = 10
PLAIN = ("brightness", "contrast", "left to right", "top to bottom")


def plain_properties(pictures: np.ndarray) -> np.ndarray:
    """Mean, deviation, and differences of halves of gray: (n, [c,] h, w) -> (n, 4)."""
    gray = np.asarray(pictures, np.float64)
    gray = gray.mean(axis=1) if gray.ndim == 4 else gray
    h, w = (side // 2 for side in gray.shape[1:])
    mean, deviation = gray.mean((1, 2)), gray.std((1, 2))
    right = gray[:, :, -w:].mean((1, 2)) - gray[:, :, :w].mean((1, 2))
    below = gray[:, -h:].mean((1, 2)) - gray[:, :h].mean((1, 2))
    return np.stack([mean, deviation, right, below], axis=1)


def plain_readout(x: np.ndarray, pictures: np.ndarray) -> pd.Series:
    """r of held-out images' plain properties read out of features: (n, p), (n, ...) -> (4,).

    Partial least squares, ten splits. Features of these images give r well above 0,
    be the network random; the features of others do not.
    """
    if len(x) != len(pictures) or len(x) < FEWEST:
        raise DataError(f"features {x.shape} of {len(pictures)} images: give {FEWEST} or more")
    y = z_score(plain_properties(pictures))
    splits = brain_score_splits(np.zeros(len(y)))
    found = cross_validated(x.reshape(len(x), -1), y, splits, "pls", COMPONENTS)
    return pd.Series(found.raw.mean(axis=0), PLAIN, name="r")
