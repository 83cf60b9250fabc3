"""Checkpoint files: written whole or not at all, read safely, and the way back to an encoder."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch

from src import manifest
from src.config import ModelConfig
from src.data.errors import DataError
from src.data.session import Session
from src.data.stored import read_tensors
from src.models.encoder import Encoder
from src.training.provenance import (
    differences,
    model_config,
    plain_model,
    session_facts,
    session_record,
)

REMEDY = "delete it and train again"
PER_SESSION = ("readouts", "shifters", "modulators", "offsets")  # of an encoder


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or was trained on something else."""


def write(path: Path, content: Mapping[str, Any], note: bool = True) -> Path:
    """Write tensors and plain values atomically; equal content gives equal bytes."""
    with manifest.replacing(path, note) as temporary, open(temporary, "wb") as stream:
        torch.save(_standalone(content), stream)
    return path


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; nothing in the file is executed."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}: run 02_train")
    if not is_zipfile(path):
        raise CheckpointError(f"{path} is cut off or no checkpoint: {REMEDY}")
    try:
        return read_tensors(path, REMEDY)
    except DataError as error:
        raise CheckpointError(str(error)) from None


def current_content(path: Path, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """The checkpoint, if there is one and all its recorded inputs are these; else says why not."""
    if not path.is_file():
        return None
    content = read(path)
    if changed := differences(content["inputs"], inputs):
        print(f"{path} was made from other inputs, training from the start: {'; '.join(changed)}")
        return None
    return content


def _standalone(value: Any) -> Any:
    """The same content with plain types, each tensor on its own and each string stored once."""
    match value:
        case torch.Tensor():
            return value.detach().cpu().clone()
        case Mapping():
            return {_standalone(k): _standalone(v) for k, v in value.items()}
        case list() | tuple():
            return type(value)(_standalone(v) for v in value)
        case str():
            return sys.intern(value)
        case float():
            return float(value)
        case None | bool() | int():
            return value
    raise TypeError(f"a checkpoint holds tensors and plain values, not {type(value).__name__}")


def load_encoder(
    path: Path,
    sessions: Mapping[str, Session] | None = None,
    only: bool = False,
    model: ModelConfig | None = None,
) -> Encoder:
    """The trained encoder of a `weights.pt`, in evaluation mode on the CPU.

    With `sessions`: CheckpointError unless it was trained on each of them (same unit ids, image
    shape and cache). `only`: the encoder has no other sessions, and says which it leaves out.
    With `model`: CheckpointError naming what differs, where it holds another.
    """
    content = read(Path(path))
    if model and (other := differences(content["inputs"]["model"], plain_model(model))):
        raise CheckpointError(
            f"{path} holds another model than asked for ({'; '.join(other)}): re-run 02_train"
        )
    records, inputs, state = content["sessions"], content["inputs"], content["state"]
    for key, session in (sessions or {}).items():
        _require_same(path, records, key, session_record(session))
    if only and (left := [key for key in records if key not in sessions]):
        print(f"{path} leaves out {', '.join(left)}")
        records = {key: records[key] for key in sessions}
        state = {k: v for k, v in state.items() if not _belongs(k, left)}
    facts = {key: session_facts(record) for key, record in records.items()}
    encoder = Encoder(model_config(inputs["model"]), facts, inputs["seed"])
    encoder.load_state_dict(state)
    return encoder.eval()


def load_core(path: Path, encoder: Encoder) -> Encoder:
    """The encoder, its core with the weights of a `weights.pt`: the start for a new session.

    Train it with core_rate 0 to fit the session's readout alone. An error where cores differ.
    """
    content = read(Path(path))
    theirs = model_config(content["inputs"]["model"])
    if (theirs.core, theirs.inputs) != (encoder.config.core, encoder.config.inputs):
        raise CheckpointError(
            f"{path} has {theirs.core} of {theirs.inputs}, the encoder {encoder.config.core} of "
            f"{encoder.config.inputs}: give both the same core and inputs"
        )
    core = {k.removeprefix("core."): v for k, v in content["state"].items()}
    encoder.core.load_state_dict({k: core[k] for k in encoder.core.state_dict()})
    return encoder


def _belongs(name: str, sessions: list[str]) -> bool:
    """Whether a weight is of one of the sessions: of its readout, shifter or modulators."""
    part, key, *_ = f"{name}.".split(".")
    return part in PER_SESSION and key in sessions


def _require_same(path: Path, records: Mapping[str, Any], key: str, found: Mapping) -> None:
    if key not in records:
        raise CheckpointError(f"{path} knows no session {key!r}, only {', '.join(records)}")
    for name, remedy in (
        ("image_shape", "open the session with the InputConfig in the checkpoint"),
        ("unit_ids", "open the session with the units it was trained on"),
        ("fingerprint", "the recording was packed from other files since, re-run 02_train"),
    ):
        if found[name] != records[key][name]:
            raise CheckpointError(
                f"session {key!r} has {name} {_short(found[name])} but {path} was trained on "
                f"{_short(records[key][name])}: {remedy}"
            )


def _short(value: Any) -> str:
    """A value in few characters: of a long list its ends and its length."""
    if isinstance(value, list) and len(value) > 6:
        return f"[{', '.join(map(str, value[:3]))}, ..., {value[-1]}] ({len(value)} units)"
    return str(value)
