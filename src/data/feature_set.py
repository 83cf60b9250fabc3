"""What a model made of some stimuli: an array with the stimuli's ids, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from src.data.assemblies import Assembly, values_hash
from src.data.assembly_files import open_assembly
from src.data.errors import DataError
from src.data.stored import read_npz
from src.manifest import fingerprint


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """Features of m stimuli at one layer and time step, p of each; rows in any order.

    Values may be a memory-mapped file. `weights` says which weights: a file's name and hash, or
    "random".
    """

    values: np.ndarray  # (m, p), or (m, p, t) where bins of the responses have a step each
    stimulus_ids: np.ndarray  # (m,) str
    model: str = "features"
    weights: str = ""
    layer: str = ""
    step: int = 0
    grid: tuple[int, ...] = ()  # channels, height, width of a layer of maps, whose product is p

    def __post_init__(self) -> None:
        """Raise what does not fit together."""
        ids = np.asarray(self.stimulus_ids).astype(str)
        object.__setattr__(self, "stimulus_ids", ids)
        if self.values.ndim not in (2, 3) or ids.shape != self.values.shape[:1]:
            raise DataError(
                f"{self.label}: features are {self.values.shape} for stimulus ids {ids.shape}: "
                "give (stimuli, features[, steps]) and one id a row"
            )
        if self.grid and np.prod(self.grid) != self.values.shape[1]:
            raise DataError(f"{self.label}: features {self.values.shape} are no {self.grid} maps")
        names, counts = np.unique(ids, return_counts=True)
        if len(names) and counts.max() > 1:
            twice = str(names[np.argmax(counts > 1)])
            raise DataError(f"{self.label}: stimulus {twice!r} has two rows of features: keep one")

    @property
    def label(self) -> str:
        """Model and layer, for errors."""
        return f"features of {self.model} {self.layer}".strip()

    @cached_property
    def content_hash(self) -> str:
        """sha256 of values and stimulus ids."""
        parts = [values_hash(self.values), list(self.values.shape), self.stimulus_ids.tolist()]
        return fingerprint(parts)

    def rows(self, stimulus_ids: np.ndarray) -> np.ndarray:
        """Row of each stimulus: (n,) str -> (n,) int. DataError for those that have none.

        An id that is a file's name without its ending is found too.
        """
        place = {name: i for i, name in enumerate(self.stimulus_ids)}
        if not set(stimulus_ids) <= set(place):
            place = {Path(name).stem: i for name, i in place.items()}
        if absent := [s for s in stimulus_ids if s not in place]:
            raise DataError(
                f"{self.label}: {len(absent)} of {len(stimulus_ids)} stimuli have no row among "
                f"{len(self.stimulus_ids)}, first {str(absent[0])!r}: extract them, or name them "
                f"as in the assembly (here the first is {str(self.stimulus_ids[0])!r})"
            )
        return np.array([place[s] for s in stimulus_ids], int)


def open_feature_sets(path: str | Path, model: str = "", weights: str = "") -> list[FeatureSet]:
    """The feature sets of a file, one a layer and step: npz, or an assembly with units as features.

    npz: `features` (m, t, p) or (m, p), `names` (m,), and where known `steps` (t,), `layer`,
    `network`, `weights`, `grid` (channels, height, width). Unnamed models are called by the file.
    """
    path = Path(path).expanduser().resolve()
    if path.suffix != ".npz":
        return _by_layer(open_assembly(path).averaged(), model or path.stem, weights)
    arrays = read_npz(path)
    if "values" in arrays:
        return _by_layer(open_assembly(path).averaged(), model or path.stem, weights)
    if absent := {"features", "names"} - set(arrays):
        raise DataError(f"{path} has {', '.join(arrays)}, no {', '.join(sorted(absent))}")
    features = arrays["features"]
    features = features[:, None] if features.ndim == 2 else features
    steps = arrays.get("steps", np.arange(features.shape[1]))
    model = model or str(arrays.get("network", path.stem))
    layer, weights = str(arrays.get("layer", "")), weights or str(arrays.get("weights", ""))
    grid = tuple(int(n) for n in arrays.get("grid", ()))
    return [
        FeatureSet(features[:, i], arrays["names"], model, weights, layer, int(step), grid)
        for i, step in enumerate(steps)
    ]


def _by_layer(means: Assembly, model: str, weights: str) -> list[FeatureSet]:
    layers = means.units["layer" if "layer" in means.units else "region"].to_numpy(str)
    return [
        FeatureSet(means.values[:, layers == name], means.stimulus_ids, model, weights, str(name))
        for name in dict.fromkeys(layers)
    ]
