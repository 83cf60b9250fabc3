"""What has to agree before a network is trained, with what to do where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from src.config import ModelConfig, TrainingConfig
from src.data.session import Session
from src.data.splits import Split
from src.models.encoder import Encoder


def require_trials(
    encoder: Encoder, sessions: Mapping[str, Session], splits: Mapping[str, Split]
) -> None:
    """ValueError unless encoder, data and splits are of the same sessions, each with trials."""
    if not set(sessions) == set(splits) == set(encoder.sessions):
        raise ValueError(
            f"the encoder has sessions {list(encoder.sessions)}, the data {list(sessions)}, "
            f"the splits {list(splits)}: all three must be the same"
        )
    for key, split in splits.items():
        for part in ("train", "validation"):
            if not len(getattr(split, part)):
                raise ValueError(f"session {key!r} has no {part} trials in its split: re-split it")


def require_recipe(config: TrainingConfig, model: ModelConfig, teachers: Sequence[Path]) -> None:
    """ValueError unless a recipe suits the model, and has a teacher where it wants one."""
    if config.loss != "mse" and model.output != "elu1":
        raise ValueError(
            f"loss {config.loss!r} takes the logarithm of predictions, which output "
            f"{model.output!r} does not keep positive: use loss='mse'"
        )
    if bool(config.object_weight) != bool(model.objects):
        raise ValueError(
            f"object_weight={config.object_weight:g} and objects={model.objects} of "
            f"model {model.name!r} go together: set both"
        )
    if bool(config.distilled) != bool(teachers):
        raise ValueError(
            f"distilled={config.distilled:g} and {len(teachers)} teachers go together: "
            "give the weights.pt of the members that teach"
        )
