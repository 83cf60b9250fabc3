"""The two image transforms of SENSORIUM 2022: the exact quarter scale and the winner's planes."""

from __future__ import annotations

import torch

from src.data.errors import DataError


def rescale_quarter(images: torch.Tensor) -> torch.Tensor:
    """Scale 0.25, mean of the central 2x2 of every 4x4 block: (..., h, w) -> (..., h // 4, w // 4).

    Equal, to the last bit for whole numbers, to bilinear interpolation with `align_corners=False`
    and no antialiasing. Rows and columns beyond the last whole block are dropped, as there.
    """
    h, w = images.shape[-2] // 4 * 4, images.shape[-1] // 4 * 4
    if not h or not w:
        raise DataError(
            f"images of {tuple(images.shape[-2:])} pixels are too small for a quarter scale, which "
            "needs (4, 4) or more: use InputConfig(scale='full')"
        )
    x = images[..., :h, :w]
    left = x[..., 1::4, 1::4] + x[..., 2::4, 1::4]
    right = x[..., 1::4, 2::4] + x[..., 2::4, 2::4]
    return (left + right) / 4


def spatial_mean(images: torch.Tensor) -> torch.Tensor:
    """Mean over pixels of each image and channel: (n, c, h, w) -> (n, c, 1, 1).

    On the CPU numpy's pairwise sum is used: it reproduces the published arrays bit for bit.
    """
    if images.device.type == "cpu" and not images.requires_grad:
        return torch.from_numpy(images.numpy().mean((2, 3), keepdims=True))
    return images.mean((2, 3), keepdim=True)


def winner_planes(images: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Image, image minus its mean, x, y, w, h: (n, 1, h, w), (n, 4) -> (n, 6, h, w).

    The winner's input (spec 4.4): images are standardized already, boxes are in 0..1.
    """
    if images.shape[1] != 1 or boxes.shape != (len(images), 4):
        raise DataError(
            f"winner planes need images (n, 1, h, w) and boxes (n, 4), not {tuple(images.shape)} "
            f"and {tuple(boxes.shape)}: use gray images, and boxes='file' or 'full_frame'"
        )
    planes = boxes.to(images)[:, :, None, None].expand(-1, -1, *images.shape[2:])
    return torch.cat([images, images - spatial_mean(images), planes], dim=1)
