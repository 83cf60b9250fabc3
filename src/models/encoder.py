"""Encoder: one core for all sessions; a readout, a shifter and a gain modulator for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn

from src.config import (
    BaselineCoreConfig,
    ConvCoreConfig,
    DenseReadoutConfig,
    FactorizedCoreConfig,
    GaussianReadoutConfig,
    GNetCoreConfig,
    HierarchicalReadoutConfig,
    ModelConfig,
    NetworkCoreConfig,
    PoolingReadoutConfig,
    SeparableVideoCoreConfig,
    TrunkMapsConfig,
    VideoCoreConfig,
    ViTCoreConfig,
    WideCoreConfig,
)
from src.data.batch import Batch
from src.data.objects import CLASSES
from src.models.cores import BaselineCore, ConvCore, Core, WideCore
from src.models.dense_readout import DenseReadout
from src.models.gnet import GNetCore, TrunkMaps
from src.models.hierarchical_readout import HierarchicalReadout
from src.models.modulators import Modulator
from src.models.network_core import NetworkCore
from src.models.pooling_readout import PoolingReadout
from src.models.readouts import GaussianReadout, Readout
from src.models.shifters import Shifter
from src.models.video_convolutions import FactorizedCore, SeparableVideoCore
from src.models.video_core import VideoCore
from src.models.vit import ViTCore
from src.seeds import stream

BEHAVIORS = 3  # of an image: pupil size, its derivative, running speed
FRAME_BEHAVIORS = 2  # of a frame of a film: pupil size, running speed
PUPIL = 2  # its center, horizontal and vertical
BOX = 4  # x, y, w, h


@dataclass(frozen=True)
class SessionFacts:
    """What an encoder must know of a session; a `Session` has the same attributes."""

    n_units: int
    image_shape: tuple[int, ...]  # (c, h, w) as the model receives it, of a clip (c, t, h, w)
    coordinates: ArrayLike | None = None  # (u, 3) um
    mean_response: ArrayLike | None = None  # (u,) over training trials, normalized units
    behavior_missing: bool = False
    pupil_missing: bool = False

    @classmethod
    def of(cls, session: Any) -> SessionFacts:
        """The facts of anything with these attributes, such as a Session."""
        return cls(*(getattr(session, name) for name in cls.__dataclass_fields__))


class Encoder(nn.Module):
    """Responses to images and side information: ELU(gain * readout(core, shift) + offset) + 1.

    With output "identity" what ELU + 1 is applied to is itself the response, of either sign.
    Side scalars enter the core in this order: x, y, w, h of the box and, by option, whether there
    is one, then pupil size, its derivative, running speed, then the pupil's position. Sessions
    without behavior share one learned vector in its place, those without pupil another; their
    shift is 0.
    """

    def __init__(self, config: ModelConfig, sessions: Mapping[str, Any], seed: int) -> None:
        super().__init__()
        _check(config, sessions)
        self.config = config
        self.sessions = {key: SessionFacts.of(session) for key, session in sessions.items()}
        image_shape = next(iter(self.sessions.values())).image_shape
        self.core = make_core(config, image_shape, seed)
        self.readouts, self.shifters = nn.ModuleDict(), nn.ModuleDict()
        self.modulators, self.offsets = nn.ModuleDict(), nn.ModuleDict()
        for key, facts in self.sessions.items():
            self._add(key, facts, seed)
        if config.objects:
            naming = replace(config, readout=config.objects)
            classes = SessionFacts(len(CLASSES), image_shape)
            generator = stream(seed, "init", "objects")
            self.names = make_readout(naming, self.core, classes, generator)
        if config.output == "softplus":
            self.log_steepness = nn.Parameter(torch.zeros(()))
        if config.inputs.behavior and any(s.behavior_missing for s in self.sessions.values()):
            self.missing_behavior = nn.Parameter(torch.zeros(behaviors(image_shape)))
        if config.pupil_in_core and any(s.pupil_missing for s in self.sessions.values()):
            self.missing_pupil = nn.Parameter(torch.zeros(PUPIL))

    def _add(self, key: str, facts: SessionFacts, seed: int) -> None:
        generator = stream(seed, "init", "readout", key)
        self.readouts[key] = make_readout(self.config, self.core, facts, generator)
        if self.config.shifter and not facts.pupil_missing:
            options = self.config.still, self.config.shifter_hidden
            self.shifters[key] = Shifter(stream(seed, "init", "shifter", key), *options)
        inputs = behaviors(facts.image_shape)
        if self.config.modulator != "none":
            generator = stream(seed, "init", "modulator", key)
            self.modulators[key] = Modulator(facts.n_units, generator, "gain", inputs)
        if self.config.modulator == "affine":
            generator = stream(seed, "init", "offset", key)
            self.offsets[key] = Modulator(facts.n_units, generator, "offset", inputs)

    def forward(
        self,
        batch: Batch,
        session: str,
        generator: torch.Generator | None = None,
        units: Tensor | None = None,
    ) -> Tensor:
        """Predicted responses in normalized units, positive with ELU + 1: Batch of n -> (n, u)."""
        return self.output(self.linear(batch, session, generator, units))

    def output(self, y: Tensor) -> Tensor:
        """The output nonlinearity: any -> the same."""
        match self.config.output:
            case "elu1":
                return F.elu(y) + 1
            case "softplus":
                steepness = self.log_steepness.exp()
                return F.softplus(steepness * y) / steepness
        return y

    def respond_and_name(
        self, batch: Batch, session: str, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Responses (n, u), and a number a class of objects, (n, 22), None without such a readout.

        Both from one pass through the core.
        """
        x = self.features(batch, session, generator)
        named = self.names(x, generator=generator) if self.config.objects else None
        return self.output(self.read(x, batch, session, generator)), named

    def linear(
        self,
        batch: Batch,
        session: str,
        generator: torch.Generator | None = None,
        units: Tensor | None = None,
    ) -> Tensor:
        """The same before the output nonlinearity: Batch of n -> y (n, u)."""
        return self.read(self.features(batch, session, generator), batch, session, generator, units)

    def features(
        self, batch: Batch, session: str, generator: torch.Generator | None
    ) -> Tensor | tuple[Tensor, ...]:
        """What the core makes of a batch: -> (n, f, [t',] h', w'), of some cores several maps."""
        self._check_images(batch, session)
        return self.core(batch.images, self.side(batch, session), generator)

    def read(
        self,
        x: Tensor | tuple[Tensor, ...],
        batch: Batch,
        session: str,
        generator: torch.Generator | None = None,
        units: Tensor | None = None,
    ) -> Tensor:
        """What the units of a session make of it, before the output nonlinearity: -> y (n, u).

        The maps of a clip are of its last frames: -> (n, t', u).
        """
        shift = self.shift(batch, session)
        if shift is not None and shift.dim() == 3:
            shift = shift[:, -x.shape[2] :]
        y = self.readouts[session](x, shift, generator, units)
        for part, combine in ((self.modulators, torch.mul), (self.offsets, torch.add)):
            if session in part:
                behavior = self._behavior(batch, session)
                behavior = behavior if y.dim() == 2 else behavior[:, -y.shape[1] :]
                y = combine(y, part[session](behavior, units))
        return y

    def answered(self, session: str) -> int | None:
        """How many of a clip's last frames are predicted; None of images."""
        size = self.sessions[session].image_shape[1:]
        return self.core.output_shape(*size)[0] if len(size) == 3 else None

    def shift(self, batch: Batch, session: str) -> Tensor | None:
        """Shift of the readout positions by the pupil: (n, [t,] 2), None where it is 0."""
        if session not in self.shifters:
            return None
        return self.shifters[session](_given(batch.pupil, "pupil", session))

    def penalty(self, session: str) -> Tensor:
        """Regularization of one batch of `session`: core, its readout and modulators, scalar."""
        total = self.core.penalty() + self.readouts[session].penalty()
        if weight := self.config.modulator_penalty:
            parts = (part[session] for part in (self.modulators, self.offsets) if session in part)
            total = total + weight * sum(part.weight.square().sum() for part in parts)
        return total

    def side(self, batch: Batch, session: str) -> Tensor | None:
        """Scalars that enter the core beside the images: (n, [t,] s), None if there are none."""
        inputs, side = self.config.inputs, []
        if inputs.boxes != "none":
            side.append(_given(batch.boxes, "boxes", session))
        if inputs.behavior and self.config.behavior_in_core:
            side.append(self._behavior(batch, session))
        if self.config.pupil_in_core:
            side.append(self._pupil(batch, session))
        return torch.cat(side, -1) if side else None

    def _behavior(self, batch: Batch, session: str) -> Tensor:
        if self.sessions[session].behavior_missing:
            return self.missing_behavior.expand(*_rows(batch), -1)
        return _given(batch.behavior, "behavior", session)

    def _pupil(self, batch: Batch, session: str) -> Tensor:
        if self.sessions[session].pupil_missing:
            return self.missing_pupil.expand(*_rows(batch), -1)
        return _given(batch.pupil, "pupil", session)

    def _check_images(self, batch: Batch, session: str) -> None:
        if session not in self.sessions:
            known = ", ".join(self.sessions)
            raise KeyError(f"the encoder has no session {session!r}, only {known}")
        found, expected = tuple(batch.images.shape[1:]), self.sessions[session].image_shape
        if found != tuple(expected):
            raise ValueError(
                f"session {session!r}: images are {found}, the encoder was built for {expected}: "
                "prepare them with the InputConfig stored in its checkpoint"
            )


def make_core(config: ModelConfig, image_shape: tuple[int, ...], seed: int) -> Core:
    """The core a configuration names, for images of (c, h, w) or clips of (c, t, h, w)."""
    generator = stream(seed, "init", "core")
    side, centered = side_scalars(config, image_shape), config.inputs.centered
    match config.core:
        case BaselineCoreConfig() as core:
            return BaselineCore(core, image_shape[0], side, centered, generator)
        case WideCoreConfig() as core:
            return WideCore(core, image_shape[0], side, centered, generator)
        case ViTCoreConfig() as core:
            return ViTCore(core, image_shape, side, generator)
        case ConvCoreConfig() as core:
            return ConvCore(core, image_shape[0], generator)
        case NetworkCoreConfig() as core:
            return NetworkCore(core, image_shape, seed)
        case GNetCoreConfig() as core:
            return GNetCore(core, image_shape, generator)
        case TrunkMapsConfig() as core:
            return TrunkMaps(core)
        case VideoCoreConfig() as core:
            return VideoCore(core, image_shape, side, generator)
        case FactorizedCoreConfig() as core:
            return FactorizedCore(core, image_shape, side, generator)
        case SeparableVideoCoreConfig() as core:
            return SeparableVideoCore(core, image_shape, side, generator)


def make_readout(
    config: ModelConfig, core: Core, facts: SessionFacts, generator: torch.Generator
) -> Readout:
    """The readout a configuration names, for one session's units and the maps of its images."""
    size = core.output_shape(*facts.image_shape[1:])  # raises for images that are too small
    match config.readout:
        case HierarchicalReadoutConfig() as readout:
            known = facts.n_units, facts.coordinates, facts.mean_response
            return HierarchicalReadout(readout, core.channels, *known, generator)
        case GaussianReadoutConfig() as readout:
            known = facts.n_units, facts.coordinates, facts.mean_response
            return GaussianReadout(readout, core.channels, *known, generator)
        case DenseReadoutConfig() as readout:
            return DenseReadout(readout, (core.channels, *size), facts.n_units, generator)
        case PoolingReadoutConfig() as readout:
            shapes = core.map_shapes(*facts.image_shape[1:])
            return PoolingReadout(readout, shapes, facts.n_units, generator)


def behaviors(image_shape: tuple[int, ...]) -> int:
    """How many behaviors there are of an image of (c, h, w), or a frame of a clip."""
    return BEHAVIORS if len(image_shape) == 3 else FRAME_BEHAVIORS


def side_scalars(config: ModelConfig, image_shape: tuple[int, ...] = (1, 36, 64)) -> int:
    """How many scalars an image or frame brings to the core: box, behavior, pupil."""
    boxes = {"none": 0, "flag": BOX + 1}.get(config.inputs.boxes, BOX)
    behavior = config.inputs.behavior and config.behavior_in_core
    return boxes + behaviors(image_shape) * behavior + PUPIL * config.pupil_in_core


def _check(config: ModelConfig, sessions: Mapping[str, Any]) -> None:
    inputs = config.inputs
    if not sessions:
        raise ValueError(f"model {config.name!r} has no sessions")
    if config.shifter != inputs.pupil:
        raise ValueError(f"model {config.name!r}: shifter and inputs.pupil go together, set both")
    if config.modulator != "none" and not inputs.behavior:
        raise ValueError(f"model {config.name!r}: the modulator needs inputs.behavior")
    if config.modulator_penalty and config.modulator == "none":
        raise ValueError(f"model {config.name!r}: modulator_penalty is for models with a modulator")
    if inputs.behavior and not (config.modulator != "none" or config.behavior_in_core):
        raise ValueError(f"model {config.name!r}: nothing uses inputs.behavior, switch it off")
    if config.pupil_in_core and not inputs.pupil:
        raise ValueError(f"model {config.name!r}: pupil_in_core needs inputs.pupil")
    if inputs.centered and isinstance(config.core, ViTCoreConfig):
        raise ValueError(f"model {config.name!r}: a ViT core has no use for inputs.centered")
    several = isinstance(config.core, GNetCoreConfig | TrunkMapsConfig)
    plain = several or isinstance(config.core, ConvCoreConfig | NetworkCoreConfig)
    if plain and (inputs.centered or side_scalars(config)):
        raise ValueError(f"model {config.name!r}: a plain core sees images, nothing beside them")
    stored = getattr(config.core, "prefilter", "") == "stored"
    whole = isinstance(config.core, NetworkCoreConfig | GNetCoreConfig) and not stored
    if whole != inputs.raw:
        raise ValueError(f"model {config.name!r}: a network's core needs inputs.raw, others cannot")
    if stored and not inputs.maps:
        raise ValueError(f"model {config.name!r}: prefilter='stored' needs inputs.maps")
    if several and not isinstance(config.readout, PoolingReadoutConfig):
        raise ValueError(f"model {config.name!r}: a core of several maps needs a pooling readout")
    if bool(config.objects) != inputs.objects:
        raise ValueError(f"model {config.name!r}: objects and inputs.objects go together, set both")
    if isinstance(config.readout, DenseReadoutConfig | PoolingReadoutConfig) and config.shifter:
        raise ValueError(f"model {config.name!r}: its dense readout has no positions to shift")
    if config.output != "elu1" and getattr(config.readout, "bias_init", "") == "inverse_elu":
        raise ValueError(f"model {config.name!r}: bias_init='inverse_elu' is for output='elu1'")
    shapes = {key: tuple(s.image_shape) for key, s in sessions.items()}
    if len({(len(shape), shape[0]) for shape in shapes.values()}) > 1:
        raise ValueError(f"sessions share one core and need images of equal channels: {shapes}")


def _rows(batch: Batch) -> tuple[int, ...]:
    """(n,), or (n, t) of clips: what a scalar of an image or frame is given for."""
    return (len(batch), *batch.images.shape[2:-2])


def _given(value: Tensor | None, name: str, session: str) -> Tensor:
    if value is None:
        raise ValueError(f"session {session!r}: the batch has no {name}, and the model needs it")
    return value
