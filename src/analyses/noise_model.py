"""Noise that goes with a prediction: how much of the data it is, and how noise is correlated.

    v = B signal + R n,  n ~ N(0, I),  B_i = sum_j Cp_ij Ap_ij / sum_j Ap_ij^2,
    R R' = C - diag(B) Ap diag(B)

C, Cp, Ap are correlations of data with data, data with predictions, predictions with predictions.
Source: St-Yves et al. 2023; specification nsd_gnet, 9.4. Here R is found in closed form, and as
published by gradient descent, which stops long before it is there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from src.correlation import z_score
from src.data.errors import DataError


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """Gain of the signal and mixing of the noise, for u units."""

    gain: np.ndarray  # (u,) B
    mixing: np.ndarray  # (u, u) R
    clipped: float  # sum of the eigenvalues below 0 that were set to 0, as a positive number

    def draw(self, signal: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Responses to a standardized signal: (n, u) -> (n, u)."""
        noise = generator.standard_normal(signal.shape)
        return self.gain * signal + noise @ self.mixing.T


def noise_model(data: np.ndarray, prediction: np.ndarray) -> NoiseModel:
    """The model of trials and their predictions: (n, u), (n, u) -> NoiseModel."""
    if np.shape(data) != np.shape(prediction):
        raise DataError(
            f"data are {np.shape(data)}, predictions {np.shape(prediction)}: give the same trials"
        )
    v, p = z_score(data), z_score(prediction)
    n = len(v)
    return from_correlations(v.T @ v / n, v.T @ p / n, p.T @ p / n)


def from_correlations(data: np.ndarray, between: np.ndarray, prediction: np.ndarray) -> NoiseModel:
    """The model of C, Cp and Ap: (u, u) three times -> NoiseModel."""
    gain, rest = noise_covariance(data, between, prediction)
    values, vectors = np.linalg.eigh((rest + rest.T) / 2)
    kept = np.maximum(values, 0)
    mixing = (vectors * np.sqrt(kept)) @ vectors.T
    return NoiseModel(gain, mixing, float(-values[values < 0].sum()))


def noise_covariance(
    data: np.ndarray, between: np.ndarray, prediction: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """B, and what R R' is to be, from C, Cp and Ap: (u, u) three times -> (u,), (u, u)."""
    gain = (between * prediction).sum(1) / (prediction**2).sum(1)
    return gain, data - gain[:, None] * prediction * gain


def descended_mixing(
    gain: np.ndarray,
    rest: np.ndarray,
    generator: np.random.Generator,
    rate: float = 1e-3,
    steps: int = 20_000,
    enough: float = 4.0,
) -> np.ndarray:
    """R by gradient descent on the sum of squares of R R' - rest: (u,), (u, u) -> (u, u).

    As published: from diag(sqrt(1 - B^2)) plus noise of SD .1, until the sum is `enough`.
    """
    mixing = np.diag(np.sqrt(np.maximum(1 - gain**2, 0)))
    mixing += 0.1 * generator.standard_normal(mixing.shape)
    for _ in range(steps):
        away = mixing @ mixing.T - rest
        if (away**2).sum() <= enough:
            break
        mixing -= rate * 2 * (away + away.T) @ mixing
    return mixing
