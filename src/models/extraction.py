"""Features of images from any network: one pass for all layers, never shuffled, never all at once.

Each layer is reduced as soon as it is computed, so that memory holds one batch whatever the number
of images or layers (spec 12: six layers of ResNet-50 for 2592 images are 24 GB).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from sklearn.random_projection import SparseRandomProjection
from torch import Tensor, nn

from src import locks, manifest
from src.data.errors import DataError
from src.data.hashes import Images, image_sha256
from src.data.progress import counting
from src.models.activations import activations, prepare
from src.models.feature_files import FeatureBuild, is_current
from src.models.networks import Layer, Network
from src.seeds import numpy_stream

SCHEMA = 1  # raise when the layout changes
CODE = (  # what features depend on, beside weights
    *("models/activations", "models/extraction", "models/registry", "models/torchvision_records"),
    *("models/efficientnet_lite", "models/cornet", "models/object_network", "models/autoencoder"),
    *("models/layers", "models/cores", "models/dense_readout", "models/normalization"),
    *("models/gabor", "models/gnet", "simulate/random_map"),
)


@dataclass(frozen=True)
class Reduction:
    """What is kept of a layer: (n, c, h, w) -> (n, c, pool, pool) -> (n, project).

    `pool` averages maps to that grid, `project` is a sparse random projection to that many
    numbers; 0 leaves a step out, and what is not larger already is kept.
    """

    pool: int = 0
    project: int = 0
    seed: int = 0  # of the projection

    def pooled(self, x: Tensor) -> Tensor:
        """Means over the cells of a grid: (n, c, h, w) -> (n, c, pool, pool); (n, f) stays."""
        if not self.pool or x.ndim == 2:
            return x
        if x.ndim != 4:
            raise DataError(f"a layer of shape {tuple(x.shape)} has no maps to pool: leave pool 0")
        return x if max(x.shape[2:]) <= self.pool else F.adaptive_avg_pool2d(x, self.pool)


def projection(inputs: int, outputs: int, seed: int, name: str) -> sparse.csr_array:
    """A random projection that keeps inner products on average: () -> (outputs, inputs).

    One entry in sqrt(inputs) is not 0 (Li, Hastie & Church 2006), so 800 000 features to 5000 take
    36 MB instead of 16 GB.
    """
    draw = int(numpy_stream(seed, "projection", name).integers(2**32))
    fitted = SparseRandomProjection(outputs, random_state=draw).fit(np.zeros((1, inputs)))
    return sparse.csr_array(fitted.components_, dtype=np.float32)


class _Reducer:
    """Reduces each layer's output, whose size is known with the first batch."""

    def __init__(self, reductions: Mapping[str, Reduction]) -> None:
        self.reductions = reductions
        self.projections: dict[str, sparse.csr_array] = {}

    def __call__(self, layer: Layer, x: Tensor) -> np.ndarray:
        how = self.reductions[layer.name]
        kept = how.pooled(x).to("cpu", torch.float32, copy=True).numpy()
        size = int(np.prod(kept.shape[1:]))
        if not 0 < how.project < size:
            return kept
        if layer.name not in self.projections:
            drawn = projection(size, how.project, how.seed, layer.name)
            self.projections[layer.name] = drawn
        return (self.projections[layer.name] @ kept.reshape(len(kept), -1).T).T


def extract(
    network: Network,
    images: Images,
    folder: Path,
    layers: Iterable[str] | Mapping[str, Reduction],
    batch: int = 32,
    dtype: Literal["float16", "float32"] = "float32",
) -> Path:
    """Features of n images, in their order, into `folder`; read them with `open_features`.

    `images` give (m, [c,] h, h) uint8 by slice. `layers` are names of the record or paths of
    modules, whole or each with its reduction. A folder made from the same inputs is left as it is,
    another is made anew, and a killed pass goes on at its last whole batch and ends in the same
    bytes. The network is used where it is (device), in evaluation mode. DataError if a layer is the
    same for all images: at once, where its record says so.
    """
    folder = Path(folder)
    reductions = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, Reduction())
    chosen = [network.layer(name) for name in reductions]
    if not len(images) or not chosen:
        raise DataError(f"{folder}: {len(images)} images, {len(chosen)} layers: give one of each")
    if early := [layer.name for layer in chosen if layer.constant]:
        raise DataError(uninformative(network, early))
    description = _description(network, images, chosen, reductions, batch, dtype)
    with locks.alone(folder):
        if not is_current(folder, description):
            build = FeatureBuild(folder, description, dtype)
            try:
                _fill(build, network, images, chosen, reductions)
                build.finish(made_by=manifest.environment(), device=_device(network.module).type)
            except DataError:
                build.discard()
                raise
    manifest.note_output(folder / "manifest.json")
    return folder


def uninformative(network: Network, layers: list[str]) -> str:
    """What to say of layers that are the same for all images."""
    return (
        f"network '{network.record.name}': {', '.join(layers)} are the same for all images and "
        f"explain nothing: choose of {', '.join(network.record.informative)}"
    )


def _fill(
    build: FeatureBuild,
    network: Network,
    images: Images,
    layers: list[Layer],
    reductions: Mapping[str, Reduction],
) -> None:
    """Every batch that is not on disk yet, each image checked to be the one described."""
    reducer, device = _Reducer(reductions), _device(network.module)
    batch, hashes = build.description["batch"], build.description["image_sha256"]
    with counting(len(images), f"{network.record.name}, {network.weights}", "image") as count:
        for first in range(build.done, len(images), batch):
            block = np.asarray(images[first : first + batch])
            if image_sha256(block) != hashes[first : first + batch]:
                raise DataError(f"images {first} to {first + len(block) - 1} changed meanwhile")
            x = prepare(block, network.record).to(device)
            build.write(activations(network, x, layers, reducer))
            count(len(block))


def _description(
    network: Network,
    images: Images,
    layers: list[Layer],
    reductions: Mapping[str, Reduction],
    batch: int,
    dtype: str,
) -> dict[str, Any]:
    """All that features depend on, as plain values."""
    return {
        "schema": SCHEMA,
        "code": manifest.source_sha256(*CODE),
        "network": network.record.plain(),
        "weights": network.weights,
        "weights_file_sha256": network.file_sha256,
        "batch_norm": network.batch_norm,
        "state_sha256": state_sha256(network.module),
        "layers": [{**asdict(v), "reduction": asdict(reductions[v.name])} for v in layers],
        "batch": batch,
        "dtype": dtype,
        "image_sha256": image_sha256(images),
    }


def state_sha256(module: nn.Module) -> str:
    """sha256 of a module's parts, as it prints them, and of all its tensors with their names."""
    digest = hashlib.sha256(repr(module).encode())
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _device(module: nn.Module) -> torch.device:
    return next((v.device for v in module.parameters()), torch.device("cpu"))
