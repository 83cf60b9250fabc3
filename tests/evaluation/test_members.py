"""The curve of score against members, against scores of subsets computed one by one."""

from itertools import combinations

import numpy as np
import pytest

from src.evaluation import metrics
from src.evaluation.intervals import SessionResults, interval_table
from src.evaluation.members import member_curve, subsets


def results(members=4, error=1.0, sessions="ab", withheld=False):
    """Members that err independently around one signal, on 30 images shown five times."""
    found = []
    for number, key in enumerate(sessions):
        rng = np.random.default_rng([3, number])
        ids = np.repeat(np.arange(30), 5)
        signal = rng.normal(size=(30, 6))
        p = signal + error * rng.normal(size=(members, 30, 6))
        r = signal[ids] + 0.7 * rng.normal(size=(150, 6))
        named = {f"member {m}": x[ids] for m, x in enumerate(p)}
        found.append(SessionResults(key, ids, 0 * r if withheld else r, named))
    return found


def test_all_subsets_where_there_are_few_and_different_ones_where_there_are_many():
    rng = np.random.default_rng(0)
    assert subsets(4, 2, 10, rng) == list(combinations(range(4), 2))
    drawn = subsets(10, 5, 40, rng)
    assert len(set(drawn)) == len(drawn) == 40
    assert all(len(set(s)) == 5 and list(s) == sorted(s) for s in drawn)
    assert len({i for s in drawn for i in s}) == 10
    assert drawn != subsets(10, 5, 40, rng)


@pytest.mark.parametrize("metric", ["single", "avg"])
def test_each_size_is_the_mean_over_its_subsets_and_sessions(metric):
    data = results()
    curve = member_curve(data, np.random.default_rng(0), metric, resamples=20)
    assert curve["members"].tolist() == [1, 2, 3, 4]
    assert curve["subsets"].tolist() == [4, 6, 4, 1]
    for size, row in zip(range(1, 5), curve.itertuples(), strict=True):
        scores = [
            np.mean([score(metric, x, [x.predictions[m] for m in chosen]) for x in data])
            for chosen in combinations(data[0].predictions, size)
        ]
        assert row.score == pytest.approx(np.mean(scores))
        assert (row.worst, row.best) == pytest.approx((min(scores), max(scores)))
        assert row.gain == pytest.approx(row.score - curve["score"][0])


def score(metric, x, members):
    p = np.mean(members, axis=0)
    if metric == "single":
        return metrics.single_trial_correlation(p, x.responses).mean()
    return metrics.correlation_to_average(p, x.responses, x.image_ids).mean()


def test_members_that_err_independently_gain_as_averaging_predicts():
    """Signal variance 1, error variance e^2 / k, mean of five trials with variance 0.49 / 5."""
    data = results(members=4, error=1.0, sessions="abcdefgh")
    curve = member_curve(data, np.random.default_rng(0), "avg", resamples=50)
    k = curve["members"].to_numpy()
    expected = 1 / np.sqrt((1 + 1 / k) * (1 + 0.49 / 5))
    np.testing.assert_allclose(curve["score"], expected, atol=0.02)
    assert (curve["gain_low"][1:] > 0).all()
    assert (curve["low"] < curve["score"]).all() and (curve["score"] < curve["high"]).all()


def test_the_gain_is_paired_and_equal_members_gain_nothing():
    data = results(error=0.5)
    curve = member_curve(data, np.random.default_rng(0), "avg", resamples=100)
    width = curve["high"] - curve["low"]
    assert ((curve["gain_high"] - curve["gain_low"])[1:] < width[1:] / 2).all()
    for x in data:
        x.predictions.update(dict.fromkeys(x.predictions, x.predictions["member 0"]))
    same = member_curve(data, np.random.default_rng(0), "avg", resamples=20)
    np.testing.assert_allclose(same[["gain", "gain_low", "gain_high"]], 0, atol=1e-12)


def test_one_member_has_the_interval_of_a_single_model():
    data = results(members=1)
    row = member_curve(data, np.random.default_rng(0), "avg", resamples=100).iloc[0]
    table = interval_table(data, np.random.default_rng(0), resamples=100)
    expected = table.query("metric == 'avg' and session == 'mean of 2'").iloc[0]
    for name in ("score", "low", "high"):
        assert row[name] == pytest.approx(expected[name])


def test_withheld_sessions_are_left_out():
    data = [*results(sessions="a"), *results(sessions="b", withheld=True)]
    both = member_curve(data, np.random.default_rng(0), resamples=20)
    assert both.equals(member_curve(data[:1], np.random.default_rng(0), resamples=20))
