"""What a training result depends on, as plain values: the reason to reuse it, or to train again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, get_args, get_type_hints

import numpy as np
import torch
from torch import nn

from src import manifest
from src.config import DenseReadoutConfig, InputConfig, ModelConfig, TrainingConfig, as_plain
from src.data.session import Session
from src.data.splits import Split
from src.models.encoder import Encoder, SessionFacts

SOURCES = (
    *("config", "parts", "correlation", "seeds", "models", "training"),
    *("data/session", "data/batch", "data/box_files", "data/objects", "data/planes"),
    *("data/movies", "data/frame_statistics", "data/npy_rows"),
)

PARTS = ("core", "readout")  # of a configuration, each of one of several classes


def recorded_inputs(
    encoder: Encoder,
    sessions: Mapping[str, Session],
    splits: Mapping[str, Split],
    config: TrainingConfig,
    seed: int,
    teachers: Sequence[Path] = (),
) -> dict[str, Any]:
    """Everything a training result depends on; a result is reused only when all of it is equal."""
    return {
        "model": plain_model(encoder.config),
        "training": as_plain(config),
        "seed": seed,
        "teachers": [manifest.file_sha256(manifest.note_input(path)) for path in teachers],
        "initial": initial_weights(encoder),
        "source": manifest.source_sha256(*SOURCES),
        "order": list(sessions),
        "sessions": {
            key: {
                "cache": session.fingerprint,
                "split": splits[key].fingerprint,
                "units": manifest.fingerprint(np.asarray(session.unit_ids).tolist()),
                "n_trials": int(session.n_trials),
                "image_shape": tuple(map(int, session.image_shape)),
            }
            for key, session in sessions.items()
        },
    }


def initial_weights(network: nn.Module) -> str:
    """Tells initial weights apart, but not last bits, in which processors differ."""
    weights = network.named_parameters()
    means = {name: f"{p.detach().cpu().double().mean():.3e}" for name, p in weights}
    return manifest.fingerprint(means)


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between nested dictionaries, an entry each: `training.max_epochs: 20 -> 40`."""
    lines = []
    for key in [*old, *(k for k in new if k not in old)]:
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            lines += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            lines.append(f"{prefix}{key}: {a} -> {b}")
    return lines


def session_record(session: Session) -> dict[str, Any]:
    """What a checkpoint knows of a session: to rebuild its readout, and to recognize it."""
    facts = {name: _plain(getattr(session, name)) for name in SessionFacts.__dataclass_fields__}
    unit_ids = np.asarray(session.unit_ids).tolist()
    return {**facts, "unit_ids": unit_ids, "fingerprint": session.fingerprint}


def session_facts(record: Mapping[str, Any]) -> SessionFacts:
    """The facts a readout is rebuilt from."""
    return SessionFacts(*(record[name] for name in SessionFacts.__dataclass_fields__))


def _plain(fact: Any) -> Any:
    """A number, a flag, a shape or nothing as it is; an array as a tensor."""
    match fact:
        case None | bool() | int():
            return fact
        case tuple():
            return tuple(map(int, fact))
    return torch.as_tensor(np.array(fact))


def plain_model(config: ModelConfig) -> dict[str, Any]:
    """A model's configuration as plain values, with the classes of its core and its readout."""
    classes = {f"{part}_class": type(getattr(config, part)).__name__ for part in PARTS}
    return {**as_plain(config), **classes}


def model_config(plain: Mapping[str, Any]) -> ModelConfig:
    """The configuration `plain_model` wrote down."""
    rest, hints = dict(plain), get_type_hints(ModelConfig)
    for part in PARTS:
        known = {c.__name__: c for c in get_args(hints[part])}
        rest[part] = known[rest.pop(f"{part}_class")](**rest[part])
    if rest.get("objects"):
        rest["objects"] = DenseReadoutConfig(**rest["objects"])
    return ModelConfig(**(rest | {"inputs": InputConfig(**rest["inputs"])}))


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a result was computed with."""
    return {"python": python_version(), **{p: version(p) for p in manifest.PACKAGES}}
