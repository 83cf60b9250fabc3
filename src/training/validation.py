"""How well an encoder does on validation trials: the number that decides which weights are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import numpy as np
import torch

from src.config import TrainingConfig
from src.correlation import pearson
from src.data.batch import Batch
from src.data.session import Session
from src.data.splits import Split
from src.models.encoder import Encoder
from src.models.stitching import predicted_trials, stitcher_of
from src.training.losses import SQUARED, watched
from src.training.parallel import Group
from src.training.supply import of_videos

WATCHED = (
    "validation_loss",
    "validation_ev",
    "constant_units",
)  # of a regression; see `validate`
NAMED = ("validation_named",)  # share of objects named, of a model that names them

Seen = tuple[np.ndarray, np.ndarray, np.ndarray]  # predictions, responses (n, u), named right (n,)


@torch.no_grad()
def validate(
    encoder: Encoder,
    sessions: Mapping[str, Session],
    splits: Mapping[str, Split],
    config: TrainingConfig,
    group: Group,
) -> tuple[float, dict[str, float], dict[str, np.ndarray]]:
    """Single-trial correlation on validation trials, mean or median over all units; more; by unit.

    A regression also has its loss, mean EV over units that vary, and how many predictions do not; a
    model that names objects, the share it names.
    Films count frame by frame, whole trials through windows that follow one another (specification
    sensorium2023, 7.5). Each process of a group sees some of the sessions, and gets the score of
    all.
    """
    encoder.eval()
    own = {key: splits[key].validation for key in group.own(splits)}
    seen = {k: _measured(encoder, sessions[k], v, config, group.device) for k, v in own.items()}
    scores, right, more, errors = zip(*group.gathered(seen, splits).values(), strict=True)
    measured = {}
    middle = np.median if config.score == "median" else np.mean
    score = float(middle(np.concatenate(scores)))
    if not isfinite(score):
        raise FloatingPointError("the validation score is not finite: look for NaN in responses")
    if config.loss in SQUARED:
        explained, constant = map(np.concatenate, zip(*more, strict=True))
        loss = float(np.concatenate(errors).mean())
        values = loss, float(np.nanmean(explained)), int(constant.sum())
        measured = dict(zip(WATCHED, values, strict=True))
    if config.object_weight:
        measured |= {name: float(np.concatenate(right).mean()) for name in NAMED}
    return score, measured, dict(zip(splits, scores, strict=True))


def _measured(
    encoder: Encoder,
    session: Session,
    trials: np.ndarray,
    config: TrainingConfig,
    device: torch.device,
) -> tuple[Any, ...]:
    """Correlations of a session's units, what is named right, and of a regression more."""
    see = _videos if of_videos(session) else _images
    parts = see(encoder, session, trials, config, device)
    *both, named = map(np.concatenate, zip(*parts, strict=True))
    if config.loss not in SQUARED:
        return pearson(*both), named, None, None
    return pearson(*both), named, watched(*both), (both[0] - both[1]).ravel() ** 2


def _images(
    encoder: Encoder,
    session: Session,
    trials: np.ndarray,
    config: TrainingConfig,
    device: torch.device,
) -> Iterator[Seen]:
    """Predictions and responses of each batch, and 1 where its object is named."""
    for batch in batches(session, trials, config.batch_size, device):
        predicted, named = encoder.respond_and_name(batch, session.key)
        right = torch.zeros(0) if named is None else (named.argmax(1) == batch.objects).float()
        yield tuple(x.cpu().numpy() for x in (predicted, batch.responses, right))


def _videos(
    encoder: Encoder,
    session: Any,
    trials: np.ndarray,
    config: TrainingConfig,
    device: torch.device,
) -> Iterator[Seen]:
    """The same for each trial, its scored frames in the place of trials."""
    chosen = trials if config.validation_trials is None else trials[: config.validation_trials]
    options = stitcher_of(encoder), device, config.batch_size
    for trial, (frames, made) in zip(
        chosen, predicted_trials([encoder], session, chosen, *options), strict=True
    ):
        responses = np.asarray(session.responses_of(trial))[frames]
        yield made[0], responses, np.zeros(0)


def batches(
    session: Session, index: np.ndarray, size: int, device: torch.device
) -> Iterator[Batch]:
    """The trials `index` of a session of images in order, a batch at a time."""
    for start in range(0, len(index), size):
        yield session.batch(index[start : start + size], device)
