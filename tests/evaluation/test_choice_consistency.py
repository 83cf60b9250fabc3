"""i1, i1n, i2, i2n against Brain-Score's stored outputs, brute force and planted agreement."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from src.data.choices import ChoiceTrials, open_choices
from src.data.errors import DataError
from src.evaluation.choice_consistency import (
    CONSISTENCIES,
    consistency,
    discriminability,
    human_rates,
    image_table,
    model_rates,
)
from src.evaluation.choice_readout import choice_probabilities, fit_choices


@pytest.mark.parametrize("metric", ["i2", "i2n"])
@pytest.mark.parametrize("strict", [True, False])
def test_stored_outputs(brain_score, metric, strict):
    found = consistency(brain_score.probabilities, brain_score.trials, metric, strict)
    stored = {k: v for k, v in brain_score.stored.items() if k.startswith(f"{metric}_")}
    expected = [stored[f"{metric}_{k}"] for k in ("score", "error", "ceiling")]
    np.testing.assert_allclose([found.score, found.error, found.ceiling], expected, atol=1e-9)
    assert found.ceiled == pytest.approx(float(stored[f"{metric}_ceiled_r_over_sqrt_c"]), abs=1e-9)
    np.testing.assert_allclose(found.raw, stored[f"{metric}_raw"], atol=1e-9)
    np.testing.assert_allclose(found.ceilings, stored[f"{metric}_ceiling_raw"], atol=1e-9)
    assert (found.entries == 120 * 23).all()


def simulated(seed=0, per_object=6, objects=5, trials=6000, sharpness=2.0):
    """Trials by a softmax of evidence, and the probabilities it implies."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(objects), per_object)
    evidence = rng.normal(size=(len(truth), objects))
    evidence[np.arange(len(truth)), truth] += 1.5
    p = np.exp(sharpness * evidence)
    p /= p.sum(axis=1, keepdims=True)
    image = rng.integers(len(truth), size=trials)
    other = (truth[image] + rng.integers(1, objects, size=trials)) % objects
    wrong = rng.random(trials) < p[image, other] / (p[image, other] + p[image, truth[image]])
    names = np.array([f"o{i}" for i in range(objects)])
    table = pd.DataFrame({"stimulus_id": [f"i{i:03}" for i in image], "dist_obj": names[other]})
    table["sample_obj"] = names[truth[image]]
    table["choice"] = np.where(wrong, table["dist_obj"], table["sample_obj"])
    return p, table


@pytest.mark.parametrize("metric", CONSISTENCIES)
def test_definition_by_brute_force(metric):
    p, table = simulated()
    trials = ChoiceTrials.of(table)
    truth, objects, z = trials.truth, 5, stats.norm.ppf
    q = np.full((30, 5), np.nan)
    for i, image in enumerate(trials.images):
        for d, name in enumerate(trials.objects):
            offered = table[(table["stimulus_id"] == image) & (table["dist_obj"] == name)]
            if len(offered):
                q[i, d] = (offered["choice"] == name).mean()
    np.testing.assert_array_equal(human_rates(trials), q)
    expected = np.full((30, 5), np.nan)
    for i in range(30):
        for d in set(range(objects)) - {truth[i]}:
            alarms = np.nanmean([q[j, truth[i]] for j in range(30) if truth[j] == d])
            expected[i, d] = np.clip(z(1 - q[i, d]) - z(alarms), -5, 5)
    if metric.endswith("n"):
        for t in range(objects):
            for d in set(range(objects)) - {t}:
                expected[truth == t, d] -= np.nanmean(expected[truth == t, d])
    if metric.startswith("i1"):
        expected = np.nanmean(expected, axis=1)[:, None]
    np.testing.assert_allclose(discriminability(q, truth, metric), expected, atol=1e-12)
    own = model_rates(p, truth)
    assert own[0, 3] == p[0, 3] / (p[0, 3] + p[0, 0]) and np.isnan(own[0, 0])


def test_the_model_that_made_the_choices_reaches_its_ceiling():
    p, table = simulated(trials=30_000)
    trials = ChoiceTrials.of(table)
    for metric in CONSISTENCIES:
        found = consistency(p, trials, metric)
        assert found.ceiled == pytest.approx(1, abs=0.06) and found.score > 0.8
    low, high = np.quantile(found.resampled(np.random.default_rng(0), 200), [0.025, 0.975])
    assert low < found.score < high and high - low < 0.3
    permuted = np.roll(p, 1, axis=0)
    assert consistency(permuted, trials, "i2n").score < 0.3
    table = image_table(p, trials)
    assert stats.pearsonr(table["model"], table["human"]).statistic > 0.9


def test_an_empty_cell_is_left_out_and_refused_by_the_letter():
    p, table = simulated()
    rare = ChoiceTrials.of(table[:400])
    found = consistency(p, rare, "i2")
    assert (found.entries[:, 1] < found.entries[:, 0]).all() and not np.isnan(found.ceiled)
    with pytest.raises(DataError, match=r"of \d+ entries are undefined on one side"):
        consistency(p, rare, "i2", strict=True)


def test_an_image_missing_from_a_half_does_not_break_the_order():
    p, table = simulated()
    once = table[(table["stimulus_id"] != "i007") | ~table["stimulus_id"].duplicated()]
    found = consistency(p, ChoiceTrials.of(once), "i1")
    assert (found.entries.min(axis=0) == [29, 29]).all() and found.score > 0.7


def test_the_readout_gives_probabilities_in_the_order_asked():
    rng = np.random.default_rng(0)
    objects = np.repeat(["b", "a", "c"], 40)
    x = rng.normal(size=(120, 6))
    x[:, :3] += 4 * (objects[:, None] == np.array(["a", "b", "c"]))
    readout = fit_choices(x, objects)
    p = choice_probabilities(readout, x, np.array(["a", "b", "c"]))
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (np.array(["a", "b", "c"])[p.argmax(axis=1)] == objects).mean() > 0.95
    with pytest.raises(DataError, match="knows 3 objects, asked for 2; in one only: c"):
        choice_probabilities(readout, x, np.array(["a", "b"]))
    with pytest.raises(DataError, match="of 1 objects: give two"):
        fit_choices(x, np.full(120, "a"))


def test_probabilities_of_other_images_are_refused():
    p, table = simulated()
    with pytest.raises(DataError, match=r"\(29, 5\), of images x objects \(30, 5\)"):
        consistency(p[1:], ChoiceTrials.of(table))


def test_a_csv_of_trials(tmp_path):
    _, table = simulated()
    table.rename(columns={"sample_obj": "truth"}).to_csv(tmp_path / "c.csv", index=False)
    assert open_choices(tmp_path / "c.csv").content_hash == ChoiceTrials.of(table).content_hash
    assert ChoiceTrials.of(table[1:]).content_hash != ChoiceTrials.of(table).content_hash
    with pytest.raises(DataError, match="does not exist: give a csv with stimulus_id"):
        open_choices(tmp_path / "d.csv")
