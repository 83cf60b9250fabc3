"""Thirds of a state, and whether a planted effect of behavior is found where there is one only.

The truth is the simulator's: the prediction is its expected response, no network is trained.
"""

from dataclasses import replace

import numpy as np
import pytest

from src.analyses import behavior
from src.evaluation.intervals import SessionResults
from src.evaluation.metrics import single_trial_correlation
from src.simulate.config import SimulatedMouse, SimulationConfig
from src.simulate.layout import write_mouse

PLANTED = SimulationConfig(
    mice=(SimulatedMouse("21067-10-18", units=40, boxes="absent"),),
    train=2,
    validation=1,
    test_images=24,
    noise_fraction=0.0,
    behavior_gain=0.5,
)
ABSENT = replace(PLANTED, behavior_additive=0.0, behavior_gain=0.0, pupil_shift=0.0)


def ideal(config, seed=3):
    """Test responses, predicted by the truth with behavior and without, and the pupil's size."""
    responses = {}

    def keep(name, array):
        if name.startswith("data/responses/"):
            responses[int(name.rsplit("/", 1)[1])] = array

    truth = write_mouse(config, config.mice[0], seed, keep)
    test = np.flatnonzero(truth.trials.tiers == "test")
    ids = truth.trials.image_ids[test]
    image = np.unique(truth.trials.images[test], return_inverse=True)[1]
    predictions = {"told": truth.expected[test], "blind": truth.image_means[image]}
    result = SessionResults("a", ids, np.stack([responses[i] for i in test]), predictions)
    used = behavior.repeated(result)
    return behavior.with_other_repeats(result), truth.trials.behavior[test][used, 0]


@pytest.fixture(scope="module")
def planted():
    result, pupil = ideal(PLANTED)
    return behavior.compare([result], {"a": pupil}, np.random.default_rng(0), 300)


@pytest.fixture(scope="module")
def absent():
    result, pupil = ideal(ABSENT)
    return behavior.compare([result], {"a": pupil}, np.random.default_rng(0), 300)


@pytest.mark.parametrize("model", ["told", "blind", behavior.REPEATS])
def test_a_planted_gain_is_found(planted, model):
    row = behavior.difference_table(planted).set_index(["model", "session"]).loc[model, "a"]
    assert row["low"] > 0 and row["p"] <= 2 / 301
    assert row["units_better"] > 0.6 and abs(row["null"]) < row["difference"] / 2


@pytest.mark.parametrize("model", ["told", "blind", behavior.REPEATS])
def test_nothing_is_found_where_behavior_does_nothing(absent, model):
    row = behavior.difference_table(absent).set_index(["model", "session"]).loc[model, "a"]
    assert row["low"] < 0 < row["high"] and row["p"] > 0.05


def test_being_told_the_behavior_helps_only_where_it_has_an_effect(planted, absent):
    found = behavior.benefit_table(planted, [("told", "blind")])
    assert (found["low"] > 0).all()
    found = behavior.benefit_table(absent, [("told", "blind")])
    assert (found["difference"].abs() < 1e-3).all()


def test_thirds_are_the_smallest_and_largest_values():
    state = np.random.default_rng(0).normal(size=30)
    small, large = behavior.thirds(state)
    order = np.argsort(state)
    assert set(np.flatnonzero(small)) == set(order[:10])
    assert set(np.flatnonzero(large)) == set(order[20:])


def test_equal_values_stay_together():
    """A mouse that mostly sits: the smallest third is every trial in which it sat."""
    running = np.array([0.0] * 8 + [1.0, 2.0])
    small, large = behavior.thirds(running)
    assert small.tolist() == [True] * 8 + [False] * 2 and large.tolist() == (~small).tolist()
    assert behavior.varies(running)
    assert not behavior.varies(np.zeros(10)) and not behavior.varies(np.r_[np.zeros(9), 1])


def test_shuffles_stay_within_the_image():
    groups = np.random.default_rng(1).permutation(np.repeat([3, 5, 9], [2, 5, 4]))
    order = behavior.shuffled_within(groups, np.random.default_rng(2), 200)
    assert order.shape == (200, 11)
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(11), (200, 1)))
    assert (groups[order] == groups).all()
    places = np.flatnonzero(groups == 5)
    visits = [np.mean(order[:, places[0]] == place) for place in places]
    assert min(visits) > 0.1 and max(visits) < 0.3


def random_session(name, seed=0):
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(8), [1, 4, 5, 6, 4, 5, 3, 4])
    p, r = rng.normal(size=(2, len(ids), 6))
    return SessionResults(name, ids, r, {"cnn": p}), rng.normal(size=len(ids))


def test_scores_are_single_trial_correlations_and_means_of_sessions():
    (one, first), (two, second) = random_session("a"), random_session("b", 1)
    found = behavior.compare([one, two], {"a": first, "b": second}, np.random.default_rng(0), 20)
    for k, (result, state) in enumerate(((one, first), (two, second))):
        for third, mask in enumerate(behavior.thirds(state)):
            expected = single_trial_correlation(
                result.predictions["cnn"][mask], result.responses[mask]
            )
            np.testing.assert_allclose(found["cnn", "ab"[k]].units[third], expected)
    mean = found["cnn", "mean of 2"]
    np.testing.assert_allclose(
        mean.scores, (found["cnn", "a"].scores + found["cnn", "b"].scores) / 2
    )
    assert mean.units.shape == (2, 12)


def test_resamples_are_scores_of_the_images_drawn():
    """Drawn image by image: the correlation of the trials one would have had."""
    result, state = random_session("a")
    found = behavior.compare([result], {"a": state}, np.random.default_rng(0), 10)["cnn", "a"]
    weights = behavior.Draws.make(result.image_ids, 10, np.random.default_rng(0)).weights
    for b, weight in enumerate(weights):
        for third, mask in enumerate(behavior.thirds(state)):
            trials = np.repeat(np.arange(len(state)), weight[result.image_ids] * mask)
            p, r = result.predictions["cnn"][trials], result.responses[trials]
            expected = single_trial_correlation(p, r).mean()
            np.testing.assert_allclose(found.samples[third, b], expected, atol=1e-6)


def test_other_repeats_are_the_mean_of_the_images_other_trials():
    result, _ = random_session("a")
    more = behavior.with_other_repeats(result)
    assert len(more.responses) == len(result.responses) - 1
    for n, image in enumerate(more.image_ids):
        others = (more.image_ids == image) & (np.arange(len(more.image_ids)) != n)
        expected = more.responses[others].mean(axis=0)
        np.testing.assert_allclose(more.predictions[behavior.REPEATS][n], expected)


def test_a_silent_unit_has_no_score():
    result, state = random_session("a")
    result.responses[:, 2] = 0
    found = behavior.compare([result], {"a": state}, np.random.default_rng(0), 20)["cnn", "a"]
    assert np.isnan(found.units[:, 2]).all() and np.isfinite(found.scores).all()
    assert np.isfinite(found.samples).all()
