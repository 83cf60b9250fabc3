"""From simulated files to the table of units: estimates against the simulator's truth."""

from dataclasses import replace

import numpy as np
import pytest

from src.config import BaselineCoreConfig, InputConfig, ModelConfig
from src.data.pack import pack
from src.data.sensorium import open_mice
from src.data.session import open_sessions
from src.evaluation.prediction import align, load_prediction, prediction_of, save_prediction
from src.evaluation.scores import unit_table
from src.models.encoder import Encoder
from src.simulate.config import PRESETS, SimulatedMouse
from src.simulate.mice import simulate_mice
from src.simulate.truth import load_truth

KEY = "21067-10-18"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Table of the units of a simulated mouse with 100 test images, beside the truth."""
    folder = tmp_path_factory.mktemp("mice")
    mice = (SimulatedMouse(KEY, "pretraining", 60),)
    config = replace(PRESETS["study"], mice=mice, train=8, validation=4, test_images=100)
    simulate_mice(folder / "raw", folder / "truth", config, seed=3)
    for mouse in open_mice(folder / "raw"):
        pack(mouse, folder / "processed" / mouse.key)
    sessions = open_sessions(folder / "processed", InputConfig())
    encoder = Encoder(ModelConfig("cnn", BaselineCoreConfig(channels=4)), sessions, seed=1)
    session = sessions[KEY]
    trials = session.trials("test")
    made = prediction_of(encoder, session, trials, {"model": "cnn"}, device="cpu")
    stored = load_prediction(save_prediction(made, folder / "prediction.npz"))
    predictions = align(stored, session.trial_ids[trials], session.unit_ids)
    responses = session.responses(trials).numpy()
    units = unit_table(session, predictions, responses, session.image_ids[trials])
    truth = load_truth(folder / "truth" / f"{KEY}.npz").scores()
    assert (units["n_test_images"] == 100).all() and (units["n_single_trial_images"] == 1).all()
    return units.merge(truth, on="unit_id", suffixes=("", "_true"), validate="1:1")


@pytest.mark.parametrize("score", ["fev", "cc_max"])
def test_estimates_agree_with_the_truth(evaluated, score):
    seen = evaluated[evaluated["kind"] != "noise"]
    assert len(evaluated) == 60 and len(seen) > 40
    assert np.corrcoef(evaluated[score], evaluated[f"{score}_true"])[0, 1] >= 0.9
    assert abs((seen[score] - seen[f"{score}_true"]).mean()) < 0.05


def test_units_blind_to_the_image_are_not_kept(evaluated):
    noise = evaluated["kind"] == "noise"
    assert noise.any() and not evaluated.loc[noise, "kept"].any()
    assert evaluated.loc[~noise, "kept"].mean() > 0.9
