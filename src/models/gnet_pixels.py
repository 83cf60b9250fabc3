"""A trunk that was trained on stored maps sees images, through the prefilter that made the maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from src.config import InputConfig
from src.data.batch import Batch
from src.data.errors import DataError
from src.models.encoder import Encoder
from src.models.networks import Network

BATCH = 16


def with_pixels(encoder: Encoder, prefilter: Network, size: int) -> Encoder:
    """The same model of images (3, size, size) in 0..255, its prefilter in front of it."""
    config = encoder.config
    core = replace(config.core, prefilter="frozen")
    inputs = InputConfig(scale="full", raw=True)
    facts = {k: replace(s, image_shape=(3, size, size)) for k, s in encoder.sessions.items()}
    found = Encoder(replace(config, core=core, inputs=inputs), facts, seed=0)
    if found.core.map_shapes(size, size) != next(iter(encoder.readouts.values())).map_shapes:
        raise DataError(
            f"pixels of size {size} give maps {found.core.map_shapes(size, size)}, others than "
            "those that were trained on: give the size that 02_extract had"
        )
    found.core.start_from(prefilter)
    found.core.layers.load_state_dict(encoder.core.layers.state_dict())
    found.readouts.load_state_dict(encoder.readouts.state_dict())
    return found.eval()


@torch.no_grad()
def respond(encoder: Encoder, session: str, images: np.ndarray) -> np.ndarray:
    """Responses to images that belong to no trial: (n, 3, h, w) uint8 -> (n, u)."""
    parts = (images[i : i + BATCH] for i in range(0, len(images), BATCH))
    pixels = (torch.from_numpy(np.array(part)).float() for part in parts)
    return np.concatenate([encoder(Batch(some), session).numpy() for some in pixels])
