"""A packed session, memory-mapped: what every model, split and score is computed from."""

from __future__ import annotations

import copy
import mmap
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.config import InputConfig
from src.data import box_files
from src.data.batch import Batch
from src.data.errors import DataError
from src.data.objects import CLASSES, classes_of, numbers_of
from src.data.pack import read_manifest
from src.data.planes import rescale_quarter
from src.manifest import fingerprint
from src.names import nearest


def response_scale(std: np.ndarray) -> np.ndarray:
    """Factor of each unit's responses: (u,) -> (u,).

    1 / std where std > 0.01 mean(std), else 1 / (0.01 mean(std)) (spec 4.1); later published code
    leaves NaN out of that mean, which 01_preprocess refuses. Raises DataError if the mean is 0 or
    not finite.
    """
    threshold = 0.01 * std.mean()
    if not (np.isfinite(threshold) and threshold > 0):
        raise DataError(
            f"responses std {std.shape} has mean {std.mean()}, which must be finite and above 0: "
            "remove meta/statistics/responses and re-run 01_preprocess"
        )
    return 1 / np.where(std > threshold, std, threshold)


def copy_rows(file: np.memmap, rows: Any) -> np.ndarray:
    """Rows of a mapped file, copied; its pages stay in the page cache, not in this process."""
    values = file[rows]
    file.base.madvise(mmap.MADV_DONTNEED)
    return values


def standardize(values: np.ndarray, mean: np.ndarray | float, std: np.ndarray) -> np.ndarray:
    """(values - mean) / std, and 0 where std is 0: (n, k), (k,), (k,) -> (n, k) float32."""
    scale = np.divide(1.0, std, out=np.zeros_like(std), where=std > 0)
    return ((values - mean) * scale).astype(np.float32)


class Session:
    """Trials of one packed session as a model sees them; images and responses stay on disk.

    Several processes share the mapped files. Raises DataError if the cache is missing, of another
    layout, or older than its source, and if `inputs` asks for what was not recorded.
    """

    unit_ids: np.ndarray  # (u,) in file order
    coordinates: np.ndarray | None  # (u, 3) float64, micrometers
    area: np.ndarray | None  # (u,)
    layer: np.ndarray | None  # (u,)
    mean_response: np.ndarray  # (u,) float32, over training trials, in normalized units
    tiers: np.ndarray  # (n,) str: train, validation, test, final_test
    trial_ids: np.ndarray  # (n,) str
    image_ids: np.ndarray  # (n,)
    objects: np.ndarray | None  # (n,) str, the object in each image, where known
    image_index: np.ndarray  # (n,) equal where the images' content is
    _made: np.ndarray | None = None  # responses of all trials and units in place of recorded ones

    def __init__(self, folder: Path, inputs: InputConfig) -> None:
        self.folder, self.inputs = Path(folder), inputs
        self.manifest = read_manifest(self.folder)
        self.key: str = self.manifest["key"]
        self.role: str = self.manifest["role"]  # pretraining | sensorium | sensorium+ | recording
        with np.load(self.folder / "meta.npz") as meta:
            self._meta = dict(meta)
        self.image_shape = self._image_shape()  # (c, h, w) as the model receives it
        n_units = self.manifest["units"]
        std = np.broadcast_to(self._meta["responses_std"], n_units)
        self._scale = response_scale(std).astype(np.float32)
        self._behavior = self._side("behavior", 3, centered=inputs.center_behavior)
        self._pupil = self._side("pupil_center", 2, centered=True)
        self.behavior_missing = self._behavior is None  # not recorded, or std 0 throughout
        self.pupil_missing = self._pupil is None
        self._boxes = box_files.box_input(inputs.boxes, self.folder, self.key, self._index_file)
        self._restrict(np.arange(self.manifest["trials"]), np.arange(n_units))

    def _image_shape(self) -> tuple[int, int, int]:
        c, h, w = self.manifest["image_shape"]
        if not (self._meta["images_std"] > 0).all():
            raise DataError(
                f"session '{self.key}' has an images std of 0: remove meta/statistics/images and "
                "re-run 01_preprocess"
            )
        if self.inputs.scale == "full":
            return c, h, w
        return tuple(rescale_quarter(torch.zeros(c, h, w)).shape)

    def _side(self, kind: str, width: int, centered: bool) -> np.ndarray | None:
        """Behavior or pupil of all trials, normalized: (n, width), or None if missing."""
        path = self.folder / f"{kind}.npy"
        if not path.exists() or not self._meta[f"{kind}_std"].any():
            return None
        std = np.broadcast_to(self._meta[f"{kind}_std"], width)
        mean = self._meta[f"{kind}_mean"] if centered else 0.0
        return standardize(np.load(path), mean, std)

    def _restrict(self, rows: np.ndarray, columns: np.ndarray) -> None:
        """Show the trials `rows` and the units `columns` of the packed files, in file order."""
        self._rows, self._columns, meta = rows, columns, self._meta
        self.n_trials, self.n_units = len(rows), len(columns)
        self.tiers = meta["tiers"][rows]
        self.trial_ids = meta["trial_idx"][rows]
        self.image_ids = meta["frame_image_id"][rows]
        self.objects = meta["objects"][rows] if "objects" in meta else None
        self.image_index = self._index_file[rows]
        self.unit_ids = meta["unit_ids"][columns]
        self.mean_response = (meta["training_mean"] * self._scale).astype(np.float32)[columns]
        units = {n: meta[n][columns] if n in meta else None for n in ("area", "layer")}
        self.area, self.layer = units["area"], units["layer"]
        known = "coordinates" in meta
        self.coordinates = meta["coordinates"][columns].astype(np.float64) if known else None

    # Mapped when first used, and again in a process that receives a pickled session.
    @cached_property
    def _index_file(self) -> np.ndarray:
        return np.load(self.folder / "image_index.npy", mmap_mode="r")

    @cached_property
    def _image_file(self) -> np.ndarray:
        return np.load(self.folder / "images.npy", mmap_mode="r")

    @cached_property
    def _quarter_file(self) -> np.ndarray:
        return np.load(self.folder / "images_quarter.npy", mmap_mode="r")

    @cached_property
    def _response_file(self) -> np.ndarray:
        return np.load(self.folder / "responses.npy", mmap_mode="r")

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if not k.endswith("_file")}

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the packed content, of boxes a model sees, and of a selection."""
        base, n = self.manifest["fingerprint"], self.manifest
        if self.inputs.boxes not in ("none", "full_frame"):
            supplied = box_files.fingerprint(self.folder)
            base = fingerprint([base, supplied]) if supplied else base
        base = base if self._made is None else fingerprint([base, sha256(self._made).hexdigest()])
        if (self.n_trials, self.n_units) == (n["trials"], n["units"]):
            return base
        return fingerprint([base, self._rows.tolist(), self._columns.tolist()])

    @property
    def provenance(self) -> dict[str, Any]:
        """What an artifact made from this session records of it."""
        names = ("key", "role", "fingerprint", "n_trials", "n_units")
        return {name: getattr(self, name) for name in names}

    def withheld(self, tier: str) -> bool:
        """Whether every response of `tier` is zero, as in the competition mice."""
        return tier in self.manifest["withheld_tiers"]

    def trials(self, tier: str) -> np.ndarray:
        """Indices of the trials of `tier`, ascending."""
        return np.flatnonzero(self.tiers == tier)

    def unique_images(self, tier: str) -> np.ndarray:
        """Index of the first trial of each different image of `tier`, ascending."""
        trials = self.trials(tier)
        return trials[np.sort(np.unique(self.image_index[trials], return_index=True)[1])]

    def batch(self, index: np.ndarray, device: torch.device | str = "cpu") -> Batch:
        """Normalized float32 tensors of the trials `index`: (n,) -> Batch of n trials.

        Raw values move to `device` and are normalized there. Missing behavior or pupil is 0.
        """
        rows, inputs = self._rows[np.asarray(index)], self.inputs
        return Batch(
            images=self._images(rows, device),
            responses=self._responses(rows, device),
            behavior=self._shown(self._behavior, rows, 3, device) if inputs.behavior else None,
            pupil=self._shown(self._pupil, rows, 2, device) if inputs.pupil else None,
            boxes=None if self._boxes is None else torch.from_numpy(self._boxes[rows]).to(device),
            objects=self._classes(index, device) if inputs.objects else None,
        )

    def responses(self, index: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
        """Normalized responses of the trials `index`, without their images: (n,) -> (n, u)."""
        return self._responses(self._rows[np.asarray(index)], device)

    @property
    def images(self) -> np.ndarray:
        """The different images as recorded, mapped: (i, [c,] h, w), row `image_index` of a trial.

        Those of all trials of the packed session, also where this is a selection of it.
        """
        return self._image_file

    def pixels(self, index: np.ndarray) -> np.ndarray:
        """Images of the trials `index` as recorded, at full size: (n,) -> (n, c, h, w)."""
        rows = self._rows[np.asarray(index)]
        raw = copy_rows(self._image_file, self._index_file[rows])
        return raw.reshape(-1, *self.manifest["image_shape"])

    def _classes(self, index: np.ndarray, device: torch.device | str) -> torch.Tensor:
        """Number of the object class in the image of each trial: (n,) -> (n,)."""
        if self.objects is None:
            raise DataError(
                f"session '{self.key}' has no objects, which inputs.objects asks for: set it False"
            )
        return torch.from_numpy(numbers_of(classes_of(self.objects[index]), CLASSES)).to(device)

    def _shown(
        self, values: np.ndarray | None, rows: np.ndarray, width: int, device: torch.device | str
    ) -> torch.Tensor:
        if values is None:
            return torch.zeros(len(rows), width, device=device)
        return torch.from_numpy(values[rows]).to(device)

    def _responses(self, rows: np.ndarray, device: torch.device | str) -> torch.Tensor:
        if self._made is not None:
            return torch.from_numpy(self._made[np.ix_(rows, self._columns)]).to(device)
        whole = self.n_units == self.manifest["units"]
        raw = copy_rows(self._response_file, rows if whole else np.ix_(rows, self._columns))
        scale = torch.from_numpy(self._scale[self._columns]).to(device)
        return torch.from_numpy(raw).to(device).mul_(scale)

    def _images(self, rows: np.ndarray, device: torch.device | str) -> torch.Tensor:
        """Standardized images: (n,) -> (n, c, h, w); a quarter from exact sums where there are."""
        mean, std = self._image_statistics
        quarter = self.inputs.scale == "quarter"
        packed = quarter and mean.numel() == 1 and "images_quarter.npy" in self.manifest["sha256"]
        file = self._quarter_file if packed else self._image_file
        raw = copy_rows(file, self._index_file[rows])
        images = torch.from_numpy(raw).to(device).to(torch.float32)
        scale = 4 if packed else 1  # sums of four pixels; a power of 2 changes no digit
        shape = self.image_shape if packed else self.manifest["image_shape"]
        images = images.reshape(-1, *shape)
        if not self.inputs.raw:
            images.sub_(scale * mean.to(device)).div_(scale * std.to(device))
        return rescale_quarter(images) if quarter and not packed else images

    @cached_property
    def _image_statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        both = (self._meta[f"images_{name}"].astype(np.float32) for name in ("mean", "std"))
        mean, std = (torch.from_numpy(v) for v in both)
        return mean, std

    def with_responses(self, values: np.ndarray) -> Session:
        """The same session with made responses, in normalized units: (n, u) -> Session."""
        if values.shape != (self.n_trials, self.n_units):
            raise DataError(
                f"session '{self.key}' has {self.n_trials, self.n_units} trials and units, but "
                f"made responses are {values.shape}: make one for each"
            )
        other = copy.copy(self)
        other._made = np.zeros((self.manifest["trials"], self.manifest["units"]), np.float32)
        other._made[np.ix_(self._rows, self._columns)] = values
        return other

    def select(
        self,
        *,
        units: Sequence[int] | None = None,
        area: str | Sequence[str] | None = None,
        layer: str | None = None,
        n_units: int | None = None,
        images: Sequence[int] | None = None,
        n_images: int | None = None,
        tier: str = "train",
        seed: int = 0,
    ) -> Session:
        """The same session with fewer units, and fewer images in `tier`; file order is kept.

        Units: those of all of `units` (ids), `area` (one, or any of several), `layer`, then
        `n_units` of them at random. Images: `images` (ids), then `n_images` of them at random. One
        seed gives one choice, and a smaller number a subset of a larger one. Raises DataError for
        what is not there.
        """
        keep = np.ones(self.n_units, bool)
        if units is not None:
            keep &= self._among(self.unit_ids, units, "units")
        for name, value in (("area", area), ("layer", layer)):
            if value is not None:
                known = getattr(self, name)
                wanted = [value] if isinstance(value, str) else value
                keep &= self._among(np.array([]) if known is None else known, wanted, name)
        columns = self._some(np.flatnonzero(keep), n_units, "units", [seed, 0])
        trials = self.trials(tier)
        shown = np.unique(self.image_ids[trials])
        chosen = shown if images is None else shown[self._among(shown, images, f"{tier} images")]
        chosen = self._some(chosen, n_images, f"{tier} images", [seed, 1])
        rows = (self.tiers != tier) | np.isin(self.image_ids, chosen)
        fewer = copy.copy(self)
        fewer._restrict(self._rows[rows], self._columns[columns])
        return fewer

    def _among(self, known: np.ndarray, wanted: Sequence[Any], what: str) -> np.ndarray:
        """Which of `known` are `wanted`: (k,), any -> (k,) bool; an unknown one is an error."""
        if absent := [w for w in wanted if w not in known]:
            raise DataError(
                f"session '{self.key}' has no {what} {absent[0]!r} among its {len(known)} "
                f"({len(absent)} of {len(wanted)} wanted are absent): choose others"
            )
        return np.isin(known, list(wanted))

    def _some(self, values: np.ndarray, n: int | None, what: str, seed: list[int]) -> np.ndarray:
        """`n` of `values` at random, order kept: (k,) -> (n,)."""
        if n is None:
            return values
        if not 0 < n <= len(values):
            raise DataError(f"session '{self.key}' has {len(values)} {what}, not {n}: choose fewer")
        order = np.random.default_rng(seed).permutation(len(values))
        return values[np.sort(order[:n])]


def chosen_sessions(
    sessions: Mapping[str, Session], keys: Sequence[str], areas: Sequence[str]
) -> dict[str, Session]:
    """Some sessions, in their own order, with units of some areas only; all where none is named.

    DataError for a session or an area that is not there.
    """
    if absent := [key for key in keys if key not in sessions]:
        raise DataError(
            f"there is no session '{absent[0]}'{nearest(absent[0], sessions)}: choose some of "
            f"{', '.join(sessions)}"
        )
    kept = {key: session for key, session in sessions.items() if not keys or key in keys}
    return {key: s.select(area=areas) if areas else s for key, s in kept.items()}


def open_sessions(folder: Path, inputs: InputConfig) -> dict[str, Session]:
    """All packed sessions in a folder, by key, in order of name. DataError if there is none."""
    packed = sorted(path.parent for path in Path(folder).glob("*/manifest.json"))
    if not packed:
        raise DataError(f"{folder} holds no packed session: run 01_preprocess first")
    return {session.key: session for session in (Session(path, inputs) for path in packed)}
