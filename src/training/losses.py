"""What training minimises."""

from __future__ import annotations

import torch

EPSILON = torch.finfo(torch.float32).eps


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
