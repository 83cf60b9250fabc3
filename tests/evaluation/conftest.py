"""A small simulated IT session, packed once for tests of probes; Brain-Score's stored outputs."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from src.config import InputConfig
from src.data.assemblies import Assembly
from src.data.choices import ChoiceTrials
from src.data.feature_set import FeatureSet
from src.data.inferotemporal import open_inferotemporal
from src.data.pack import pack
from src.data.session import Session
from src.simulate.inferotemporal import load_truth, simulate_inferotemporal

SEED = 7


@pytest.fixture(scope="session")
def inferotemporal(tmp_path_factory):
    """The tiny preset: `session`, its `truth`, the `seed` of both."""
    root = tmp_path_factory.mktemp("inferotemporal")
    path = simulate_inferotemporal(root / "raw", root / "truth", "tiny", SEED)
    pack(open_inferotemporal(path), root / "pooled")
    session = Session(root / "pooled", InputConfig(scale="full"))
    return SimpleNamespace(
        session=session, truth=load_truth(root / "truth/truth.npz"), seed=SEED, root=root
    )


@pytest.fixture(scope="session")
def brain_score(shared):
    """`stored` arrays, the `assembly` with repetitions, `features`, `trials`, `probabilities`."""
    with np.load(shared / "fixtures/brainscore/metric_outputs.npz") as file:
        stored = dict(file)
    repeats, n, u = stored["in_repetitions"].shape
    columns = {
        "stimulus_id": np.tile(stored["in_stimulus_id"], repeats),
        "object_name": np.tile(stored["in_object"], repeats),
        "repetition": np.repeat(np.arange(repeats), n),
    }
    units = pd.DataFrame({"neuroid_id": stored["ceiling_neuroid_ids"], "region": "IT"})
    values = stored["in_repetitions"].reshape(-1, u)
    trials = pd.DataFrame(
        {
            name: stored[f"beh_trial_{key}"]
            for name, key in (
                ("stimulus_id", "img"),
                ("sample_obj", "sample"),
                ("dist_obj", "dist"),
                ("choice", "choice"),
            )
        }
    )
    return SimpleNamespace(
        stored=stored,
        assembly=Assembly(values, pd.DataFrame(columns), units),
        features=FeatureSet(stored["in_features"], stored["in_stimulus_id"], "toy", layer="IT"),
        choices=trials,
        trials=ChoiceTrials.of(trials),
        probabilities=stored["beh_model_prob"][np.argsort(stored["beh_img"])],
    )
