"""Permutation tests: how often chance does as well."""

from __future__ import annotations

import numpy as np


def p_value(observed: float, null: np.ndarray) -> float:
    """One-sided permutation p, (1 + number of null >= observed) / (1 + shuffles).

    Shuffles that give the observed value again are equal to it up to rounding.
    """
    return float((1 + np.sum(null >= observed - 1e-9 * abs(observed))) / (1 + len(null)))
