"""Intervals and paired comparisons over sessions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from src.data.errors import DataError
from src.data.hashes import trial_sha256
from src.evaluation import metrics
from src.evaluation.intervals import (
    SessionResults,
    comparison_table,
    interval_table,
    load_results,
)
from src.evaluation.prediction import Prediction, save_prediction

GOOD, BAD = 0.3, 0.9  # error of the two models


def results(keys="ab", images=60, counts=8, difference=True, seed=0):
    """Sessions with the same image ids, and two models."""
    found = []
    for number, key in enumerate(keys):
        rng = np.random.default_rng([seed, number])
        ids = np.repeat(np.arange(images), counts)
        signal = rng.normal(size=(images, 5))
        errors = rng.normal(size=(2, images, 5)) * [[[GOOD]], [[BAD if difference else GOOD]]]
        r = signal[ids] + rng.normal(size=(len(ids), 5))
        good, bad = (signal + errors)[:, ids]
        found.append(SessionResults(key, ids, r, {"good": good, "bad": bad}))
    return found


def test_interval_table_encloses_the_scores_and_averages_sessions():
    data = results()
    table = interval_table(data, np.random.default_rng(0), resamples=200)
    assert table["session"].drop_duplicates().tolist() == ["a", "b", "mean of 2"]
    assert len(table) == 2 * 3 * 3
    assert ((table["low"] < table["score"]) & (table["score"] < table["high"])).all()
    row = table.query("model == 'good' and metric == 'avg'").set_index("session")["score"]
    expected = metrics.correlation_to_average(
        data[0].predictions["good"], data[0].responses, data[0].image_ids
    ).mean()
    assert row["a"] == pytest.approx(expected)
    assert row["mean of 2"] == pytest.approx((row["a"] + row["b"]) / 2)


def test_rows_of_a_metric_give_its_scores():
    (data,) = results("a")
    assert data.rows("single").predictions["bad"] is data.predictions["bad"]
    means = data.rows("avg")
    assert means.responses.shape == means.predictions["good"].shape == (60, 5)
    tables = (
        interval_table([x], np.random.default_rng(0), resamples=50, metrics=[m])
        for x, m in ((data, "avg"), (means, "single"))
    )
    columns = ["model", "session", "score", "low", "high"]
    trials, images = (table[columns] for table in tables)
    pd.testing.assert_frame_equal(trials, images, rtol=1e-6)


def test_feve_row_is_the_mean_over_kept_units():
    data = results("a")
    data[0].responses[:, 0] = np.random.default_rng(1).normal(size=len(data[0].responses))
    table = interval_table(data, np.random.default_rng(0), resamples=50)
    arguments = data[0].predictions["bad"], data[0].responses, data[0].image_ids
    kept = metrics.kept(metrics.fev(*arguments[1:]))
    assert kept.tolist() == [False, True, True, True, True]
    score = table.query("model == 'bad' and metric == 'feve' and session == 'a'")["score"]
    assert score.item() == pytest.approx(metrics.feve(*arguments)[kept].mean())


def test_comparison_finds_the_better_model():
    table = comparison_table(results(), [("good", "bad")], np.random.default_rng(0), 300)
    assert (table["low"] > 0).all() and (table["units_better"] > 0.9).all()
    scores = interval_table(results(), np.random.default_rng(0), 10)
    by_model = scores.pivot(index=["metric", "session"], columns="model", values="score")
    difference = table.set_index(["metric", "session"])["difference"]
    expected = by_model["good"] - by_model["bad"]
    np.testing.assert_allclose(difference, expected[difference.index], atol=1e-12)


def test_comparison_is_paired():
    table = comparison_table(results(), [("bad", "bad")], np.random.default_rng(0), 50)
    assert (table[["difference", "low", "high", "units_better"]] == 0).all(axis=None)


def test_over_trials_each_model_is_drawn_by_itself():
    """Its spread is that of literal resampling of rows, and a model differs from its twin."""
    data, rng = results("a"), np.random.default_rng(2)
    p, r = data[0].predictions["bad"], data[0].responses
    data = [replace(data[0], predictions={"bad": p, "twin": p})]
    how = {"resamples": 1000, "metrics": ("single",), "over": "trials"}
    row = interval_table(data, rng, **how).query("model == 'bad' and session == 'a'").iloc[0]
    literal = [
        metrics.single_trial_correlation(p[rows], r[rows]).mean()
        for rows in rng.integers(0, len(r), (1000, len(r)))
    ]
    expected = np.quantile(literal, [0.025, 0.975])
    np.testing.assert_allclose([row["low"], row["high"]], expected, atol=0.15 * np.ptp(expected))
    twin = comparison_table(data, [("bad", "twin")], rng, **how).iloc[0]
    width = np.sqrt(2) * np.ptp(expected)
    assert twin["high"] - twin["low"] == pytest.approx(width, rel=0.15)
    with pytest.raises(ValueError, match="use single"):
        interval_table(data, rng, 10, metrics=("single", "avg"), over="trials")


def test_comparison_of_equal_models_covers_zero():
    covered = 0
    for seed in range(60):
        data = results("ab", 40, difference=False, seed=seed)
        table = comparison_table(data, [("good", "bad")], np.random.default_rng(seed), 100)
        row = table.query("metric == 'avg' and session == 'mean of 2'").iloc[0]
        covered += row["low"] <= 0 <= row["high"]
    assert 52 <= covered <= 60


def test_sessions_that_share_images_do_not_narrow_the_interval_of_the_mean():
    """Two copies of one session carry no more information than one of them."""
    one = results("a")[0]
    copy = SessionResults("b", one.image_ids, one.responses, one.predictions)
    table = interval_table([one, copy], np.random.default_rng(0), 200)
    for _, rows in table.groupby(["model", "metric"]):
        low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
        np.testing.assert_allclose(low, low[0])
        np.testing.assert_allclose(high, high[0])


def test_withheld_sessions_and_unknown_scores_are_left_out():
    a, b = results()
    hidden = SessionResults("b", b.image_ids, 0 * b.responses, b.predictions)
    table = interval_table([a, hidden], np.random.default_rng(0), 20)
    assert set(table["session"]) == {"a", "mean of 1"}
    assert interval_table([hidden], np.random.default_rng(0), 20).empty
    once = SessionResults("a", np.arange(len(a.responses)), a.responses, a.predictions)
    table = interval_table([once], np.random.default_rng(0), 20)
    assert set(table["metric"]) == {"single", "avg"}
    assert not table.isna().any(axis=None)


def test_units_that_never_vary_are_left_out_or_count_as_zero():
    (data,) = results("a")
    data.responses[:, :2] = 1.0
    rng = np.random.default_rng(0)
    left_out, zero = (
        interval_table([replace(data, silent=silent)], rng, 20, metrics=("single",))
        for silent in (False, True)
    )
    row = left_out.query("model == 'good' and session == 'a'").iloc[0]
    p, r = data.predictions["good"], data.responses
    expected = metrics.single_trial_correlation(p[:, 2:], r[:, 2:])
    assert row["score"] == pytest.approx(expected.mean())
    both = zero.query("model == 'good' and session == 'a'").iloc[0]
    assert both["score"] == pytest.approx(expected.sum() / 5)
    assert both["low"] < both["score"] < both["high"] < row["low"]


def test_same_generator_same_table():
    one, two = (interval_table(results(), np.random.default_rng(5), 20) for _ in range(2))
    assert one.equals(two)


def test_unknown_model_is_refused():
    with pytest.raises(KeyError, match="wide"):
        comparison_table(results(), [("wide", "bad")], np.random.default_rng(0), 5)


class FakeSession:
    """Ten trials of three units, with responses that name both."""

    key, unit_ids = "a", np.array([1, 2, 4])
    trial_ids, image_ids = np.array([f"t{i}" for i in range(10)]), np.arange(10) % 4
    image_index, images = image_ids, np.arange(16, dtype=np.uint8).reshape(4, 2, 2)

    def trials(self, tier):
        return np.array({"test": [2, 5, 7], "train": [2, 5]}[tier])

    def responses(self, index):
        return torch.from_numpy(np.asarray(index)[:, None] * 10.0 + np.arange(3))


def test_results_of_files_are_matched_with_the_responses(tmp_path):
    session, rng = FakeSession(), np.random.default_rng(0)
    for name in ("one", "two"):
        trials, units = rng.permutation([2, 5, 7]), rng.permutation(3)
        values = session.responses(trials).numpy()[:, units] + (name == "two")
        ids = session.trial_ids[trials], session.image_ids[trials], session.unit_ids[units]
        made = Prediction(values, *ids, image_sha256=trial_sha256(session, trials))
        save_prediction(made, tmp_path / name / "a.npz")
    for tier in (None, "test"):
        (found,) = load_results({"a": session}, tmp_path, {"x": "one", "y": "two"}, tier)
        assert found.session == "a" and found.image_ids.tolist() == [2, 1, 3]
        np.testing.assert_array_equal(found.responses, session.responses([2, 5, 7]))
        np.testing.assert_array_equal(found.predictions["x"], found.responses)
        np.testing.assert_array_equal(found.predictions["y"], found.responses + 1)
    with pytest.raises(DataError, match=r"a.npz: 3 trials where 2 are wanted, 1 unknown"):
        load_results({"a": session}, tmp_path, {"x": "one"}, "train")
    session.images = session.images[::-1]
    with pytest.raises(DataError, match=r"a.npz: 3 of 3 trials were predicted for other images"):
        load_results({"a": session}, tmp_path, {"x": "one"}, None)


def test_members_add_their_own_uncertainty():
    """Two models of four members each; the members' scatter is far larger than the images'."""
    rng = np.random.default_rng(3)
    (x,) = results("a", images=400, difference=False)
    noise = rng.normal(size=(2, 4, *x.responses.shape)) * rng.uniform(0.2, 4, (2, 4, 1, 1))
    a, b = x.predictions["good"] + noise
    stacked = SessionResults("a", x.image_ids, x.responses, {"a": a, "b": b})
    single = metrics.single_trial_correlation
    means = np.array([[single(m, x.responses).mean() for m in model] for model in (a, b)])
    row = comparison_table([stacked], [("a", "b")], np.random.default_rng(0), 2000).iloc[0]
    assert row["difference"] == pytest.approx(np.diff(means[::-1].mean(axis=1)).item())
    error = (means[0] - means[1]).std(ddof=1) / 2
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)


def two_way(rng, units=15, images=60):
    """A session whose score varies from unit to unit and from image to image, and the truth.

    EV of a unit is 1 - e / (1 + e), e its error variance, which a hard image multiplies.
    """
    hard = rng.gamma(2, 0.5, (images, 1))
    error = rng.choice([0.2, 0.5, 2.0], units)
    p = rng.normal(size=(images, units))
    r = p + rng.normal(size=p.shape) * np.sqrt(hard * error)
    truth = np.mean([1 - e / (1 + e) for e in (0.2, 0.5, 2.0)])
    return SessionResults("a", np.arange(images), r, {"model": p}), truth


def test_an_interval_over_images_and_units_covers_what_holds_for_other_units():
    """Truths are of both populations; over images alone, the drawn units' luck is not counted."""
    over_images, over_both = 0, 0
    for seed in range(120):
        rng = np.random.default_rng([11, seed])
        session, truth = two_way(rng)
        row = interval_table([session], rng, 200, metrics=("ev",), units=True).iloc[0]
        over_images += row["low"] <= truth <= row["high"]
        over_both += row["low_units"] <= truth <= row["high_units"]
    assert over_images / 120 < 0.75 and 0.88 <= over_both / 120 <= 0.99


def test_units_add_an_interval_and_change_no_other():
    data = results()
    plain = interval_table(data, np.random.default_rng(0), 50)
    both = interval_table(data, np.random.default_rng(0), 50, units=True)
    assert both[plain.columns.tolist()].equals(plain)
    assert both.columns.tolist() == [*plain, "low_units", "high_units"]


def test_a_difference_is_paired_over_units_too():
    """Units differ widely, models by the same in each: only a paired interval is narrow."""
    rng = np.random.default_rng(5)
    session, _ = two_way(rng, units=40, images=200)
    worse = 0.9 * session.predictions["model"]
    pair = {"model": session.predictions["model"], "worse": worse}
    data = [SessionResults("a", session.image_ids, session.responses, pair)]
    given = {"metrics": ("ev",), "units": True}
    scores = interval_table(data, np.random.default_rng(0), 300, **given).iloc[0]
    row = comparison_table(data, [("model", "worse")], np.random.default_rng(0), 300, **given)
    row = row.iloc[0]
    width = row["high_units"] - row["low_units"]
    assert 0 < width < 0.2 * (scores["high_units"] - scores["low_units"])
    assert row["low_units"] <= row["difference"] <= row["high_units"]
