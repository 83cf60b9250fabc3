"""What training minimizes, and what a regression of responses of either sign is watched by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from src.config import TrainingConfig
from src.correlation import explained_variance
from src.data.errors import DataError
from src.models.sharing import batch_mean, places

SQUARED = ("mse", "squares", "batch_rho2", "ncsnr")  # losses of responses of either sign
EPSILON = torch.finfo(torch.float32).eps
ADDED = {"v1t": EPSILON, "dynamic": 1e-8}  # to prediction and response
LEAST = 0.1  # weight of a unit
VARIES = 0.01  # std of a prediction, in stds of the responses; below it EV is under 2 * VARIES


def poisson_loss(
    prediction: torch.Tensor, target: torch.Tensor, kind: str = "baseline"
) -> torch.Tensor:
    """Poisson loss of a batch, p - r log p, summed: (..., u), (..., u) -> scalar.

    Published forms differ in the number that keeps the logarithm finite. baseline: 1e-12 in it
    (specification sensorium2022, 6.1). v1t: float32's smallest step above 1 is added to p and r
    wherever they stand. dynamic: the same with 1e-8 (sensorium2023, 6). nll: PyTorch's, 1e-8 in the
    logarithm. stirling: with PyTorch's Stirling term, r log r - r + log(2 pi r) / 2 where r > 1.
    """
    if kind in ADDED:
        prediction, target = prediction + ADDED[kind], target + ADDED[kind]
        return torch.sum(prediction - target * torch.log(prediction))
    if kind == "baseline":
        return torch.sum(prediction - target * torch.log(prediction + 1e-12))
    options = {"log_input": False, "full": kind == "stirling", "reduction": "sum"}
    return F.poisson_nll_loss(prediction, target, **options)


def mse_loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean squared error over trials and units: (n, u), (n, u) -> scalar; in a share its part."""
    return torch.mean((prediction - target) ** 2) * part_of_batch(prediction)


def part_of_batch(x: torch.Tensor) -> float:
    """Share of a whole batch's trials that are here: what the mean over them counts."""
    return len(x) / places(len(x))[1]


def squares_loss(
    prediction: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Squared errors summed: (n, u), (n, u) -> scalar; with weights (u,), sum_v w SSE / mean w."""
    errors = (prediction - target).square().sum(0)
    return errors.sum() if weights is None else (weights * errors).sum() / weights.mean()


@torch.no_grad()
def batch_weights(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """clip(rho^2, .1, 1), rho the correlation over the batch: (n, u), (n, u) -> (u,).

    The 1e-6 keeps units whose prediction hardly varies at .1 (specification nsd_gnet, 6.1).
    """
    p, y = prediction - batch_mean(prediction), target - batch_mean(target)
    variances = batch_mean(p.square()) * batch_mean(y.square())
    return (batch_mean(p * y).square() / (variances + 1e-6)).clamp(LEAST, 1)


def signal_weights(responses: np.ndarray, image_ids: np.ndarray) -> torch.Tensor:
    """clip(q^2 / (1 + q^2), .1, 1), q = ncsnr, from repeats: (n, u), (n,) -> (u,) float32.

    The share of the variance of single trials that their images explain: the rest is the variance
    within images.
    """
    images = len(np.unique(image_ids))
    if images == len(image_ids):
        raise DataError(
            f"no image of {len(image_ids)} training trials was shown twice, which loss='ncsnr' "
            "needs: use batch_rho2"
        )
    rest = responses - pd.DataFrame(responses).groupby(image_ids).transform("mean").to_numpy()
    noise = (rest**2).sum(0) / (len(rest) - images)
    total = np.maximum(responses.var(axis=0, ddof=1), EPSILON)
    return torch.from_numpy(np.clip(1 - noise / total, LEAST, 1).astype(np.float32))


def batch_loss(
    config: TrainingConfig,
    prediction: torch.Tensor,
    target: torch.Tensor,
    n_trials: int,
    n_training: int,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """What the recipe minimizes besides penalties, for one batch: (n, u), (n, u) -> scalar.

    The session has `n_trials` trials in all tiers, `n_training` of which are trained on. A Poisson
    loss is a sum, not a mean, times sqrt(N / n) if `loss_scale` says so: N is the number of all
    trials of the baseline, of training trials of the others. `weights` (u,) are those of the
    session, of the loss ncsnr. In a share: what its trials add to that of the whole batch.
    """
    match config.loss:
        case "mse":
            return mse_loss(prediction, target)
        case "squares" | "ncsnr":
            return squares_loss(prediction, target, weights)
        case "batch_rho2":
            return squares_loss(prediction, target, batch_weights(prediction, target))
    loss = poisson_loss(prediction, target, config.loss)
    if config.loss_scale == "none":
        return loss
    total = n_trials if config.loss == "baseline" else n_training
    return (total / places(len(prediction))[1]) ** 0.5 * loss


def watched(prediction: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Explained variance and whether the prediction is constant: (n, u), (n, u) -> (u,), (u,) bool.

    EV is nan where the responses do not vary. With std(p) = s std(y), EV is 2 r s - s^2, so it
    cannot be above 2 s.
    """
    p, y = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    constant = p.var(axis=0) <= VARIES**2 * y.var(axis=0)
    return explained_variance(p, y), constant
