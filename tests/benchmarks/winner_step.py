"""Worker: a training step of the winner's wide core: `winner_step.py FORM BATCH UNITS THREADS`.

FORM is folded or plane, both ours, or published: six planes through plain convolutions in PyTorch's
default layout, as the winner's code has them. All start from the same weights.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise

import torch
from our_step import KEY, Ours
from serving import peak_mb, serve, timed
from torch import Tensor, nn

from src.data.batch import Batch
from src.data.planes import winner_planes
from src.models.cores import WideCore
from src.models.encoder import Encoder, SessionFacts
from src.models.layers import laplace_penalty
from src.seeds import stream
from src.studies.sensorium2022 import WIDE


class PublishedWideCore(nn.Module):
    """The winner's layers (specification 5.4), each operation by itself."""

    def __init__(self, ours: WideCore) -> None:
        super().__init__()
        stem, first, *_ = channels = ours.config.channels
        layers = [nn.Conv2d(6, stem, 4, 4, bias=False)]
        layers += [*self.after(stem), nn.Conv2d(stem, first, 9, bias=False), *self.after(first)]
        for c, f in pairwise(channels[1:]):
            depthwise = nn.Conv2d(f, f, 7, padding=3, groups=f, bias=False)
            layers += [nn.Conv2d(c, f, 1, bias=False), depthwise, nn.Conv2d(f, f, 1, bias=False)]
            layers += self.after(f)
        self.layers = nn.Sequential(*layers)
        with torch.no_grad():
            for theirs, own in zip(self.parameters(), ours.parameters(), strict=True):
                theirs.copy_(own)

    @staticmethod
    def after(channels: int) -> tuple[nn.Module, ...]:
        return nn.BatchNorm2d(channels, momentum=0.9), nn.ELU(inplace=True)

    def forward(self, images: Tensor, boxes: Tensor, _: object = None) -> Tensor:
        return self.layers(winner_planes(images, boxes))

    def penalty(self) -> Tensor:
        return WIDE.core.laplace * laplace_penalty(self.layers[0].weight)


def winner(form: str, batch: int, units: int) -> Ours:
    """The wide model on full-resolution random images with boxes."""
    ours = "folded" if form == "folded" else "plane"
    generator = stream(0, "benchmark", "data")
    images = torch.randn(batch, 1, 144, 256, generator=generator)
    responses = 2 * torch.rand(batch, units, generator=generator)
    boxes = torch.rand(batch, 4, generator=generator)
    facts = SessionFacts(units, (1, 144, 256), torch.rand(units, 3, generator=generator))
    encoder = Encoder(replace(WIDE, core=replace(WIDE.core, form=ours)), {KEY: facts}, seed=0)
    if form == "published":
        encoder.core = PublishedWideCore(encoder.core)
    return Ours(encoder, Batch(images, responses, boxes=boxes))


if __name__ == "__main__":
    form, (batch, units, threads) = sys.argv[1], map(int, sys.argv[2:])
    torch.set_num_threads(threads)
    trained = winner(form, batch, units)
    serve(
        {
            "rates": lambda: trained.encoder(trained.batch, KEY, stream(0, "rates"))[
                0, :9
            ].tolist(),
            "step": timed(trained.step),
            "peak": peak_mb,
        }
    )
