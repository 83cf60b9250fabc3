"""What training minimises."""

from __future__ import annotations

import torch


def poisson_loss(prediction: torch.Tensor, target: torch.Tensor, n_trials: int) -> torch.Tensor:
    """Poisson loss of a batch, summed: (n, u), (n, u) -> scalar, times sqrt(N / n).

    N is the number of trials of all tiers of the session. Sums, not means (specification 6.1).
    """
    loss = torch.sum(prediction - target * torch.log(prediction + 1e-12))
    return (n_trials / len(prediction)) ** 0.5 * loss
