"""CORnet-Z, -R, -RT and -S: recognition by four areas named after those of the ventral stream.

Kubilius et al. 2018 (bioRxiv 408385) for Z, R and RT; Kubilius, Schrimpf et al. 2019 (NeurIPS) for
S. Names of weights are those of the published files. Every area ends in `output`, which passes on
what it gets: it is called once a time step, and hooks see the area's state there. Other sizes than
224 pixels are taken as they come.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.models.layers import linear

AREAS, CHANNELS = ("V1", "V2", "V4", "IT"), (64, 128, 256, 512)
LETTERS = ("z", "r", "rt", "s")
CLASSES = 1000
TIMES = 5  # steps of R and RT as published
STEPS_OF_S = (1, 2, 4, 2)  # of each area
Unroll = Literal["serial", "legacy", "biological"]


class CORnet(nn.Module):
    """Images to logits, through areas at each time step: (n, 3, h, w) -> (n, classes).

    `serial`: one area after the other, each with its own steps (Z, S). `legacy` (R): at a step, an
    area reads what the one before it has just made. `biological` (RT): it reads what that one made
    a step ago, so that the image climbs one area a step. The decoder reads the last state of IT.
    """

    def __init__(
        self, areas: Sequence[nn.Module], decoder: nn.Module, unroll: Unroll, times: int = 1
    ) -> None:
        super().__init__()
        if times < 1:
            raise ValueError(f"a network of {times} time steps says nothing: give 1 or more")
        self.unroll, self.times = unroll, times
        self.V1, self.V2, self.V4, self.IT = areas
        self.decoder = decoder

    def forward(self, images: Tensor) -> Tensor:
        if self.unroll == "serial":
            return self.decoder(self.IT(self.V4(self.V2(self.V1(images)))))
        return self.decoder(self._recurrent(images))

    def states(self, images: Tensor) -> dict[str, Tensor]:
        """What each area puts out at each of its steps: (n, 3, h, w) -> (t, n, c, h', w') each."""
        found = defaultdict(list)

        def keep(area: str, _module: nn.Module, _inputs: tuple, output: Tensor) -> None:
            found[area].append(output)

        outputs = {area: getattr(self, area).output for area in AREAS}
        hooks = [m.register_forward_hook(partial(keep, area)) for area, m in outputs.items()]
        try:
            self(images)
        finally:
            for hook in hooks:
                hook.remove()
        return {area: torch.stack(steps) for area, steps in found.items()}

    def _recurrent(self, images: Tensor) -> Tensor:
        """Last state of IT; V1 sees the image at each step, the others nothing in the first."""
        seen, later = self.V1.drive(images), (self.V2, self.V4, self.IT)
        states = [self.V1(seen)]
        for area in later:
            states.append(area.silent(states[-1]))
        for _ in range(1, self.times):
            new = [self.V1(seen, states[0])]
            for i, area in enumerate(later):
                below = (new if self.unroll == "legacy" else states)[i]
                new.append(area(area.drive(below), states[i + 1]))
            states = new
        return states[-1]


class PlainArea(nn.Module):
    """Area of Z: convolution, ReLU, maximum of 3 x 3: (n, c, h, w) -> (n, f, h', w')."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = _convolution(inputs, outputs, kernel, stride, bias=True)
        self.output = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.output(_pooled(F.relu(self.conv(x))))


class RecurrentArea(nn.Module):
    """Area of R and RT: what drives it, added to its state and convolved, is its next state."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_input = _convolution(inputs, outputs, kernel, stride, bias=True)
        self.norm_input = nn.GroupNorm(32, outputs)
        self.conv1 = _convolution(outputs, outputs, 3)
        self.norm1 = nn.GroupNorm(32, outputs)
        self.output = nn.Identity()

    def drive(self, x: Tensor) -> Tensor:
        """What the area is told from below: (n, c, h, w) -> (n, f, h', w')."""
        return F.relu(self.norm_input(self.conv_input(x)))

    def forward(self, drive: Tensor, state: Tensor | None = None) -> Tensor:
        x = drive if state is None else drive + state
        return self.output(F.relu(self.norm1(self.conv1(x))))

    def silent(self, below: Tensor) -> Tensor:
        """State as long as nothing came from below, a value a channel: (n, c, h, w) -> (n, f, ...).

        Zeros stay zeros in a convolution without bias, and normalized become the norm's bias.
        """
        n, _, *size = below.shape
        size = [-(-side // self.conv_input.stride[0]) for side in size]
        return self.output(F.relu(self.norm1.bias)[:, None, None].expand(n, -1, *size))


class FirstArea(nn.Module):
    """V1 of S: two convolutions, a maximum of 3 x 3 between: (n, 3, h, w) -> (n, 64, h/4, w/4)."""

    def __init__(self) -> None:
        super().__init__()
        width = CHANNELS[0]
        self.conv1 = _convolution(3, width, 7, stride=2)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3)
        self.norm2 = nn.BatchNorm2d(width)
        self.output = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = _pooled(F.relu(self.norm1(self.conv1(x))))
        return self.output(F.relu(self.norm2(self.conv2(x))))


class BottleneckArea(nn.Module):
    """Later area of S, a bottleneck applied `times` times: (n, c, h, w) -> (n, f, h/2, w/2).

    Convolutions are the same at each step, batch norms are each step's own. The first step halves
    the map, which is told to the convolution and nowhere stored.
    """

    def __init__(self, inputs: int, outputs: int, times: int, expansion: int = 4) -> None:
        super().__init__()
        wide, self.times = outputs * expansion, times
        self.conv_input = _convolution(inputs, outputs, 1)
        self.skip = _convolution(outputs, outputs, 1, stride=2)
        self.norm_skip = nn.BatchNorm2d(outputs)
        self.conv1 = _convolution(outputs, wide, 1)
        self.conv2 = _convolution(wide, wide, 3)
        self.conv3 = _convolution(wide, outputs, 1)
        for t in range(times):
            for i, channels in enumerate((wide, wide, outputs), start=1):
                self.add_module(f"norm{i}_{t}", nn.BatchNorm2d(channels))
        self.output = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_input(x)
        for t in range(self.times):
            norm1, norm2, norm3 = (getattr(self, f"norm{i}_{t}") for i in (1, 2, 3))
            shortcut = x if t else self.norm_skip(self.skip(x))
            h = F.relu(norm1(self.conv1(x)))
            h = F.conv2d(h, self.conv2.weight, stride=1 if t else 2, padding=1)
            h = norm3(self.conv3(F.relu(norm2(h))))
            x = self.output(F.relu(h + shortcut))
        return x


def cornet(
    letter: str, generator: torch.Generator, times: int | None = None, classes: int = CLASSES
) -> CORnet:
    """CORnet-Z, -R, -RT or -S with weights to start training from; `times`: of R and RT (5)."""
    if letter not in LETTERS:
        raise ValueError(f"CORnet comes as {', '.join(LETTERS)}, not as {letter!r}")
    inputs, kernels = (3, *CHANNELS[:-1]), (7, 3, 3, 3)
    sizes = list(zip(inputs, CHANNELS, kernels, strict=True))
    unroll: Unroll = {"r": "legacy", "rt": "biological"}.get(letter, "serial")
    if letter == "s":
        later = list(zip(inputs, CHANNELS, STEPS_OF_S, strict=True))[1:]
        areas, start = [FirstArea(), *(BottleneckArea(*how) for how in later)], _normal
    elif letter == "z":
        areas = [PlainArea(*size, 1 if i else 2) for i, size in enumerate(sizes)]
        start = _xavier
    else:
        areas = [RecurrentArea(*size, 2 if i else 4) for i, size in enumerate(sizes)]
        start = _uniform
    if times is not None and unroll == "serial":
        raise ValueError(f"CORnet-{letter.upper()} has steps of its own: give it no `times`")
    hooked = {"output": nn.Identity()} if unroll == "serial" else {}
    steps = 1 if unroll == "serial" else TIMES if times is None else times
    made = CORnet(areas, _decoder(generator, classes, **hooked), unroll, steps)
    for module in made.modules():
        if isinstance(module, nn.Conv2d) or (module is made.decoder.linear and letter == "z"):
            start(module, generator)
    return made


def _decoder(generator: torch.Generator, classes: int, **output: nn.Module) -> nn.Sequential:
    """Mean over places, and one number a class: (n, 512, h, w) -> (n, classes)."""
    parts = {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    parts["linear"] = linear(CHANNELS[-1], classes, generator)
    return nn.Sequential(OrderedDict(parts | output))


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    """(n, c, h, w) -> (n, f, h / stride, w / stride), with weights that are not yet set."""
    how = {"stride": stride, "padding": kernel // 2, "bias": bias}
    return nn.utils.skip_init(nn.Conv2d, inputs, outputs, kernel, **how)


def _pooled(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=2, padding=1)


def _xavier(module: nn.Module, generator: torch.Generator) -> None:
    nn.init.xavier_uniform_(module.weight, generator=generator)
    nn.init.zeros_(module.bias)


def _uniform(module: nn.Module, generator: torch.Generator) -> None:
    """U(-b, b) with b = fan_in^-0.5, PyTorch's start of convolutions."""
    limit = module.weight[0].numel() ** -0.5
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -limit, limit, generator=generator)


def _normal(module: nn.Module, generator: torch.Generator) -> None:
    """N(0, sqrt(2 / (k k C_out)))."""
    how = {"mode": "fan_out", "nonlinearity": "relu"}
    nn.init.kaiming_normal_(module.weight, generator=generator, **how)
