"""Whether a map holds beyond what it was fitted to: other objects, other images; and what of it.

Alphas are chosen anew wherever something is held out. Everything is found on the fitted images of
the study; those that are scored elsewhere have no say and are not touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedShuffleSplit

from src.correlation import explained_variance
from src.data.errors import DataError
from src.data.objects import categories_of
from src.evaluation.bands import choose_bands
from src.evaluation.decomposition import decompose
from src.evaluation.folds import grouped_folds, stratified_folds
from src.evaluation.linear_probes import folds_of, simplex
from src.evaluation.metrics import correlation
from src.evaluation.probes import ImageResponses
from src.evaluation.ridge import AtGridEdge, search
from src.seeds import numpy_stream

FOLDS = 8  # the objects of a category: each fold has one of each


def object_folds(objects: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """FOLDS folds with every object in all of them, and with whole objects held out: (n,) str.

    With objects of eight categories of eight, a fold of the latter has one of each category. Where
    an object has fewer images than there are folds, the former have every category in all of them.
    """
    categories = categories_of(objects)
    rare = np.unique(objects, return_counts=True)[1].min() < FOLDS
    return {
        "known": stratified_folds(categories if rare else objects, FOLDS, seed),
        "new": grouped_folds(objects, categories, FOLDS, seed),
    }


def held_out_objects(gram: np.ndarray, images: ImageResponses, seed: int) -> dict[str, np.ndarray]:
    """Predictions of images held out, of `known` objects and of `new` ones: -> (n, u) each.

    One decomposition of the Gram (i, i) serves both. DataError where objects are not known.
    """
    if images.objects is None:
        raise DataError(f"images {images.rows.shape} come without objects: none can be held out")
    decomposition = decompose(gram, images.rows)
    folds = object_folds(images.objects, seed)
    return {k: search(decomposition, images.responses, groups=f).held_out for k, f in folds.items()}


def held_out_means(y: np.ndarray, groups: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """The mean of each row's group over the other folds: (n, u), (n,), (n,) -> (n, u).

    nan for a group that is whole in one fold.
    """
    found = np.full(np.shape(y), np.nan)
    for group in np.unique(groups):
        for fold in np.unique(folds):
            out, seen = (groups == group) & (folds == fold), (groups == group) & (folds != fold)
            if seen.any():
                found[out] = y[seen].mean(axis=0)
    return found


def resampled_ev(
    p: np.ndarray, y: np.ndarray, groups: np.ndarray, resamples: int, seed: int
) -> np.ndarray:
    """Mean EV over units with whole groups of rows drawn anew: (n, u), (n, u), (n,) -> (b,).

    One seed gives the same draws, so that differences of two predictions are paired.
    """
    names, index = np.unique(groups, return_inverse=True)
    rng = numpy_stream(seed, "groups")
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    weights = drawn[:, index] / drawn[:, index].sum(axis=1, keepdims=True)  # (b, n)
    error, total = (weights @ x**2 - (weights @ x) ** 2 for x in (y - p, y - y.mean(axis=0)))
    return 1 - np.mean(error / total, axis=1)


def outer_scores(
    gram: np.ndarray, images: ImageResponses, seed: int, splits: int = 10
) -> pd.DataFrame:
    """Scores over splits, nine tenths fitted: columns split, ev, r, means over units (IT-38).

    Stratified by object where these are known, or by category where there are more objects than a
    tenth has images. Alphas are chosen inside the nine tenths.
    """
    state = int(numpy_stream(seed, "outer").integers(2**31))
    strata = np.zeros(len(images.rows)) if images.objects is None else images.objects
    if len(np.unique(strata)) > len(strata) // 10:
        strata = categories_of(strata)
    rows = []
    splitter = StratifiedShuffleSplit(splits, test_size=0.1, random_state=state)
    for k, (train, test) in enumerate(splitter.split(strata, strata), 1):
        train = np.sort(train)
        inner = None if images.objects is None else folds_of(images.objects[train], seed)
        axes = decompose(gram, images.rows[train])
        fit = search(axes, images.responses[train], groups=inner).fit
        pair = fit.predict(gram[images.rows[test]]), images.responses[test]
        rows.append((k, np.nanmean(explained_variance(*pair)), correlation(*pair).mean()))
    return pd.DataFrame(rows, columns=["split", "ev", "r"])


def variance_partition(
    grams: Sequence[np.ndarray], fitted: ImageResponses, scored: ImageResponses, seed: int
) -> pd.DataFrame:
    """What two feature sets explain alone and in common: a row a unit; two of (i, i).

    Columns first, second, both (EV on the scored images), and only_first = both - second,
    only_second = both - first, shared = first + second - both (Borcard et al. 1992; de Heer et al.
    2017). Each part may be below zero by chance. Weights of the sets are chosen among multiples of
    a quarter, for each unit, so the joint map can be either set alone.
    """
    folds = folds_of(fitted.objects, seed)
    ev = {}
    for name, candidates in {
        "first": np.array([[1.0, 0.0]]),
        "second": np.array([[0.0, 1.0]]),
        "both": simplex(2, 4),
    }.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AtGridEdge)  # no alpha is reported
            choice = choose_bands(grams, fitted.rows, fitted.responses, candidates, groups=folds)
        predicted = choice.predict([gram[scored.rows] for gram in grams])
        ev[name] = explained_variance(predicted, scored.responses)
    first, second, both = ev.values()
    parts = {"only_first": both - second, "only_second": both - first}
    return pd.DataFrame({**ev, **parts, "shared": first + second - both})
