"""EfficientNet-lite0 to lite2: a classifier without squeeze-excitation, for features of objects.

Tan & Le 2019 (arXiv:1905.11946), table 1, and the lite variants published with it in 2020: no
squeeze-excitation, ReLU6 in place of swish, stem and head not scaled, first and last stage not
deepened. Padding is that of TensorFlow ("same": the odd pixel goes right and below).
"""

from __future__ import annotations

from math import ceil

import torch.nn.functional as F
from torch import Tensor, nn

STEM, HEAD, CLASSES = 32, 1280, 1000
STAGES = (  # blocks, kernel, stride, expansion, channels (table 1)
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)


class EfficientNetLite(nn.Module):
    """Images to logits: (n, 3, h, w) -> (n, 1000); `width` and `depth` scale the stages."""

    def __init__(self, width: float, depth: float) -> None:
        super().__init__()
        self.stem = nn.Sequential(_Convolution(3, STEM, 3, stride=2), nn.ReLU6())
        stages, channels = [], STEM
        for blocks, (_, kernel, stride, expansion, base) in zip(
            stage_depths(depth), STAGES, strict=True
        ):
            outputs, stage = _scaled(base, width), nn.Sequential()
            for j in range(blocks):
                stage.append(_Block(channels, outputs, kernel, 1 if j else stride, expansion))
                channels = outputs
            stages.append(stage)
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(_Convolution(channels, HEAD, 1), nn.ReLU6())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(HEAD, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.pool(self.head(self.stages(self.stem(images))))  # (n, 1280, 1, 1)
        return self.classifier(x.flatten(1))


class _Convolution(nn.Module):
    """Convolution with "same" padding, and batch norm: (n, c, h, w) -> (n, f, h / s, w / s)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.conv.kernel_size, self.conv.stride
        lacking = [max((ceil(n / stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:]]
        low, high = zip(*((n // 2, n - n // 2) for n in lacking), strict=True)
        return self.norm(self.conv(F.pad(x, (low[1], high[1], low[0], high[0]))))


class _Block(nn.Module):
    """Inverted bottleneck: 1x1 up, depthwise, 1x1 down, and the input where shapes allow it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = inputs * expansion
        self.expand = _Convolution(inputs, wide, 1) if expansion > 1 else None
        self.depthwise = _Convolution(wide, wide, kernel, stride, groups=wide)
        self.project = _Convolution(wide, outputs, 1)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.skips else y


def stage_depths(depth: float) -> list[int]:
    """Number of blocks of each stage: the first and the last are not scaled."""
    first, *inner, last = (blocks for blocks, *_ in STAGES)
    return [first, *(ceil(blocks * depth) for blocks in inner), last]


def _scaled(channels: int, width: float) -> int:
    """Channels times width, to the nearest multiple of 8 that is not 10 % below."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded
