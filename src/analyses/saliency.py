"""What in an image would change how well a block of voxels is predicted: gradients at its pixels.

Source: St-Yves et al. 2023; specification nsd_gnet, 9.5. Models of stored maps get their pixels
back in src/models/gnet_pixels.py.
"""

from __future__ import annotations

import numpy as np
import torch

from src.data.batch import Batch
from src.data.errors import DataError
from src.models.encoder import Encoder

BATCH = 16


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
