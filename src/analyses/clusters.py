"""Do units fall into groups, and of what: k-means of chosen features, the gap, and its controls.

Where coordinates in micrometers stand unscaled beside responses of about 1, distance between units
is distance in cortex, and any clustering cuts the cortex into blobs. So features are chosen by name
and each clustering is compared with one of the positions alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from src.correlation import z_score

FEATURES = ("unscaled", "position", "scaled", "function")


def features(kind: str, positions: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """What units are grouped by: (u, 3) um, (i, u) mean responses to images -> (u, f).

    unscaled: micrometers beside responses, as published; position: micrometers alone; function:
    responses, z-scored over images, so that a squared distance is 2 i (1 - r) and gain plays no
    part; scaled: position and function, each with a total variance of 1.
    """
    function = z_score(responses).T
    match kind:
        case "unscaled":
            return np.hstack([positions, responses.T])
        case "position":
            return np.asarray(positions, np.float64)
        case "function":
            return function
        case "scaled":
            return np.hstack([_of_variance_one(positions), _of_variance_one(function)])
    raise ValueError(f"no features called {kind!r}: choose one of {', '.join(FEATURES)}")


def _of_variance_one(x: np.ndarray) -> np.ndarray:
    """Columns centered, and scaled together to a total variance of 1: (u, f) -> (u, f)."""
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0).sum())


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**31))


def fit_clusters(
    x: np.ndarray, k: int, generator: np.random.Generator, starts: int = 10
) -> tuple[np.ndarray, float]:
    """k-means, best of `starts` starts: (u, f) -> labels (u,), squares within clusters W_k."""
    means = KMeans(k, n_init=starts, max_iter=500, random_state=_seed(generator))
    with threadpool_limits(1):  # sums in one order, so that bytes agree
        means.fit(x)
    return means.labels_, float(means.inertia_)


@dataclass(frozen=True)
class Gap:
    """How much tighter k clusters are than in data without any."""

    k: np.ndarray  # (m,) 1, 2, ...
    within: np.ndarray  # (m,) log W_k, whose bend is the elbow
    reference: np.ndarray  # (b, m) the same in reference sets without clusters

    @property
    def gap(self) -> np.ndarray:
        """Gap(k) = mean of the reference's log W_k - log W_k: -> (m,)."""
        return self.reference.mean(axis=0) - self.within

    @property
    def error(self) -> np.ndarray:
        """s_k = sd_k sqrt(1 + 1 / b): -> (m,)."""
        return self.reference.std(axis=0) * np.sqrt(1 + 1 / len(self.reference))

    @property
    def best(self) -> int:
        """Smallest k with Gap(k) >= Gap(k + 1) - s_{k+1}; the largest tried if there is none."""
        enough = self.gap[:-1] >= self.gap[1:] - self.error[1:]
        return int(self.k[np.argmax(enough)] if enough.any() else self.k[-1])


def gap_statistic(
    x: np.ndarray, largest: int, generator: np.random.Generator, references: int = 10
) -> Gap:
    """Gap for k = 1..largest: (u, f) -> Gap. Source: Tibshirani, Walther & Hastie 2001.

    Reference sets are uniform over a box along the principal axes of x (their section 3, b).
    """
    center = x.mean(axis=0)
    axes = np.linalg.svd(x - center, full_matrices=False)[2]
    scores = (x - center) @ axes.T
    low, high = scores.min(axis=0), scores.max(axis=0)
    sets = [scores, *(generator.uniform(low, high, scores.shape) for _ in range(references))]
    k = np.arange(1, min(largest, len(x) - 1) + 1)
    within = [[fit_clusters(s, n, generator, starts=3)[1] for n in k] for s in sets]
    logs = np.log(within)
    return Gap(k, logs[0], logs[1:])


def rand_null(
    a: np.ndarray, b: np.ndarray, generator: np.random.Generator, shuffles: int = 200
) -> np.ndarray:
    """Adjusted Rand index with b's units shuffled: (u,), (u,) -> (shuffles,), about 0."""
    return np.array([adjusted_rand_score(a, generator.permutation(b)) for _ in range(shuffles)])


def shuffled_units(x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Each feature's values handed to other units, each feature its own way: (u, f) -> (u, f)."""
    return generator.permuted(x, axis=0)


def projection(x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """t-SNE, started from the first principal axes: (u, f) -> (u, 2); neighbors mean something,
    distances and sizes of islands do not (van der Maaten & Hinton 2008)."""
    perplexity = min(30, (len(x) - 1) / 3)
    with threadpool_limits(1):
        return TSNE(init="pca", perplexity=perplexity, random_state=_seed(generator)).fit_transform(
            x
        )
