"""Folds for choices inside the training rows, and the splits of Brain-Score."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import (
    BaseCrossValidator,
    BaseShuffleSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from src.data.errors import DataError
from src.seeds import numpy_stream


def stratified_folds(strata: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each row, every stratum spread over all folds, shuffled: (n,) -> (n,) 0..k-1."""
    splitter = StratifiedKFold(folds, shuffle=True, random_state=_state(seed, "stratified"))
    return _numbers(splitter, strata, None)


def grouped_folds(groups: np.ndarray, strata: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each row, whole groups held out, strata balanced: (n,), (n,) -> (n,) 0..k-1.

    With objects in categories of 8 and 8 folds: one object of each category a fold.
    """
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=_state(seed, "grouped"))
    return _numbers(splitter, strata, groups)


def _state(seed: int, name: str) -> int:
    return int(numpy_stream(seed, "folds", name).integers(2**31))


def _numbers(
    splitter: BaseCrossValidator, strata: np.ndarray, groups: np.ndarray | None
) -> np.ndarray:
    fold = np.empty(len(strata), int)
    for k, (_, held_out) in enumerate(splitter.split(strata, strata, groups)):
        fold[held_out] = k
    return fold


Splits = list[tuple[np.ndarray, np.ndarray]]  # rows to fit on, rows to score on


def brain_score_splits(strata: np.ndarray) -> Splits:
    """Ten stratified splits, 90 % train and 10 % test, random_state 1: (n,) -> train, test rows.

    Rows must be sorted by stimulus id, as texts (Brain-Score core 2.5, cross-validation). With one
    stratum, as of stimuli without objects, nothing is stratified.
    """
    one = len(np.unique(strata)) == 1
    kind = ShuffleSplit if one else StratifiedShuffleSplit
    splitter = kind(n_splits=10, train_size=0.9, random_state=1)
    return [(np.sort(train), test) for train, test in _split(splitter, strata)]


def geometry_splits(strata: np.ndarray) -> Splits:
    """Ten stratified splits for what is not fitted: (n,) -> 10 % of the rows, 90 % to score on.

    Rows in the order given (Brain-Score core 2.5, cross-validation of a single assembly).
    """
    return _split(StratifiedShuffleSplit(n_splits=10, test_size=0.9, random_state=1), strata)


def repetition_halves(repetition: np.ndarray) -> Splits:
    """Ten halvings of the different repetition labels, random_state 1: (n,) -> two of labels each.

    An odd label goes to the second half (Brain-Score core 2.5, internal consistency).
    """
    labels = np.unique(repetition)
    splitter = ShuffleSplit(n_splits=10, train_size=0.5, random_state=1)
    return [(labels[a], labels[b]) for a, b in splitter.split(labels)]


def _split(splitter: BaseShuffleSplit, strata: np.ndarray) -> Splits:
    """DataError instead of scikit-learn's words where strata are too small for ten splits."""
    names, counts = np.unique(strata, return_counts=True)
    try:
        return list(splitter.split(strata, strata))
    except ValueError as error:
        raise DataError(
            f"{len(strata)} stimuli of {len(names)} objects, the rarest with {counts.min()}, "
            f"cannot be split by object ({error}): give more stimuli or coarser object_name"
        ) from None
