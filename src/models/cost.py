"""What a core costs: multiply-adds, the part of a training's price that no machine changes."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch.utils.flop_counter import FlopCounterMode

from src.models.encoder import Encoder, side_scalars

BACKWARD = 2  # a backward pass costs about two forward passes: one for inputs, one for weights


@torch.no_grad()
def multiply_adds(encoder: Encoder) -> int:
    """Multiply-adds of the core for one image, or clip, of the encoder's first session, forward.

    Counted on shapes alone, in a copy of the core that holds no numbers.
    """
    shape = next(iter(encoder.sessions.values())).image_shape
    scalars = side_scalars(encoder.config, shape)
    frames = shape[1:-2]  # (t,) of a clip, whose side scalars are of a frame each
    side = torch.empty(1, *frames, scalars, device="meta") if scalars else None
    core = deepcopy(encoder.core).to("meta").eval()
    with FlopCounterMode(display=False) as counter:
        core(torch.empty(1, *shape, device="meta"), side)
    return counter.get_total_flops() // 2


def training_multiply_adds(encoder: Encoder, images: int) -> int:
    """Multiply-adds of the core for `images` training images or clips, forward and backward."""
    return (1 + BACKWARD) * multiply_adds(encoder) * images
