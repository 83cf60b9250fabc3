"""What must fit together before a training starts: model, recipe, sessions and splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from src.config import TrainingConfig
from src.data.session import Session
from src.data.splits import Split
from src.models.encoder import Encoder
from src.training.losses import SQUARED


def require_trials(
    encoder: Encoder, sessions: Mapping[str, Session], splits: Mapping[str, Split]
) -> None:
    """ValueError unless all three are of the same sessions, each with trials to train on."""
    if not set(sessions) == set(splits) == set(encoder.sessions):
        raise ValueError(
            f"the encoder has sessions {list(encoder.sessions)}, the data {list(sessions)}, "
            f"the splits {list(splits)}: all three must be the same"
        )
    for key, split in splits.items():
        for part in ("train", "validation"):
            if not len(getattr(split, part)):
                raise ValueError(f"session {key!r} has no {part} trials in its split: re-split it")


def require_consistent(
    encoder: Encoder, config: TrainingConfig, teachers: Sequence[Path] = ()
) -> None:
    """ValueError where a recipe asks for what the model is not, or for two things at once."""
    if config.loss not in SQUARED and encoder.config.output == "identity":
        raise ValueError(
            f"loss {config.loss!r} takes the logarithm of predictions, which output "
            f"{encoder.config.output!r} does not keep positive: use loss='mse'"
        )
    if bool(config.object_weight) != bool(encoder.config.objects):
        raise ValueError(
            f"object_weight={config.object_weight:g} and objects={encoder.config.objects} of "
            f"model {encoder.config.name!r} go together: set both"
        )
    if bool(config.distilled) != bool(teachers):
        raise ValueError(
            f"distilled={config.distilled:g} and {len(teachers)} teachers go together: "
            "give the weights.pt of the members that teach"
        )
    shared = any(p.requires_grad for p in encoder.core.parameters()) and config.core_rate
    if config.own_best and shared:
        raise ValueError("own_best needs a core that stays: units of one that learns share it")
    if config.turns != "alone" and (config.contiguous or config.two_pass):
        raise ValueError("contiguous batches and two passes a step need turns='alone'")
    videos = any(len(facts.image_shape) == 4 for facts in encoder.sessions.values())
    if videos and (config.recalibrate or config.distilled):
        raise ValueError("films are trained without recalibrate and without teachers: unset both")
