"""Weights into networks: from a file that is checked, or drawn from a seed.

Nothing is downloaded: where a file is missing, the error says which one goes where.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from src import manifest
from src.data.errors import DataError
from src.data.stored import read_tensors
from src.models.activations import activations, evaluating, prepare
from src.models.networks import Network, NetworkRecord
from src.models.states import state_differences
from src.seeds import stream

TOLERANCE = 2e-3  # of a layer's standard deviation: other processors round otherwise
BATCH = 32
WRAPPERS = (
    "state_dict",
    "model",
    "teacher",
    "state",
)  # where the file of a training run has the weights
PREFIXES = ("module", "backbone", "encoder", "encoder_q")  # of the network's names within it


def load_network(record: NetworkRecord, path: str | Path | None = None) -> Network:
    """A network with the weights its record names, in evaluation mode, in float32.

    `path` is the file or a folder to look in first, before the installed package and torch hub's
    cache. Parts the record calls optional are drawn where the file does not have them.
    DataError if the file is missing or damaged, is another one, its tensors do not fit, or a fixed
    image gives other activations than recorded (`check_network`).
    """
    record = _available(record, path)
    file = find_weights(record, path)
    sha256 = manifest.file_sha256(file)
    if not sha256.startswith(record.sha256):
        raise DataError(
            f"{file} has sha256 {sha256[:16]}, but '{record.weights}' {record.sha256}: get the "
            f"original again ({record.source or 'the one that was given'})"
        )
    state = _read(file, record)
    with _drawing(record, 0):
        module = record.build()
    state = _backbone(file, state, module.state_dict(), alone=not record.optional)
    lacking = _complete(state, module.state_dict(), record.optional)
    _require_same(file, module.state_dict(), state)
    module.load_state_dict(state)
    without = f", without {', '.join(lacking)}" if lacking else ""
    network = Network(record, module.eval(), record.weights + without, sha256)
    if record.reference:
        check_network(network)
    manifest.note_input(file)
    return network


def _available(record: NetworkRecord, path: str | Path | None) -> NetworkRecord:
    """The record, or the one of another file with the same weights where only that is there."""
    for one in (record, record.instead):
        with suppress(DataError):
            if one and find_weights(one, path):
                return one
    return record.instead or record


def find_weights(record: NetworkRecord, path: str | Path | None = None) -> Path:
    """The weights file of a network; DataError that says where to put it if it is nowhere."""
    file, cache = record.file or f"{record.name}.pt", Path(torch.hub.get_dir()) / "checkpoints"
    places = [*_in_package(record), cache / file]
    if path:
        path = Path(path).expanduser()
        places = [path / file, *places] if path.is_dir() else [path]
    for place in places:
        if place.is_file():
            return place
    origin = f" ({record.source})" if record.source else ""
    raise DataError(
        f"network '{record.name}': no weights '{record.weights}' at {places[0]}: put "
        f"{places[0].name}{origin} there, or give its path"
    )


def _in_package(record: NetworkRecord) -> Iterator[Path]:
    spec = importlib.util.find_spec(record.package) if record.package else None
    for folder in (spec and spec.submodule_search_locations) or ():
        yield from Path(folder).rglob(record.file)


def _read(file: Path, record: NetworkRecord) -> dict[str, Tensor]:
    """The tensors of a file under our names, floats as float32; no code of the file is run.

    They may be the `state_dict` of a whole checkpoint, and of a module wrapped to be trained on
    several devices, whose names begin with `module.` (defect C12).
    """
    state = _inner(read_tensors(file, "get it again, or save the state dict alone"))
    if not isinstance(state, Mapping) or not all(map(torch.is_tensor, state.values())):
        raise DataError(f"{file} holds no plain state dict: save module.state_dict()")
    named = {}
    for name, value in state.items():
        for pattern, ours in record.rename:
            name = re.sub(pattern, ours, name)
        named[name] = value.float() if value.is_floating_point() else value
    return named


def _inner(content: Any) -> Any:
    """The weights within what the file of a training run holds."""
    for name in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            return _inner(content[name])
    return content


def _backbone(
    file: Path, state: Mapping[str, Tensor], ours: Mapping[str, Tensor], alone: bool
) -> dict[str, Tensor]:
    """The part of a training run's state that is the network, without its prefix.

    Unless it is `alone`, there may be networks beside it that only the training needed.
    """
    shared = {p: sum(p + name in state for name in ours) for p in _prefixes(state)}
    best = sorted(p for p, n in shared.items() if n == max(shared.values()))
    if best[1:] and shared[best[0]]:
        raise DataError(f"{file} holds several networks, {', '.join(best)}: save one of them")
    kept = (k for k in state if alone or k.startswith(best[0]))
    return {k.removeprefix(best[0]): state[k] for k in kept}


def _prefixes(names: Iterable[str]) -> set[str]:
    """Nothing, and what names begin with as long as they are words of PREFIXES: module.encoder."""
    found = {""}
    for name in names:
        words = takewhile(PREFIXES.__contains__, name.split("."))
        found |= set(accumulate(f"{word}." for word in words))
    return found


def _complete(
    state: dict[str, Tensor], ours: Mapping[str, Tensor], optional: tuple[str, ...]
) -> list[str]:
    """Give `state` our tensors of optional parts it lacks or has in another form; -> their names.

    Optional parts we do not have are left out.
    """
    lacking = []
    for part in optional:
        wanted = {name: v for name, v in ours.items() if name.startswith(f"{part}.")}
        found = {name: v for name, v in state.items() if name.startswith(f"{part}.")}
        if {k: v.shape for k, v in wanted.items()} != {k: v.shape for k, v in found.items()}:
            lacking += [part] * bool(wanted)
            for name in found:
                del state[name]
            state.update(wanted)
    return lacking


def _require_same(file: Path, ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    if differences := state_differences(ours, theirs):
        more = f"; and {len(differences) - 8} more" if differences[8:] else ""
        raise DataError(f"{file} does not fit: {'; '.join(differences[:8])}{more}")


@contextmanager
def _drawing(record: NetworkRecord, seed: int) -> Iterator[None]:
    """PyTorch's initialization draws from a stream of its own; the global one stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(stream(seed, "network", record.name).get_state())
        yield


def random_network(record: NetworkRecord, seed: int) -> Network:
    """The same architecture with weights drawn from a seed, in evaluation mode.

    Batch norm has the statistics it starts with (mean 0, variance 1), which lets activations grow
    or vanish with depth; see `calibrated` (spec IT-11, D9).
    """
    with _drawing(record, seed):
        module = record.build()
    return Network(record, module.eval(), f"random, seed {seed}", batch_norm="running")


def calibrated(network: Network, images: np.ndarray) -> Network:
    """The network, its batch norm now with statistics of images: (n, [c,] h, h) uint8.

    They are averages over batches of what each norm is given. DataError without any norm.
    """
    module, record = network.module, network.record
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise DataError(f"network '{record.name}' has no batch norm to calibrate: take it as it is")
    momenta = [norm.momentum for norm in norms]
    with evaluating(module), torch.inference_mode():
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain average
            norm.train()
        for first in range(0, len(images), BATCH):
            module(prepare(images[first : first + BATCH], record))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return replace(network, batch_norm="calibrated")


def synthetic_image(size: int) -> np.ndarray:
    """A fixed image in color without any symmetry: () -> (1, 3, size, size) uint8."""
    y, x = np.mgrid[:size, :size] / size
    waves = [np.sin(k * (4 * x + 9 * y * y) + k) + np.cos(k * 7 * x * y) for k in (2, 3, 5)]
    blob = np.exp(-((x - 0.3) ** 2 + (y - 0.6) ** 2) / 0.02)
    planes = [127 + 30 * (i + 1) * (wave / 2 + blob - 0.3) for i, wave in enumerate(waves)]
    return np.clip(np.round(planes), 0, 255).astype(np.uint8)[None]


def layer_statistics(network: Network) -> tuple[tuple[str, float, float], ...]:
    """Mean and standard deviation of each layer for the synthetic image: `REFERENCES`' rows."""
    record = network.record
    device = next(network.module.parameters()).device
    x = prepare(synthetic_image(record.input_size), record).to(device)
    found = activations(network, x, record.layers)
    return tuple((name, v.mean().item(), v.std().item()) for name, v in found.items())


def check_network(network: Network) -> None:
    """Compare the layers for a fixed image with what the record holds; DataError at a difference.

    Finds another stride, channel order, range, padding or epsilon than the weights were made for.
    """
    record = network.record
    if not record.reference:
        raise DataError(f"network '{record.name}' ('{record.weights}') has no recorded activations")
    found = {name: (mean, std) for name, mean, std in layer_statistics(network)}
    for name, mean, std in record.reference:
        off = max(abs(found[name][0] - mean), abs(found[name][1] - std)) / std
        if not off < TOLERANCE:
            raise DataError(
                f"network '{record.name}', layer '{name}': mean and deviation for the fixed image "
                f"are {found[name][0]:.5g} and {found[name][1]:.5g}, recorded {mean:.5g} and "
                f"{std:.5g}: weights, architecture or preprocessing are not those of the record"
            )
