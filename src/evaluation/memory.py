"""How much memory a score will take, said before the run."""

from __future__ import annotations

import numpy as np

from src.data.errors import DataError
from src.evaluation.gram import CHUNK
from src.evaluation.mapping import FEW, MANY_UNITS, Mapping
from src.evaluation.pls import COMPONENTS

DOUBLE = 8  # bytes
SPLITS = 10


def estimated_bytes(n: int, p: int, u: int, mapping: Mapping = "pls") -> int:
    """Peak memory that `cross_validated` takes on top of its arrays: n images, p features, u units.

    Features, float32, may be in memory or mapped: they are read some columns at a time. Of the Gram
    (n, n) two are there while it is summed; then it stays, with what the mapping makes of it.
    """
    if min(n, p, u) < 1:
        raise DataError(f"{n} images, {p} features, {u} units: each must be 1 or more")
    if mapping == "reverse_pls":
        p, u = u, p
    train, square = 0.9 * n, n * n
    responses = 2 * SPLITS / 10 * n * u + 3 * n * u
    summing = 2 * square + n * min(p, CHUNK) + n * u
    wide = p > n
    match mapping:
        case "pls" | "reverse_pls" if FEW * p >= n and u <= MANY_UNITS:
            peak = square + 2 * SPLITS * n * (u + COMPONENTS) + SPLITS * u * u + 3 * n * u
            return int(DOUBLE * max(summing, peak))
        case "ridge" if wide:
            return int(DOUBLE * max(summing, square + 2.1 * train**2 + responses))
        case "ridge_cv" if wide:
            return int(DOUBLE * max(summing, square + 5 * train**2 + responses))
        case "neuron_to_neuron":
            return int(DOUBLE * (train * p / 2 + 4 * train * min(p, CHUNK) + responses))
        case "mask_regression":
            return int(DOUBLE * (2.5 * train * p + responses))
        case _:
            k = min(n, p)
            rotation = 7 * square if wide else 0
            return int(DOUBLE * max(rotation, k * n * 3 + responses + 4 * k * k))


def as_text(size: int) -> str:
    """Bytes as GB or MB."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{np.ceil(size / 1e6):.0f} MB"
