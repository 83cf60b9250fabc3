"""What a core costs: multiply-adds, the part of a training's price that no machine changes."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from src.models.encoder import Encoder, side_scalars

BACKWARD = 2  # a backward pass costs about two forward passes: one for inputs, one for weights


@torch.no_grad()
def multiply_adds(encoder: Encoder) -> int:
    """Multiply-adds of the core for one image of the encoder's first session, forward."""
    shape = next(iter(encoder.sessions.values())).image_shape
    scalars = side_scalars(encoder.config)
    with FlopCounterMode(display=False) as counter:
        encoder.core.eval()(torch.zeros(1, *shape), torch.zeros(1, scalars) if scalars else None)
    return counter.get_total_flops() // 2


def training_multiply_adds(encoder: Encoder, images: int) -> int:
    """Multiply-adds of the core for `images` training images in all, forward and backward."""
    return (1 + BACKWARD) * multiply_adds(encoder) * images
