"""Films in memory for tests, whose units see one pixel some frames ago; a session's interface."""

from dataclasses import dataclass, field

import numpy as np
import torch

from src.config import InputConfig, ModelConfig
from src.data.batch import Batch
from src.parts import HierarchicalReadoutConfig, VideoCoreConfig

INPUTS = InputConfig(scale="full", behavior=True, pupil=True)
MODEL = ModelConfig(
    "tiny_video",
    VideoCoreConfig(patch=(2, 4, 4), window=(5, 2, 2), width=8, blocks=2, heads=2, hidden=8),
    INPUTS,
    HierarchicalReadoutConfig(levels=(2, 4), fusion="gated"),
    shifter=True,
    shifter_hidden=4,
    pupil_in_core=True,
)


@dataclass
class MovieFake:
    """Trials of 60 to 72 frames, in the interface of a MovieSession."""

    key: str = "mouse"
    n_units: int = 9
    n_trials: int = 10
    image_shape: tuple[int, int, int, int] = (1, 30, 8, 12)
    inputs: InputConfig = INPUTS
    behavior_missing: bool = False
    pupil_missing: bool = False
    role: str = "recording"
    asked: list = field(default_factory=list)  # starts of all clips that were drawn

    def __post_init__(self):
        rng = np.random.default_rng(list(self.key.encode()))
        _, _, h, w = self.image_shape
        n, u = self.n_trials, self.n_units
        self.lengths = rng.integers(60, 73, n)
        self.videos = rng.normal(size=(n, 1, 80, h, w)).astype(np.float32)
        self.behavior, self.pupil = rng.normal(size=(2, n, 80, 2)).astype(np.float32)
        rows, columns = rng.integers(0, h, u), rng.integers(0, w, u)
        drive = np.maximum(self.videos[:, 0, :, rows, columns], 0)  # (u, n, t)
        lagged = np.roll(drive, 2, axis=2).transpose(1, 2, 0)
        self.truth = lagged + 0.1 * rng.exponential(size=lagged.shape).astype(np.float32)
        self.coordinates = np.stack([columns, rows, np.arange(u)], 1) * 10.0
        self.mean_response = self.truth.mean((0, 1)).astype(np.float32)
        self.unit_ids = np.arange(u) * 2 + 1
        self.trial_ids = np.arange(n).astype(str)
        self.image_ids = self.image_index = np.arange(n) // 2
        self.video_sha256 = self.image_ids.astype(str)
        self.tiers = np.array(["train"] * (n - 2) + ["oracle"] * 2)
        self.fingerprint = f"cache of {self.key}"
        self.provenance = {"key": self.key}

    def trials(self, tier):
        return np.flatnonzero(self.tiers == tier)

    def withheld(self, _tier):
        return False

    def withheld_trials(self, trials):
        return np.zeros(len(trials), bool)

    def scored_frames(self, trial, _policy=""):
        return slice(50, int(self.lengths[trial]) - 1)

    def responses_of(self, trial):
        return self.truth[trial, : self.lengths[trial]]

    def clips(self, index, starts, device="cpu", frames=30, answered=None):
        pairs = list(zip(np.asarray(index).tolist(), np.asarray(starts).tolist(), strict=True))
        self.asked += pairs
        assert all(s + frames <= self.lengths[i] for i, s in pairs)

        def cut(values, skipped=0):
            pairs = zip(values[index], starts, strict=True)
            parts = [v[..., s + skipped : s + frames, :] for v, s in pairs]
            return torch.from_numpy(np.stack(parts).astype(np.float32))

        spans = [slice(s, s + frames) for s in starts]
        videos = [self.videos[i][:, part] for i, part in zip(index, spans, strict=True)]
        images = torch.from_numpy(np.stack(videos))
        responses = None if answered == 0 else cut(self.truth, frames - (answered or frames))
        return Batch(images, responses, *map(cut, (self.behavior, self.pupil))).to(device)
