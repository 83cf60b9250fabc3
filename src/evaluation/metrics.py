"""How well a prediction explains repeated trials: correlations and explained variance, per unit.

All sums are float64 and run over all units and images at once. Images may have any number of
repeats; those with a single trial say nothing about noise and stay out of it.
Source: metrics of the SENSORIUM 2022 competition (Willeke et al. 2022; FEVE: Cadena et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from src.correlation import pearson

FEV_THRESHOLD = 0.15  # units predictable enough to enter the mean FEVE (Willeke et al. 2022)


@dataclass(frozen=True)
class Repeats:
    """Trials grouped by image: which image each trial shows, how often each image was shown."""

    ids: np.ndarray  # (i,) image ids, ascending
    index: np.ndarray  # (n,) position in `ids` of each trial's image
    counts: np.ndarray  # (i,) trials of each image

    @classmethod
    def of(cls, image_ids: np.ndarray) -> Repeats:
        """Group trials by image id: (n,) -> i images."""
        return cls(*np.unique(image_ids, return_inverse=True, return_counts=True))

    @property
    def repeated(self) -> np.ndarray:
        """Which images have at least two trials: (i,) bool."""
        return self.counts > 1

    def sum(self, x: np.ndarray) -> np.ndarray:
        """Sum over the trials of each image: (n, u) -> (i, u)."""
        if len(x) != len(self.index):
            raise ValueError(f"{len(self.index)} trials have an image id, not {np.shape(x)}")
        order = np.argsort(self.index, kind="stable")
        starts = np.cumsum(self.counts) - self.counts
        return np.add.reduceat(np.asarray(x, np.float64)[order], starts, axis=0)

    def mean(self, x: np.ndarray) -> np.ndarray:
        """Mean over the trials of each image: (n, u) -> (i, u)."""
        return self.sum(x) / self.counts[:, None]

    def others(self, x: np.ndarray) -> np.ndarray:
        """Mean over the other trials of each trial's image, shown at least twice: (n, u) same."""
        return (self.sum(x)[self.index] - x) / (self.counts[self.index, None] - 1)

    def variance(self, x: np.ndarray, ddof: int = 1) -> np.ndarray:
        """Variance over the trials of each repeated image, others left out: (n, u) -> (i', u)."""
        squares = self.sum((x - self.mean(x)[self.index]) ** 2)
        return squares[self.repeated] / (self.counts[self.repeated, None] - ddof)


def single_trial_correlation(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Correlation over single trials, per unit: (n, u), (n, u) -> (u,)."""
    return pearson(p, r)


def correlation_to_average(p: np.ndarray, r: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """Correlation over images of the means over repeats, per unit: (n, u), (n, u), (n,) -> (u,)."""
    return pearson(*scored_rows("avg", image_ids, p, r)[1:])


def scored_rows(metric: str, image_ids: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, ...]:
    """What a correlation runs over, ids first: (n,), k times (n, u) -> (i,), k times (i, u).

    Trials as they are for `single`, means over the trials of each image for `avg`.
    """
    if metric == "single":
        return image_ids, *values
    repeats = Repeats.of(image_ids)
    return repeats.ids, *(repeats.mean(x) for x in values)


def total_variance(r: np.ndarray) -> np.ndarray:
    """Variance V over all trials, exactly 0 for constant responses: (n, u) -> (u,)."""
    r = np.asarray(r, np.float64)
    return np.where(np.ptp(r, axis=0) > 0, r.var(axis=0, ddof=1), 0.0)


def noise_variance(r: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """Variance N over repeats, mean over repeated images, nan without any: (n, u) -> (u,)."""
    variances = Repeats.of(image_ids).variance(r)
    return variances.mean(axis=0) if len(variances) else np.full(r.shape[1], np.nan)


def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, nan where b is 0: (u,), (u,) -> (u,)."""
    return np.divide(a, b, out=np.full(np.shape(b), np.nan), where=np.asarray(b) != 0)


def fev(r: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """Fraction of explainable variance (V - N) / V: (n, u), (n,) -> (u,); nan where undefined."""
    total = total_variance(r)
    return divide(total - noise_variance(r, image_ids), total)


def feve(p: np.ndarray, r: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """Fraction of explainable variance explained: (n, u), (n, u), (n,) -> (u,).

    1 - (MSE - N) / (V - N); may exceed 1 or be very negative. nan where V = 0 or N is unknown.
    """
    total, noise = total_variance(r), noise_variance(r, image_ids)
    error = np.mean((np.asarray(r, np.float64) - p) ** 2, axis=0)
    return 1 - divide(error - noise, np.where(total > 0, total - noise, 0.0))


def kept(explainable: np.ndarray, threshold: float = FEV_THRESHOLD) -> np.ndarray:
    """Units whose FEV reaches the threshold, none of unknown FEV: (u,) -> (u,) bool."""
    return np.asarray(explainable) >= threshold


def r_squared(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """1 - sum (r - p)^2 / sum (r - mean r)^2: (n, u), (n, u) -> (u,); nan if r is constant."""
    varying = np.where(np.ptp(r, axis=0) > 0, np.var(r, axis=0, dtype=np.float64), 0.0)
    return 1 - divide(mean_squared_error(p, r), varying)


def mean_squared_error(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Mean of (r - p)^2: (n, u), (n, u) -> (u,)."""
    return np.mean(_error(p, r) ** 2, axis=0)


def mean_absolute_error(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Mean of |r - p|: (n, u), (n, u) -> (u,)."""
    return np.mean(np.abs(_error(p, r)), axis=0)


def _error(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    if np.shape(p) != np.shape(r):
        raise ValueError(f"predictions are {np.shape(p)} but responses are {np.shape(r)}")
    return np.asarray(r, np.float64) - p


def correlation(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Exact Pearson r, 0 where either is constant up to rounding: (n, u), (n, u) -> (u,).

    src.correlation.pearson adds 1e-8 to each standard deviation, as the SENSORIUM metrics do;
    Brain-Score does not, and its scores are reproduced to 1e-9.
    """
    p, r = (np.asarray(x, np.float64) for x in (p, r))
    _error(p, r)
    centered = [x - x.mean(axis=0) for x in (p, r)]
    norms = [np.linalg.norm(c, axis=0) for c in centered]
    sizes = [np.linalg.norm(x, axis=0) for x in (p, r)]
    varies = (norms[0] > 1e-12 * sizes[0]) & (norms[1] > 1e-12 * sizes[1])
    product = np.where(varies, norms[0] * norms[1], 1.0)
    return np.where(varies, np.sum(centered[0] * centered[1], axis=0) / product, 0.0)
