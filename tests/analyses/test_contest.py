"""The table of a contest: prices that count teachers, scores beside their differences."""

from dataclasses import replace

import numpy as np
import pandas as pd

from src.analyses.contest import images_an_epoch, price_table, summary_table
from src.config import TrainingConfig
from src.data.splits import Split
from src.models.cost import multiply_adds
from src.models.encoder import Encoder
from src.paths import run_paths
from src.studies import STUDIES
from tests.movies import MovieFake

PRICE = pd.DataFrame(
    {
        "model": ["student", "student", "wide", "wide"],
        "member": [1, 2, 1, 2],
        "parameters": [10, 10, 90, 90],
        "own": [1.0, 3.0, 20.0, 30.0],
        "teachers": [5.0, 5.0, 0.0, 0.0],
    }
)
SCORES = pd.DataFrame(
    [
        (name, "avg", value, value - 0.1, value + 0.1)
        for name, value in (("student", 0.6), ("student x 2", 0.7), ("wide", 0.4), ("wide 1", 0.5))
    ]
    + [("student", "single", 0.1, 0.0, 0.2)],
    columns=["model", "metric", "score", "low", "high"],
)
DIFFERENCES = pd.DataFrame(
    [("student", "wide", "avg", 0.2, 0.1, 0.3), ("student", "wide", "single", 0.0, 0.0, 0.0)],
    columns=["model", "other", "metric", "difference", "low", "high"],
)


def test_a_student_pays_for_its_teachers_and_an_ensemble_once():
    table = summary_table(PRICE, SCORES, DIFFERENCES).set_index("model")
    assert table["training"].to_dict() == {"student": 7.0, "student x 2": 9.0, "wide": 25.0}


def test_scores_and_differences_are_those_of_the_metric_asked_for():
    table = summary_table(PRICE, SCORES, DIFFERENCES).set_index("model")
    assert table.loc["student", ["score", "difference"]].tolist() == [0.6, 0.2]
    assert np.isnan(table.loc["wide", "difference"])  # the one that has to be beaten
    assert "wide 1" not in table.index


def test_an_epoch_shows_as_many_images_of_each_session_as_the_largest_has():
    split = {k: Split(np.arange(n), np.arange(3), np.arange(0)) for k, n in (("a", 9), ("b", 4))}
    recipe = TrainingConfig(batch_size=5)
    assert images_an_epoch(split, recipe) == 18
    assert images_an_epoch(split, replace(recipe, steps_per_epoch=3)) == 30


def test_films_are_priced_by_clips_and_the_epochs_that_were_trained(tmp_path):
    profile = STUDIES["sensorium2023"].profile("demo")
    plan = profile.plan("compact")
    sessions = {k: MovieFake(k, image_shape=(1, 30, 36, 64), n_trials=5) for k in "ab"}
    places = run_paths("sensorium2023", "demo", str(tmp_path), str(tmp_path))
    places.member("compact", 1).mkdir(parents=True)
    (places.member("compact", 1) / "history.csv").write_text("epoch\n1\n2\n")
    table = price_table(profile, places, 1, ["compact"], lambda folder, inputs: sessions)
    clips = 2 * 2 * 3  # epochs, mice, training films
    expected = 3 * clips * multiply_adds(Encoder(plan.model, sessions, 1)) / 1e12
    assert table["own"].tolist() == [expected] and table["teachers"].tolist() == [0]
