"""Differences between conditions: planted ones are found, and where there are none, none are."""

import numpy as np
import pytest

from src.evaluation.ablation import ablation_table
from src.evaluation.bootstrap import Draws, exchanged_differences
from src.evaluation.intervals import SessionResults, comparison_table, interval_table
from src.evaluation.metrics import single_trial_correlation

IDS = np.repeat(np.arange(30), 4)
UNITS = 12


def session(seed, gain, members=3, key="a"):
    """Responses to 30 images, and two models of k members; one knows `gain` more of the signal."""
    draw = np.random.default_rng(seed)
    signal = draw.normal(size=(30, UNITS))[IDS]
    responses = signal + 0.8 * draw.normal(size=signal.shape)
    error = draw.normal(size=(2, members, 30, UNITS))[:, :, IDS]
    predictions = {"with": (0.5 + gain) * signal + error[0], "without": 0.5 * signal + error[1]}
    return SessionResults(key, IDS, responses, predictions)


def table(results, resamples=300):
    pairs = [("with", "without")]
    return ablation_table(results, pairs, np.random.default_rng(0), resamples).iloc[0]


def test_a_planted_difference_is_found_in_every_seed():
    row = table([session(1, 0.3), session(2, 0.3, key="b")])
    assert row["low"] > 0 and row["p"] == pytest.approx(1 / 301)
    assert (row[["seed_1", "seed_2", "seed_3"]] > 0).all()
    assert row["difference"] == pytest.approx(row[["seed_1", "seed_2", "seed_3"]].mean())


def test_without_a_difference_p_is_spread_evenly():
    p = np.array([table([session(seed, 0.0, members=1)], 60)["p"] for seed in range(40)])
    assert 0.35 < p.mean() < 0.65 and (p < 0.1).mean() < 0.25


def test_equal_models_do_not_differ():
    x = session(3, 0.2)
    same = SessionResults(
        "a", IDS, x.responses, dict.fromkeys(x.predictions, x.predictions["with"])
    )
    row = table([same])
    assert (row["difference"], row["low"], row["high"], row["p"]) == (0, 0, 0, 1)


def test_members_are_scored_one_by_one():
    x = session(4, 0.2)
    by_hand = {
        name: np.mean([single_trial_correlation(member, x.responses) for member in p], axis=0)
        for name, p in x.predictions.items()
    }
    scores = interval_table([x], np.random.default_rng(0), 20)
    for name, units in by_hand.items():
        rows = scores[(scores["model"] == name) & (scores["metric"] == "single")]
        assert rows["score"].tolist() == pytest.approx([units.mean()] * 2)
        assert ((rows["low"] < rows["score"]) & (rows["score"] < rows["high"])).all()
    row = comparison_table([x], [("with", "without")], np.random.default_rng(0), 20).iloc[0]
    assert row["units_better"] == np.mean(by_hand["with"] > by_hand["without"])


def test_withheld_sessions_stay_out():
    x, silent = session(5, 0.1), session(6, 0.1, key="b")
    withheld = SessionResults("b", IDS, np.zeros_like(silent.responses), silent.predictions)
    alone, both = table([x]), table([x, withheld])
    assert alone.drop("session").equals(both.drop("session"))


@pytest.mark.parametrize("metric", ["single", "avg"])
def test_exchanged_predictions_are_scored_as_if_put_together_by_hand(metric):
    x = session(7, 0.2)
    p, q = x.predictions["with"][0], x.predictions["without"][0]
    swaps = np.random.default_rng(1).integers(0, 2, (5, 30))
    found = exchanged_differences(metric, p, q, x.responses, IDS, Draws(np.arange(30), swaps))
    for swap, difference in zip(swaps[:, IDS, None], found, strict=True):
        pair = {"a": np.where(swap, q, p), "b": np.where(swap, p, q)}
        mixed = SessionResults("a", IDS, x.responses, pair)
        rows = comparison_table([mixed], [("a", "b")], np.random.default_rng(0), 2)
        wanted = rows[(rows["metric"] == metric) & (rows["session"] == "a")]["difference"]
        assert difference == pytest.approx(wanted.item(), abs=1e-7)  # metrics add 1e-8 to a spread
