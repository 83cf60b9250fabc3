"""The table of a contest: prices that count teachers, scores beside their differences."""

import numpy as np
import pandas as pd

from src.analyses.contest import summary_table

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
