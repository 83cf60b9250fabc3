"""A small network from features to responses, for features that a frozen network has made.

Everything is in memory and takes seconds, so nothing is stored on the way: networks that see images
are trained by `trainer`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from src.config import DenseReadoutConfig, MlpConfig, TrainingConfig
from src.correlation import explained_variance
from src.data.errors import DataError
from src.models.dense_readout import DenseReadout
from src.seeds import numpy_stream, stream
from src.training.device import threads
from src.training.losses import mse_loss
from src.training.schedule import Schedule

HELD_BACK = 0.1  # of the rows, to choose the epoch


def predict_by_mlp(
    x: np.ndarray, y: np.ndarray, to: np.ndarray, config: MlpConfig, seed: int
) -> np.ndarray:
    """Train on features (n, q) and responses (n, u), predict features (m, q) -> (m, u).

    Features are centered, and divided by one number for all of them: a component keeps its size
    beside the others. Responses too. The epoch is chosen by the mean explained variance on a tenth
    of the rows; 0 is the mean of the responses, and stays where nothing is learned. On the CPU, so
    that bytes agree.
    """
    if len(x) != len(y) or x.shape[1:] != to.shape[1:] or len(x) < 20:
        shapes = f"features are {x.shape} and {to.shape}, responses {y.shape}"
        raise DataError(f"{shapes}: give (n, q), (m, q) and (n, u) of at least 20 rows")
    (x_scale, center), (y_scale, mean) = (_scale(a) for a in (x, y))
    inputs, target, asked = (
        torch.from_numpy((a - offset) / scale).float()
        for a, offset, scale in ((x, center, x_scale), (y, mean, y_scale), (to, center, x_scale))
    )
    with threads(config.threads):
        network = _trained(inputs, target, config, seed)
        with torch.no_grad():
            found = network(asked[..., None, None]).double().numpy()
    return mean + y_scale * found


def _scale(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Root of the mean variance, 1 where there is none, and means: (n, q) -> (), (q,)."""
    return float(np.sqrt(x.var(axis=0).mean())) or 1.0, x.mean(axis=0)


def _trained(x: Tensor, y: Tensor, config: MlpConfig, seed: int) -> DenseReadout:
    """The network after its best epoch, in evaluation mode: (n, q), (n, u)."""
    order = numpy_stream(seed, "held back").permutation(len(x))
    held_back, rows = np.split(order, [round(HELD_BACK * len(x))])
    layout = DenseReadoutConfig(hidden=config.hidden, dropout=config.dropout)
    network = DenseReadout(layout, (x.shape[1], 1, 1), y.shape[1], stream(seed, "init"))
    for start in network.out.parameters():  # epoch 0 is the mean
        torch.nn.init.zeros_(start)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=config.weight_decay)
    schedule = Schedule.start(_recipe(config), _score(network, x[held_back], y[held_back]))
    best = _copy(network)
    while not schedule.finished:
        optimizer.param_groups[0]["lr"] = schedule.learning_rate
        _epoch(network.train(), optimizer, x[rows], y[rows], config, seed, schedule.epoch)
        if schedule.step(_score(network, x[held_back], y[held_back])).improved:
            best = _copy(network)
    network.load_state_dict(best)
    return network.eval()


def _recipe(config: MlpConfig) -> TrainingConfig:
    """What a schedule has to know."""
    return TrainingConfig(
        learning_rate=config.learning_rate,
        min_learning_rate=0.0,
        schedule="cosine",
        max_epochs=config.epochs,
    )


def _copy(network: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _epoch(
    network: DenseReadout,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    config: MlpConfig,
    seed: int,
    epoch: int,
) -> None:
    """A step a batch, in random order; batches are of equal size, give or take one."""
    order = numpy_stream(seed, "shuffle", epoch).permutation(len(x))
    noise = stream(seed, "dropout", epoch)
    for index in np.array_split(order, -(-len(x) // config.batch_size)):
        optimizer.zero_grad()
        loss = mse_loss(network(x[index][..., None, None], generator=noise), y[index])
        if not loss.isfinite():
            raise FloatingPointError(
                f"the loss is not finite: lower the learning rate from {config.learning_rate:g}"
            )
        loss.backward()
        optimizer.step()


@torch.no_grad()
def _score(network: DenseReadout, x: Tensor, y: Tensor) -> float:
    """Explained variance, mean over units that vary: (n, q), (n, u) -> scalar; 0 without any."""
    explained = explained_variance(network.eval()(x[..., None, None]).numpy(), y.numpy())
    known = explained[~np.isnan(explained)]
    return float(known.mean()) if len(known) else 0.0
