"""What training minimises, and what a regression of responses of either sign is watched by."""

from __future__ import annotations

import numpy as np
import torch

from src.correlation import explained_variance

EPSILON = torch.finfo(torch.float32).eps
VARIES = 0.01  # std of a prediction, in stds of the responses; below it EV is under 2 * VARIES


def poisson_loss(prediction: torch.Tensor, target: torch.Tensor, n_trials: int) -> torch.Tensor:
    """Poisson loss of a batch, summed: (n, u), (n, u) -> scalar, times sqrt(N / n).

    N is the number of trials of all tiers of the session. Sums, not means (specification 6.1).
    """
    loss = torch.sum(prediction - target * torch.log(prediction + 1e-12))
    return (n_trials / len(prediction)) ** 0.5 * loss


def v1t_loss(prediction: torch.Tensor, target: torch.Tensor, n_training: int) -> torch.Tensor:
    """The same as V1T has it (specification 5.7): N counts training trials.

    The smallest step of float32 above 1 is added to prediction and response wherever they stand.
    """
    prediction, target = prediction + EPSILON, target + EPSILON
    loss = torch.sum(prediction - target * torch.log(prediction))
    return (n_training / len(prediction)) ** 0.5 * loss


def mse_loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean squared error over trials and units: (n, u), (n, u) -> scalar."""
    return torch.mean((prediction - target) ** 2)


def watched(prediction: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Explained variance and whether the prediction is constant: (n, u), (n, u) -> (u,), (u,) bool.

    EV is nan where the responses do not vary. With std(p) = s std(y), EV is 2 r s - s^2, so it
    cannot be above 2 s.
    """
    p, y = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    constant = p.var(axis=0) <= VARIES**2 * y.var(axis=0)
    return explained_variance(p, y), constant
