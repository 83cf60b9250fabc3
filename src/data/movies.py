"""A packed session of films: crops of a few frames, normalized as if the whole trial had been.

Films lie in files of their own, named after their content and shared by sessions; responses and
behavior of a session are mapped. A crop reads its frames and no others.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.config import InputConfig
from src.data.batch import Batch
from src.data.errors import DataError
from src.data.frame_statistics import FrameStatistics, nonzero, response_scales, stored
from src.data.movie_mouse import KINDS
from src.data.movie_pack import VIDEOS, missing_videos
from src.data.npy_rows import npy_header, read_rows
from src.data.pack import REMEDY, read_manifest
from src.data.session import copy_rows
from src.data.stimulus_types import stimulus_types
from src.manifest import fingerprint

FRAMES = 30  # of a clip, one second
SKIP = 50  # first frames of a trial, which are never scored (specification sensorium2023, 4.4)
CUT = 300  # provided statistics end there, and with them the official frames
FIELDS = {"behavior": "behavior", "pupil_center": "pupil"}  # of InputConfig and Batch, by kind
Clips = tuple[np.ndarray, np.ndarray, int]  # trials, first frames, and how many of each
Normal = tuple[np.ndarray | None, np.ndarray]  # what frames are centered on and multiplied by


class MovieSession:
    """Trials of one packed session as a model sees them; films and responses stay on disk.

    Several processes share the files. Raises DataError if the cache is missing, of another layout
    or older than its source, and where `inputs` asks for what was not recorded.
    """

    unit_ids: np.ndarray  # (u,) in file order
    coordinates: np.ndarray | None  # (u, 3) float64, micrometers
    tiers: np.ndarray  # (n,) str
    trial_ids: np.ndarray  # (n,) str, numbers of the files
    video_sha256: np.ndarray  # (n,) str, content of the film
    image_ids: np.ndarray  # (n,) int64, equal where the films are, in all sessions
    image_index: np.ndarray  # (n,) the same from 0 on, in order of first appearance
    stimuli: np.ndarray  # (n,) str: natural, gabor, dots, rdk, pink, images or unknown
    lengths: np.ndarray  # (n,) frames of each trial that are valid in everything recorded
    video_lengths: np.ndarray  # (n,) valid frames of each trial's film
    mean_response: np.ndarray  # (u,) float32, over training trials, in scaled units
    _still = False  # whether behavior and pupil are shown as their means

    def __init__(self, folder: Path, inputs: InputConfig) -> None:
        self.folder, self.inputs = Path(folder), inputs
        self._videos = str(self.folder.parent / VIDEOS)
        self.manifest = read_manifest(self.folder)
        self.key: str = self.manifest["key"]
        self.name: str = self.manifest["name"]  # in full, as submission files have it
        self.role: str = self.manifest["role"]
        self.scaling: str = inputs.response_scale
        self._require_known()
        with np.load(self.folder / "meta.npz", allow_pickle=False) as meta:
            tables = {name: meta[name] for name in meta.files}
        self._read_tables(tables)
        self._normalize(tables)

    def _require_known(self) -> None:
        """Refuse what is not a session of films, and settings that would be ignored."""
        if self.manifest.get("kind") != "movies":
            raise DataError(f"{self.folder} is a packed session of images, not of films: {REMEDY}")
        known = {"scale": "full", "boxes": "none", "maps": "", "centered": False, "objects": False}
        if other := [name for name, value in known.items() if getattr(self.inputs, name) != value]:
            raise DataError(
                f"session '{self.key}': films come as they were shown, without boxes or maps: set "
                f"{', '.join(f'{name}={known[name]!r}' for name in other)} in {self.inputs}"
            )
        if missing := missing_videos(self.folder):
            raise DataError(
                f"session '{self.key}' lacks {len(missing)} films in {self.folder.parent / VIDEOS}"
                f" (first: {missing[0]}): {REMEDY}"
            )

    def _read_tables(self, tables: dict[str, np.ndarray]) -> None:
        self.tiers, self.unit_ids = tables["tiers"], tables["unit_ids"]
        self.n_trials, self.n_units = len(self.tiers), len(self.unit_ids)
        self.trial_ids = np.arange(self.n_trials).astype(str)
        known = "coordinates" in tables
        self.coordinates = tables["coordinates"].astype(np.float64) if known else None
        self.video_sha256 = tables["sha256"]
        self.image_ids = np.array([int(name[:12], 16) for name in self.video_sha256])
        _, first, index = np.unique(self.video_sha256, return_index=True, return_inverse=True)
        self.image_index = np.argsort(np.argsort(first))[index]
        self.lengths, self._valid = tables["frames"], tables["lengths"]
        self.video_lengths = self._valid[:, 0]
        self._starts = np.cumsum(self._valid, axis=0) - self._valid
        self._withheld = tables["withheld"]
        self.stimuli = stimulus_types(self.key, self.tiers, self.video_lengths, tables["held"])

    def _normalize(self, tables: dict[str, np.ndarray]) -> None:
        """Mean and std of every frame, and the scale of responses, from files or training trials.

        Frames that no training trial reaches have the values of all frames together.
        """
        pad, provided = self.manifest["pad"], []
        if self.inputs.statistics == "provided":
            provided = self.manifest["statistics_provided"]
        reached = {kind: int((tables[f"train_{kind}_count"] > 0).sum()) for kind in self.kinds}
        trained = {k: FrameStatistics.of(*stored("train", k, tables), reached[k]) for k in reached}
        given = {
            k: FrameStatistics.of(*stored("provided", k, tables), reached[k]) for k in provided
        }
        found = trained | given
        self.statistics = {kind: found[kind].extended(pad) for kind in FIELDS if kind in found}
        scale = response_scales(self.scaling, found["responses"], trained["responses"], pad)
        self._scale = np.ascontiguousarray(scale, np.float32)
        raw, n = trained["responses"].mean, tables["train_responses_count"][:, None]
        n = n[: len(raw)]
        self.mean_response = ((n * raw * scale[: len(raw)]).sum(0) / n.sum()).astype(np.float32)
        self._normal = {"responses": (None, self._scale)}
        for kind in ("videos", *self.statistics):
            if not self.inputs.raw if kind == "videos" else getattr(self.inputs, FIELDS[kind]):
                self._normal[kind] = self._standard(kind, found[kind].extended(pad))

    def _standard(self, kind: str, known: FrameStatistics) -> Normal:
        """Mean, unless it stays, and 1 / std of each frame, float32: (T, ...), (T, ...)."""
        factor = np.ascontiguousarray(1 / nonzero(kind, known.std, self.key), np.float32)
        centered = kind != "behavior" or self.inputs.center_behavior
        return np.ascontiguousarray(known.mean, np.float32) if centered else None, factor

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that were recorded."""
        return tuple(self.manifest["recorded"])

    @property
    def behavior_missing(self) -> bool:
        """Whether pupil size and running speed were not recorded: a model then sees 0."""
        return "behavior" not in self.kinds

    @property
    def pupil_missing(self) -> bool:
        """Whether the pupil's center was not recorded: a model then sees 0."""
        return "pupil_center" not in self.kinds

    @property
    def image_shape(self) -> tuple[int, int, int, int]:
        """Channels, frames, height and width of a clip."""
        return 1, FRAMES, *self.manifest["shape"]

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the packed content, films included by their names."""
        return fingerprint([self.manifest["fingerprint"], sorted({*self.video_sha256.tolist()})])

    @property
    def provenance(self) -> dict[str, Any]:
        """What an artifact made from this session records of it."""
        names = ("key", "role", "fingerprint", "n_trials", "n_units")
        return {name: getattr(self, name) for name in names}

    def withheld(self, tier: str) -> bool:
        """Whether every response of `tier` is zero, as in test tiers of scored mice."""
        return tier in self.manifest["withheld_tiers"]

    def withheld_trials(self, trials: np.ndarray) -> np.ndarray:
        """Which of some trials have no responses: (n,) -> (n,) bool."""
        return self._withheld[np.asarray(trials, int)]

    def trials(self, tier: str) -> np.ndarray:
        """Indices of the trials of `tier` that show a film at all, ascending."""
        return np.flatnonzero((self.tiers == tier) & (self.video_lengths > 0))

    def scored_frames(self, trial: int, policy: str = "") -> slice:
        """The frames of one trial that count; `policy` official or full, else that of the inputs.

        official: 50 to min(L, 300) - 2, L the valid length of the film, which are the 249 or 189
        columns of the published files; full: from 50 on, all that are valid (specification
        sensorium2023, 4.4).
        """
        policy = policy or self.inputs.frame_policy
        if policy not in ("official", "full"):
            raise ValueError(f"frame_policy {policy!r} is not one of official, full")
        end = int(self.lengths[trial])
        if policy == "official":
            end = min(end, min(int(self.video_lengths[trial]), CUT) - 1)
        return slice(min(SKIP, max(end, 0)), max(end, 0))

    def clips(
        self,
        index: Sequence[int] | np.ndarray,
        starts: Sequence[int] | np.ndarray,
        device: torch.device | str = "cpu",
        frames: int = FRAMES,
        answered: int | None = None,
    ) -> Batch:
        """Crops of `frames` frames of the trials `index`, from the frames `starts` on: (n,), (n,).

        responses are of the last `answered` frames: a model that answers these needs no others, and
        most of what is read is responses. 0: None, as if those of any of these trials are withheld.
        DataError where a crop leaves the valid frames of its trial.
        """
        index, starts = np.asarray(index, int), np.asarray(starts, int)
        answered = frames if answered is None else answered
        self._require_inside(index, starts, frames)
        asked = (index, starts, frames), torch.device(device)
        sides = {
            field: self._sides(kind, *asked) if getattr(self.inputs, field) else None
            for kind, field in FIELDS.items()
        }
        responses = None
        if answered and not self._withheld[index].any():
            last = index, starts + frames - answered, answered
            responses = self._frames("responses", last, asked[1])
        return Batch(self._frames("videos", *asked)[:, None], responses, **sides)

    def responses_of(self, trial: int) -> np.ndarray:
        """Scaled responses of one trial, all valid frames: -> (t, u); (0, u) if withheld."""
        start, length = self._starts[trial, 1], self._valid[trial, 1]
        raw = copy_rows(self._files["responses"], slice(start, start + length))
        return raw.astype(np.float32) * self._scale[:length]

    def at_rest(self) -> MovieSession:
        """The same session of a mouse that never moves: behavior and pupil at their means."""
        still = copy.copy(self)
        still._still = True
        for made in ("_files", "_sides_file"):
            still.__dict__.pop(made, None)
        return still

    def video(self, trial: int, start: int = 0, frames: int | None = None) -> np.ndarray:
        """Frames of a trial's film as recorded: -> (t, h, w) uint8, or float16."""
        h, w = self.manifest["shape"]
        name = self.video_sha256[trial]
        path = f"{self._videos}/{name}.npy"
        frames = int(self.video_lengths[trial]) - start if frames is None else frames
        if name not in self._headers_file:
            self._headers_file[name] = npy_header(path)
        return read_rows(path, self._headers_file[name], start, (frames, h, w))

    def _require_inside(self, index: np.ndarray, starts: np.ndarray, frames: int) -> None:
        outside = (starts < 0) | (starts + frames > self.lengths[index])
        if outside.any():
            trial, start = index[outside.argmax()], starts[outside.argmax()]
            raise DataError(
                f"session '{self.key}': frames {start} to {start + frames - 1} of trial {trial} "
                f"are asked for, which has {self.lengths[trial]} valid ones: crop inside them"
            )

    def _frames(self, kind: str, asked: Clips, device: torch.device) -> torch.Tensor:
        """Frames of films or responses, normalized where they are not raw: -> (n, t, ...).

        Each is read, turned into float32 and normalized while it is in the cache; to another device
        the batch goes as it was packed.
        """
        index, starts, frames = asked
        where = list(zip(index.tolist(), starts.tolist(), strict=True))
        parts = (self._part(kind, i, start, frames) for i, start in where)
        row = self.manifest["shape"] if kind == "videos" else (self.n_units,)
        out = torch.empty(len(where), frames, *row, device=device)
        if device.type != "cpu":
            parts = list(parts)
            if len({part.dtype for part in parts}) == 1:
                parts = torch.stack(parts).to(device)
        mean, factor = self._placed(kind, device)
        for clip, part, (_, start) in zip(out, parts, where, strict=True):
            clip.copy_(part)
            if mean is not None:
                clip.sub_(mean[start : start + frames])
            if factor is not None:
                clip.mul_(factor[start : start + frames])
        return out

    def _part(self, kind: str, i: int, start: int, frames: int) -> torch.Tensor:
        """Frames of one trial as they are packed, responses without a copy: -> (t, ...)."""
        if kind == "videos":
            return torch.from_numpy(self.video(i, start, frames))
        first = int(self._starts[i, KINDS.index(kind)]) + start
        return self._responses_file[first : first + frames]

    def _sides(self, kind: str, asked: Clips, device: torch.device) -> torch.Tensor:
        """Frames of behavior or pupil, normalized: -> (n, t, 2); 0 if not recorded."""
        index, starts, frames = asked
        if kind not in self.kinds:
            return torch.zeros(len(index), frames, 2, device=device)
        first = self._starts[index, KINDS.index(kind)] + starts
        if (kind, device) not in self._sides_file:
            self._sides_file[kind, device] = torch.from_numpy(self._whole(kind)).to(device)
        rows = torch.from_numpy(first[:, None] + np.arange(frames)).to(device)
        return self._sides_file[kind, device][rows]

    def _whole(self, kind: str) -> np.ndarray:
        """All of a small kind, normalized, in memory: -> (frames of all trials, 2) float32."""
        mean, factor = self._normal[kind]
        frame = np.concatenate([np.arange(n) for n in self._valid[:, KINDS.index(kind)]])
        values = self._files[kind].astype(np.float32)
        return (values if mean is None else values - mean[frame]) * factor[frame]

    def _placed(self, kind: str, device: torch.device) -> tuple[torch.Tensor | None, ...]:
        """Mean and factor of every frame on a device; of raw films none."""
        if kind == "videos" and self.inputs.raw:
            return None, None
        if (kind, device) not in self._placed_file:
            both = (
                None if x is None else torch.as_tensor(x, device=device) for x in self._normal[kind]
            )
            self._placed_file[kind, device] = tuple(both)
        return self._placed_file[kind, device]

    # Made when first used, and again in a process that receives a pickled session.
    @cached_property
    def _sides_file(self) -> dict[tuple[str, torch.device], torch.Tensor]:
        return {}

    @cached_property
    def _placed_file(self) -> dict[tuple[str, torch.device], tuple[torch.Tensor | None, ...]]:
        return {}

    @cached_property
    def _headers_file(self) -> dict[str, tuple[np.dtype, int]]:
        return {}

    @cached_property
    def _responses_file(self) -> torch.Tensor:
        # mapped anew: torch takes no array that cannot be written; what is written stays private
        return torch.from_numpy(np.load(self.folder / "responses.npy", mmap_mode="c"))

    @cached_property
    def _files(self) -> dict[str, np.ndarray]:
        kinds = [kind for kind in self.kinds if kind != "videos"]
        files = {kind: np.load(self.folder / f"{kind}.npy", mmap_mode="r") for kind in kinds}
        for kind in FIELDS.keys() & files.keys() if self._still else ():
            mean = self.statistics[kind].pooled()[0].astype(np.float32)
            files[kind] = np.broadcast_to(mean, files[kind].shape)
        return files

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_files" and not k.endswith("_file")}


def open_movie_sessions(folder: Path, inputs: InputConfig) -> dict[str, MovieSession]:
    """All packed sessions of films in a folder, by key, in order of name. DataError if none."""
    packed = sorted(path.parent for path in Path(folder).glob("[!.]*/manifest.json"))
    if not packed:
        raise DataError(f"{folder} holds no packed session: run 01_preprocess first")
    return {session.key: session for session in (MovieSession(path, inputs) for path in packed)}
