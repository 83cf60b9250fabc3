"""What is known about a simulated mouse that watches films, kept outside its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from src.manifest import save_arrays, save_json
from src.simulate.cortex import Cortex
from src.simulate.movie_cortex import MovieCortex


@dataclass(frozen=True)
class MovieTruth:
    """Ground truth of one simulated mouse; `expected` of a trial is `of(trial)`."""

    key: str
    config: dict[str, Any]  # as_plain(MovieSimulation), with all planted effects
    unit_ids: np.ndarray  # (u,)
    cortex: MovieCortex
    tiers: np.ndarray  # (n,)
    kinds: np.ndarray  # (n,) str, of the film shown
    films: np.ndarray  # (n,) str, name of the film; a near copy ends in " copy"
    starts: np.ndarray  # (n + 1,) rows of `expected` of each trial
    expected: np.ndarray  # (frames, u) float32 noise-free responses of all trials, withheld or not
    responses: np.ndarray  # (frames, u) float32 the responses drawn, withheld or not
    ideal: np.ndarray  # (u,) correlation of both over frames 50 to 298 of the main tests

    def of(self, trial: int) -> np.ndarray:
        """Noise-free responses of one trial: -> (t, u)."""
        return self.expected[self.starts[trial] : self.starts[trial + 1]]

    def drawn(self, trial: int) -> np.ndarray:
        """Responses drawn in one trial, also where its file holds zeros: -> (t, u)."""
        return self.responses[self.starts[trial] : self.starts[trial + 1]]


def save_movie_truth(truth: MovieTruth, path: Path) -> Path:
    """Write `path` (.npz) with all arrays, and the JSON of that name with the planted effects."""
    inner = truth.cortex.cortex
    plain = {"simulated": True, "key": truth.key, "config": truth.config}
    plain |= {"noise_family": inner.noise_family, "envelope": truth.cortex.envelope}
    save_json({**plain, "dull": truth.cortex.dull}, path.with_suffix(".json"))
    parts = {"cortex/": inner, "": truth}
    arrays = {
        f"{part}{name}": value
        for part, owner in parts.items()
        for name, value in vars(owner).items()
        if isinstance(value, np.ndarray)
    }
    return save_arrays(path, **arrays, lags=truth.cortex.lags)


def load_movie_truth(path: Path) -> MovieTruth:
    """Read the truth saved as `path` (`<truth_folder>/<key>.npz`)."""
    path = Path(path)
    plain = json.loads(path.with_suffix(".json").read_text())
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    names = [name for name in arrays if name.startswith("cortex/")]
    inner = {name.removeprefix("cortex/"): arrays.pop(name) for name in names}
    cortex = Cortex(**inner, noise_family=plain["noise_family"])
    movie = MovieCortex(cortex, arrays.pop("lags"), plain["envelope"], plain["dull"])
    return MovieTruth(plain["key"], plain["config"], cortex=movie, **arrays)
