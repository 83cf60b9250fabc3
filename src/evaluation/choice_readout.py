"""From features to the probability of every object, as Brain-Score reads behavior from a model."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from src.data.errors import DataError

STRENGTH = 1e-3  # C: inverse of the penalty


def fit_choices(x: np.ndarray, objects: np.ndarray) -> Pipeline:
    """z-score, then multinomial logistic regression: (n, p), (n,) str -> fitted Pipeline.

    Means and deviations are those of the images it is fitted to.
    """
    if len(np.unique(objects)) < 2 or len(x) != len(objects):
        raise DataError(f"features {x.shape} of {len(set(objects))} objects: give two or more")
    logistic = LogisticRegression(C=STRENGTH, solver="newton-cg")
    return make_pipeline(StandardScaler(), logistic).fit(x, objects)


def choice_probabilities(readout: Pipeline, x: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Probability of each of `objects`, one column each: (m, p), (o,) str -> (m, o).

    DataError for objects that the readout does not know, and where it knows others.
    """
    if set(readout.classes_) != set(objects):
        differ = sorted(set(readout.classes_) ^ set(objects))
        raise DataError(
            f"the readout knows {len(readout.classes_)} objects, asked for {len(objects)}; in one "
            f"only: {', '.join(differ[:3])}: fit it on images of the objects that were offered"
        )
    return readout.predict_proba(x)[:, np.searchsorted(readout.classes_, objects)]
