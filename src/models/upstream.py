"""Checkpoints of the published implementations: strict reading, and writing under their names.

All there is to it is a table of names (key lists: spec 13) and the axes of two tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from src.config import BaselineCoreConfig, InputConfig, ModelConfig, WideCoreConfig
from src.data.stored import read_tensors
from src.models.encoder import BEHAVIORS, BOX, Encoder, SessionFacts
from src.models.states import state_differences

FIRST, STEM = "core.features.layer0.conv.weight", "core.features.layer-1.scale.weight"
LAPLACE = "core._input_weights_regularizer.laplace.filter"  # a constant, stored as a buffer
LAPLACIAN = ((0.0, -1.0, 0.0), (-1.0, 4.0, -1.0), (0.0, -1.0, 0.0))
NAMES = (  # ours, theirs; layers are numbered separately
    (r"^core\.layers\.", "core.features.layer"),
    (r"\.conv\.(\w+_conv)\.", r".ds_conv.\1."),
    (r"^readouts\.([^.]+)\.spread$", r"readout.\1.sigma"),
    (r"^readouts\.([^.]+)\.features$", r"readout.\1._features"),
    (r"^readouts\.([^.]+)\.source$", r"readout.\1.source_grid"),
    (r"^readouts\.([^.]+)\.bias$", r"readout.\1.bias"),
    (r"^readouts\.([^.]+)\.mu_network\.", r"readout.\1.mu_transform."),
    (r"^shifters\.", "shifter."),
)


def upstream_name(name: str, wide: bool) -> str:
    """The published name of one of our parameters; the wide core's layers start at -1."""
    theirs = name
    for pattern, replacement in NAMES:
        theirs = re.sub(pattern, replacement, theirs)
    if theirs == name:
        raise ValueError(f"the published implementations have no parameter like {name!r}")
    if wide:
        theirs = re.sub(r"(?<=layer)\d+", lambda m: str(int(m[0]) - 1), theirs)
    return STEM if theirs == STEM.replace("scale", "conv") else theirs


def load_upstream(
    source: str | Path | Mapping[str, Tensor],
    device: torch.device | str = "cpu",
    linear: bool | None = None,
    image_shape: tuple[int, int, int] | None = None,
) -> Encoder:
    """An encoder in evaluation mode from a published state dict or its file.

    Sizes, layers, sessions, behavior and shifter are read from the tensors. They do not tell what
    else counts: `linear` (core without ELU) defaults to the published custom, three layers are
    linear and four are not; `image_shape` to (1, 36, 64) or, wide, (1, 144, 256).
    ValueError with the difference of keys or shapes where they do not match exactly.
    """
    if not isinstance(source, Mapping):
        source = read_tensors(Path(source))
    config = _config(source, linear)
    wide = isinstance(config.core, WideCoreConfig)
    image_shape = image_shape or ((1, 144, 256) if wide else (1, 36, 64))
    encoder = Encoder(config, _sessions(source, image_shape), seed=0)
    _compare(export_upstream(encoder), source)
    names = {name: upstream_name(name, wide) for name in encoder.state_dict()}
    encoder.load_state_dict({ours: _ours(theirs, source[theirs]) for ours, theirs in names.items()})
    return encoder.to(device).eval()


def export_upstream(encoder: Encoder) -> dict[str, Tensor]:
    """State dict under the published names and shapes; ValueError for parameters they lack."""
    wide = isinstance(encoder.config.core, WideCoreConfig)
    state = {upstream_name(k, wide): v.detach().cpu() for k, v in encoder.state_dict().items()}
    return {
        LAPLACE: torch.tensor([[LAPLACIAN]]),
        **{name: _theirs(name, value) for name, value in state.items()},
    }


def _theirs(name: str, value: Tensor) -> Tensor:
    if name.endswith("._features"):
        return value.T[None, :, None]  # (u, f) -> (1, f, 1, u)
    return value[None] if name.endswith(".sigma") else value  # (u, 2, 2) -> (1, u, 2, 2)


def _ours(name: str, value: Tensor) -> Tensor:
    if name.endswith("._features"):
        return value[0, :, 0].T
    return value[0] if name.endswith(".sigma") else value


def _config(state: Mapping[str, Tensor], linear: bool | None) -> ModelConfig:
    if not {FIRST, STEM} & state.keys():
        raise ValueError(f"not the state of a known published model: missing {FIRST}")
    first = state[STEM if STEM in state else FIRST]
    planes = first.shape[1]
    if planes not in (allowed := (1 + 1 + BOX,) if STEM in state else (1, 1 + BEHAVIORS)):
        raise ValueError(f"first layer has {planes} input planes, expected one of {allowed}")
    shifter = any(name.startswith("shifter.") for name in state)
    norms = [n for n in state if re.fullmatch(r"core\.features\.layer-?\d+\.norm\.bias", n)]
    if STEM in state:
        core = WideCoreConfig(channels=tuple(len(state[name]) for name in norms))
        inputs = InputConfig(scale="full", boxes="file", centered=True, pupil=shifter)
    else:
        linear = len(norms) == 3 if linear is None else linear
        core = BaselineCoreConfig(layers=len(norms), channels=first.shape[0], linear=linear)
        inputs = InputConfig(behavior=planes > 1, pupil=shifter)
    return ModelConfig("upstream", core, inputs, shifter=shifter)


def _sessions(
    state: Mapping[str, Tensor], image_shape: tuple[int, int, int]
) -> dict[str, SessionFacts]:
    grids = {k.split(".")[1]: v for k, v in state.items() if k.endswith(".source_grid")}
    return {k: SessionFacts(len(grid), image_shape, grid.numpy()) for k, grid in grids.items()}


def _compare(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    """Same keys, same shapes, same Laplacian, or a ValueError that lists what differs."""
    differences = state_differences(ours, theirs)
    if not differences and not torch.equal(theirs[LAPLACE].float(), ours[LAPLACE]):
        differences.append(f"{LAPLACE} is not the 3x3 Laplacian")
    if differences:
        raise ValueError("not the state of a known published model: " + "; ".join(differences))
