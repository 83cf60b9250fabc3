"""Performance of single images against scipy, loops, and predictions whose quality is known."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from src.analyses import image_performance as performance
from src.evaluation.intervals import SessionResults

IMAGES, REPEATS, UNITS = 12, 4, 60


def made(quality=1.0, specific=1.0, seed=0):
    """Units that differ in mean rate; predictions know it, and some of the rest."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(2, 2, UNITS)
    signal = specific * rng.normal(size=(IMAGES, UNITS))
    ids = np.repeat(100 + rng.permutation(IMAGES), REPEATS)
    of_trial = np.repeat(np.arange(IMAGES), REPEATS)
    responses = (rate + signal)[of_trial] + rng.normal(size=(len(ids), UNITS))
    known = quality * signal + (1 - quality) * rng.normal(size=signal.shape)
    return SessionResults(
        "a", ids, responses, {"cnn": (rate + known)[of_trial], "rate": 0 * responses + rate}
    )


def means(x, result):
    return np.stack([x[result.image_ids == i].mean(axis=0) for i in np.unique(result.image_ids)])


def test_performance_is_the_correlation_over_units_of_the_means():
    result = made()
    table = performance.performance_table(result, "cnn", np.random.default_rng(0), 200)
    p, r = (means(x, result) for x in (result.predictions["cnn"], result.responses))
    np.testing.assert_array_equal(table["image_id"], np.unique(result.image_ids))
    assert (table["n_trials"] == REPEATS).all()
    np.testing.assert_allclose(
        table["performance"], [pearsonr(*x)[0] for x in zip(p, r, strict=True)]
    )
    others = [
        np.mean([pearsonr(p[j], r[i])[0] for j in range(IMAGES) if j != i]) for i in range(IMAGES)
    ]
    np.testing.assert_allclose(table["shuffled"], others)
    p, r = p - p.mean(axis=0), r - r.mean(axis=0)
    np.testing.assert_allclose(table["centered"], [pearsonr(*x)[0] for x in zip(p, r, strict=True)])


def test_intervals_over_units_are_those_of_fisher():
    """Of normal values, the bootstrap interval of a correlation is near the one in closed form."""
    rng = np.random.default_rng(3)
    p = rng.normal(size=(40, 400))
    r = 0.5 * p + rng.normal(size=p.shape)
    result = SessionResults("a", np.arange(40), r, {"cnn": p})
    table = performance.performance_table(result, "cnn", rng, 1000)
    width = np.arctanh(table["high"]) - np.arctanh(table["low"])
    np.testing.assert_allclose(width.mean(), 2 * 1.96 / np.sqrt(400 - 3), rtol=0.05)


def test_a_model_of_mean_rates_scores_but_not_above_shuffled_labels():
    """Why the published measure needs its control: the rates alone correlate across units."""
    table = performance.performance_table(made(), "rate", np.random.default_rng(0), 50)
    assert table["performance"].mean() > 0.8
    np.testing.assert_allclose(table["shuffled"], table["performance"])
    np.testing.assert_allclose(table["centered"], 0, atol=1e-6)


@pytest.mark.parametrize(("quality", "found"), [(1.0, True), (0.0, False)])
def test_only_what_is_specific_to_the_image_beats_shuffled_labels(quality, found):
    rng = np.random.default_rng(1)
    row = performance.session_table([made(quality)], ["cnn"], rng, 499).iloc[0]
    assert (row["p"] <= 0.05) == found and (row["p"] == 1 / 500) == found
    assert (row["identified"] == 1) == found
    assert (abs(row["centered"]) > 0.15) == found
    assert row["low"] < row["performance"] < row["high"]
    assert (row["images"], row["units"], row["chance"]) == (IMAGES, UNITS, 1 / IMAGES)


def test_matches_have_responses_in_rows_and_predictions_in_columns():
    p, r = np.random.default_rng(0).normal(size=(2, 3, 20))
    assert performance.matches(p, r)[0, 2] == pytest.approx(pearsonr(r[0], p[2])[0])


def test_summaries_before_and_after_averaging():
    result = made()
    table = performance.summaries(result).set_index(["of", "over"])
    assert list(table.index.get_level_values("of").unique()) == ["response", "cnn", "rate"]
    for over, x in (
        ("single trials", result.responses),
        ("means over repeats", means(result.responses, result)),
    ):
        expected = x.min(), np.median(x), x.max(), x.mean(), x.std()
        row = table.loc["response", over]
        np.testing.assert_allclose(
            row[["min", "median", "max", "mean", "std"]].astype(float), expected
        )
