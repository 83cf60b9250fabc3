"""What the simulator calls true against estimates from many repeats, by formulas of section 7."""

from dataclasses import fields

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from src.config import as_plain
from src.simulate.config import PRESETS, SimulatedMouse
from src.simulate.layout import write_mouse
from src.simulate.truth import load_truth


def estimates(responses, images):
    """V, N, FEV and CC_max from single responses: (n, u), (n,) -> 4 x (u,)."""
    groups = [responses[images == i] for i in np.unique(images)]
    several = [g for g in groups if len(g) > 1]
    v, n = responses.var(0, ddof=1), np.mean([g.var(0, ddof=1) for g in several], axis=0)
    averages = np.array([g.mean(0) for g in several])
    error = np.mean([g.var(0, ddof=1) / len(g) for g in several], axis=0)
    signal = np.maximum(averages.var(0, ddof=1) - error, 0)
    return v, n, (v - n) / v, np.sqrt(signal / averages.var(0, ddof=1))


def moments(files, stacked):
    test = files["meta/trials/tiers"] == "test"
    return estimates(
        stacked(files, "responses")[test].astype(float), files["meta/trials/frame_image_id"][test]
    )


MANY = {"test_images": 8, "repeats": (250, 250), "train": 4, "validation": 4}


@pytest.mark.parametrize("family", ["gamma", "poisson"])
def test_variances_are_analytic(one_mouse, in_memory, stacked, still, family):
    config = one_mouse(30, noise_family=family, **MANY, **still)
    files, truth = in_memory(config, images=False)
    v, n, fev, cc_max = moments(files, stacked)
    true = truth.scores()
    assert_allclose((n / true["n"]).mean(), 1, atol=0.04)
    assert_allclose((v / true["v"]).mean(), 1, atol=0.04)
    assert_allclose(fev, true["fev"], atol=0.08)
    assert_allclose((fev - true["fev"]).mean(), 0, atol=0.015)
    visual = (true["kind"] != "noise").to_numpy()
    assert_allclose(cc_max[visual], true["cc_max"][visual], atol=0.08)


def test_behavior_and_pupil_count_as_noise(one_mouse, in_memory, stacked, still):
    effects = {"behavior_additive": 1.0, "behavior_gain": 0.3, "pupil_shift": 0.03}
    true, estimated = {}, {}
    for name, changes in (("without", still), ("with", effects)):
        files, truth = in_memory(one_mouse(30, noise=0.2, **MANY, **changes), images=False)
        true[name] = truth.scores()
        estimated[name] = moments(files, stacked)[2]
        assert_allclose(estimated[name], true[name]["fev"], atol=0.12)
        assert_allclose((estimated[name] - true[name]["fev"]).mean(), 0, atol=0.03)
    assert true["with"]["fev"].mean() < true["without"]["fev"].mean() - 0.1


def test_units_blind_to_the_image_have_no_explainable_variance(one_mouse, in_memory):
    config = one_mouse(30, noise_fraction=0.3)
    scores = in_memory(config, images=False)[1].scores().set_index("kind")
    assert len(scores.loc["noise"]) == 9
    assert_allclose(scores.loc["noise", ["fev", "cc_max"]], 0, atol=1e-10)
    assert scores.drop("noise")["fev"].min() > 1e-4


def test_estimates_on_100_test_images_agree_with_the_truth():
    config = PRESETS["study"]
    mouse = SimulatedMouse("21067-10-18", units=60)
    config = type(config)(mice=(mouse,), train=4, validation=4, test_images=100)
    files = {}
    truth = write_mouse(
        config, mouse, 5, lambda k, a: None if "images" in k else files.update({k: a})
    )
    n = len(files["meta/trials/tiers"])
    responses = np.stack([files[f"data/responses/{i}"] for i in range(n)]).astype(float)
    test = files["meta/trials/tiers"] == "test"
    ids = truth.trials.image_ids[test]
    _, _, fev, cc_max = estimates(responses[test], ids)
    true = truth.scores()
    for estimate, name in ((fev, "fev"), (cc_max, "cc_max")):
        assert np.corrcoef(estimate, true[name])[0, 1] >= 0.9
        assert abs((estimate - true[name]).mean()) < 0.05
    assert not (fev[true["kind"] == "noise"] >= 0.15).any()


def test_expected_responses_are_the_mean_of_the_responses(one_mouse, in_memory, stacked):
    config = one_mouse(40, train=300)
    files, truth = in_memory(config, images=False)
    error = stacked(files, "responses") - truth.expected
    z = error.mean(0) / np.sqrt(truth.noise_variance.mean(0) / len(error))
    assert np.abs(z).max() < 5 and 0.5 < z.std() < 1.5
    assert_allclose((error.var(0) / truth.noise_variance.mean(0)).mean(), 1, atol=0.05)


def test_planted_behavior_is_in_the_responses(one_mouse, in_memory, stacked):
    config = one_mouse(30, train=200, behavior_additive=1.0, behavior_gain=0.0)
    files, truth = in_memory(config, images=False)
    y, x = stacked(files, "responses"), stacked(files, "behavior")
    r = np.corrcoef(np.column_stack([x[:, 2], y]).T)[0, 1:]
    weight = truth.cortex.additive[2]
    assert np.corrcoef(r, weight)[0, 1] > 0.7 and r[weight > 0.8].min() > 0.1


def test_a_saved_truth_is_read_back_whole(tiny):
    key = "21067-10-18"
    truth = load_truth(tiny.truth_folder / f"{key}.npz")
    config, mouse = PRESETS["tiny"], PRESETS["tiny"].mice[0]
    drawn = write_mouse(config, mouse, 7, lambda name, array: None)
    pairs = (truth, drawn), (truth.cortex, drawn.cortex), (truth.trials, drawn.trials)
    for part, again in pairs:
        for field in fields(part):
            value, expected = getattr(part, field.name), getattr(again, field.name)
            if isinstance(expected, np.ndarray):
                assert_array_equal(value, expected, strict=True)
    assert truth.key == key and truth.cortex.noise_family == "gamma"
    assert truth.config["similarity_um"] == as_plain(config)["similarity_um"]
