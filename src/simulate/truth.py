"""What is known about a simulated mouse, kept outside its folder: `<key>.npz` and `<key>.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.manifest import save_arrays, save_json
from src.simulate.cortex import Cortex
from src.simulate.trials import Trials

STATES = 32  # behavioral states over which the truth about repeats is averaged


@dataclass(frozen=True)
class Truth:
    """Ground truth of one simulated mouse."""

    key: str
    config: dict[str, Any]  # as_plain(SimulationConfig), with all planted effects
    unit_ids: np.ndarray  # (u,)
    cortex: Cortex
    trials: Trials
    boxes: np.ndarray  # (n, 4) true boxes x, y, w, h in 0..1, full frame without an object
    expected: np.ndarray  # (n, u) expected responses in response units
    repeats: np.ndarray  # (i,) trials per test image, images in order of `trials.images`
    image_means: np.ndarray  # (i, u) mean response to a test image, over behavior and noise
    image_variances: np.ndarray  # (i, u) variance of single responses to it: behavior and noise

    @property
    def noise_variance(self) -> np.ndarray:
        """Variance of the response of a trial around its expectation: (n, u)."""
        return self.cortex.fano * self.expected

    def scores(self) -> pd.DataFrame:
        """True V, N, FEV = (V - N) / V and CC_max per unit, on test images shown more than once.

        V is the variance of single responses, N its part within images; CC_max is the correlation
        of the true image means with averages over the actual number of repeats. Undefined without
        variance: NaN.
        """
        several = self.repeats > 1
        variances, repeats = self.image_variances[several], self.repeats[several, None]
        signal, noise = self.image_means[several].var(0), variances.mean(0)
        average = signal + (variances / repeats).mean(0)
        with np.errstate(invalid="ignore"):
            fev, cc_max = signal / (signal + noise), np.sqrt(signal / average)
        columns = {"unit_id": self.unit_ids, "kind": self.cortex.kinds, "v": signal + noise}
        return pd.DataFrame({**columns, "n": noise, "fev": fev, "cc_max": cc_max})


def repeat_moments(
    cortex: Cortex, images: np.ndarray, boxes: np.ndarray, trials: Trials
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of single responses per image, over behavior and noise.

    (i, 36, 64), (i, 4) -> (i, u), (i, u). Behavior runs over STATES moments of the session spread
    evenly in time; the noise part is closed: variance = mean(fano * expected) + Var(expected).
    """
    times = np.argsort(trials.rank)[np.linspace(0, len(trials.rank) - 1, STATES).astype(int)]
    behavior, pupil = trials.behavior[times], trials.pupil[times]
    means, variances = [], []
    for some in np.split(np.arange(len(images)), range(8, len(images), 8)):
        shown, tile = np.repeat(some, STATES), (len(some), 1)
        expected = cortex.expected(
            images[shown], boxes[shown], np.tile(behavior, tile), np.tile(pupil, tile)
        ).reshape(len(some), STATES, -1)
        means.append(expected.mean(1))
        variances.append(cortex.fano * means[-1] + expected.var(1))
    return np.concatenate(means), np.concatenate(variances)


def save_truth(truth: Truth, path: Path) -> Path:
    """Write `path` (.npz) with all arrays, and the JSON of that name with the planted effects."""
    plain = {"simulated": True, "key": truth.key, "config": truth.config}
    save_json({**plain, "noise_family": truth.cortex.noise_family}, path.with_suffix(".json"))
    parts = {"cortex": truth.cortex, "trials": truth.trials, "": truth}
    arrays = {
        f"{part}/{name}" if part else name: value
        for part, owner in parts.items()
        for name, value in vars(owner).items()
        if isinstance(value, np.ndarray)
    }
    return save_arrays(path, **arrays)


def load_truth(path: Path) -> Truth:
    """Read the truth saved as `path` (`<truth_folder>/<key>.npz`)."""
    path = Path(path)
    plain = json.loads(path.with_suffix(".json").read_text())
    with np.load(path, allow_pickle=False) as stored:
        parts: dict[str, dict[str, np.ndarray]] = {"": {}, "cortex": {}, "trials": {}}
        for name in stored.files:
            part, _, field = name.rpartition("/")
            parts[part][field] = stored[name]
    cortex = Cortex(**parts["cortex"], noise_family=plain["noise_family"])
    trials = Trials(**parts["trials"])
    return Truth(plain["key"], plain["config"], cortex=cortex, trials=trials, **parts[""])
