"""Which optimizer steps which weights, at which share of the learning rate."""

from __future__ import annotations

import torch

from src.config import TrainingConfig
from src.models.encoder import Encoder

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def make_optimizer(encoder: Encoder, config: TrainingConfig) -> torch.optim.Optimizer:
    """The recipe's optimizer; each of its groups has its `share` of the learning rate.

    With `core_rate` 0 the core is not trained at all, by 1 it is like everything else.
    """
    groups = [{"params": list(encoder.parameters()), "share": 1.0}]
    if config.core_rate != 1:
        core = list(encoder.core.parameters())
        known = {id(p) for p in core}
        groups[0]["params"] = [p for p in encoder.parameters() if id(p) not in known]
        encoder.core.requires_grad_(config.core_rate > 0)
        groups += [{"params": core, "share": config.core_rate}] * bool(config.core_rate)
    kind, decay = OPTIMIZERS[config.optimizer], config.weight_decay
    return kind(groups, config.learning_rate, config.betas, weight_decay=decay)


def held_still(encoder: Encoder, two_pass: bool) -> list[list[torch.nn.Parameter]]:
    """What does not move in each pass of a step: nothing, or the readouts and then the core."""
    if not two_pass:
        return [[]]
    core = list(encoder.core.parameters())
    known = {id(p) for p in core}
    return [[p for p in encoder.parameters() if id(p) not in known], core]
