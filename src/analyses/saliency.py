"""What in an image would change how well a block of voxels is predicted: gradients at its pixels.

Source: St-Yves et al. 2023; specification nsd_gnet, 9.5. A trunk that was trained on stored maps of
its prefilter has no pixels: they come back with the prefilter in front of it.
"""

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


def saliency(
    encoder: Encoder, session: str, images: np.ndarray, responses: np.ndarray, units: np.ndarray
) -> np.ndarray:
    """Gradient of the squared error of a block of units: (n, 3, h, w), (n, u), (k,) -> (n, h, w).

    The error is summed over the units (indices), whose responses and predictions both are taken;
    the gradient is the mean over channels.
    """
    if len(images) != len(responses):
        raise DataError(
            f"images are {images.shape}, responses {responses.shape}: a row an image for both"
        )
    found, index = [], torch.as_tensor(np.asarray(units))
    for first in range(0, len(images), BATCH):
        some = slice(first, first + BATCH)
        pixels = torch.from_numpy(np.array(images[some])).float().requires_grad_()
        target = torch.from_numpy(np.asarray(responses[some], np.float32))[:, index]
        predicted = encoder(Batch(pixels), session, units=index)
        error = (predicted - target).square().sum()
        found.append(torch.autograd.grad(error, pixels)[0].mean(1).numpy())
    return np.concatenate(found)
