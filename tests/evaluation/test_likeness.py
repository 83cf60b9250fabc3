"""One entry for all scores, against Brain-Score's stored outputs and planted truths."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import RidgeCV

from src.data.assemblies import Assembly
from src.data.choices import ChoiceTrials
from src.data.errors import DataError
from src.data.feature_set import FeatureSet
from src.evaluation.geometry import comparison_of, matrix_of
from src.evaluation.likeness import METRICS, Settings, choose_features, score, score_choices
from src.evaluation.linear_scores import RIDGECV_ALPHAS
from src.evaluation.repetition_ceiling import half_means
from src.evaluation.score_record import Source

PLAIN = Settings(resamples=0)
TOLERANCE = {"pls": (1e-3, 1e-4)}  # by a converged solver


@pytest.mark.parametrize("metric", ["pls", "ridge", "linear", "neuron_to_neuron"])
def test_mappings_are_brain_scores(brain_score, metric):
    raw, close = TOLERANCE.get(metric, (1e-9, 1e-9))
    found = score(brain_score.features, brain_score.assembly, metric, settings=PLAIN)
    stored = {
        k: brain_score.stored[f"{metric}_{k}"] for k in ("score", "error", "ceiled_r2_over_c")
    }
    assert found.raw == pytest.approx(float(stored["score"]), abs=close)
    assert found.error == pytest.approx(float(stored["error"]), abs=close)
    assert found.ceiled == pytest.approx(float(stored["ceiled_r2_over_c"]), abs=2 * close)
    assert found.ceiling == pytest.approx(float(brain_score.stored["ceiling"]), abs=1e-9)
    expected = brain_score.stored[f"{metric}_raw_split_x_neuroid"]
    np.testing.assert_allclose(found.arrays["by_split"], expected, rtol=0, atol=raw)
    assert (found.version, found.region, found.n_images, found.n_units) == (
        "r2c-2026",
        "IT",
        320,
        24,
    )


@pytest.mark.parametrize(
    ("metric", "key"), [("rdm", "rdm"), ("cka", "cka_unbiased"), ("cka_biased", "cka_biased")]
)
def test_geometry_is_brain_scores(brain_score, metric, key):
    found = score(brain_score.features, brain_score.assembly, metric, settings=PLAIN)
    assert found.raw == pytest.approx(float(brain_score.stored[key]), abs=1e-9)
    assert (
        found.ceiled == pytest.approx(found.raw / found.ceiling) and found.raw < found.ceiling < 1
    )


@pytest.mark.parametrize("metric", ["i2", "i2n"])
def test_choices_are_brain_scores(brain_score, metric):
    """Probabilities read out of features that say what they are to be."""
    known = np.log(brain_score.probabilities)
    fitting = pd.DataFrame({"stimulus_id": [f"f{i}" for i in range(48)]})
    fitting["object_name"] = np.repeat(brain_score.trials.objects, 2)
    own = np.repeat(np.eye(24), 2, axis=0) * 3
    ids = np.concatenate([brain_score.trials.images, fitting["stimulus_id"]])
    features = FeatureSet(np.concatenate([known, own]), ids, "logits")
    found = score_choices(features, fitting, brain_score.trials, metric, settings=PLAIN)
    ceiling = float(brain_score.stored[f"{metric}_ceiling"])
    assert found.ceiling == pytest.approx(ceiling, abs=1e-9) and found.version == "root"
    assert 0.2 < found.raw < found.ceiled and found.n_images == 120
    shown = fitting.assign(stimulus_id=brain_score.trials.images[:48])
    with pytest.raises(DataError, match="48 images are fitted and scored"):
        score_choices(features, shown, brain_score.trials)


def planted(n=200, u=15, noise=0.5, repeats=4, seed=0):
    """Responses that are a map of features, with independent noise, and those features."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 12)) @ rng.normal(size=(12, 250))
    signal = x @ rng.normal(size=(250, u))
    signal /= signal.std(axis=0)
    trials = signal + noise * np.sqrt(repeats) * rng.normal(size=(repeats, n, u))
    ids = np.array([f"p{i}" for i in range(n)])
    stimuli = {"stimulus_id": np.tile(ids, repeats), "repetition": np.repeat(range(repeats), n)}
    stimuli["object_name"] = np.tile(np.arange(n) % 8, repeats).astype(str)
    units = pd.DataFrame({"region": ["IT"] * u})
    return FeatureSet(x, ids), Assembly(trials.reshape(-1, u), pd.DataFrame(stimuli), units)


def test_true_features_reach_the_ceiling_and_permuted_ones_nothing():
    features, assembly = planted()
    found = score(features, assembly)
    assert found.ceiling == pytest.approx(1 / 1.25, abs=0.03)
    assert found.ceiled == pytest.approx(1, abs=0.06) and found.ceiled_units < 1.06
    assert found.ci_low < found.raw < found.ci_high and found.interval == "bootstrap"
    permuted = replace(features, values=np.random.default_rng(1).permutation(features.values))
    assert abs(score(permuted, assembly).raw) < 0.1


def test_a_population_against_itself_is_perfect():
    _, assembly = planted()
    means = assembly.averaged()
    own = FeatureSet(means.values, means.stimulus_ids, grid=(15, 1, 1))
    for metric in METRICS:
        if metric != "ridgecv_split":
            found = score(own, means, metric, settings=Settings(resamples=0, components=15))
            assert found.raw > 0.98 and np.isnan(found.ceiling) and np.isnan(found.ceiled)
    assert score(own, means, "neuron_to_neuron", settings=PLAIN).raw == pytest.approx(1)


def test_reverse_predictivity_is_the_swap():
    features, assembly = planted()
    means = assembly.averaged()
    swapped = Assembly(features.values, means.stimuli, pd.DataFrame(index=range(250)))
    settings = Settings(resamples=0, components=10)
    forward = score(FeatureSet(means.values, means.stimulus_ids), swapped, settings=settings)
    back = score(features, assembly, "reverse_pls", settings=settings)
    order = features.rows(means.stimulus_ids)
    again = replace(swapped, values=features.values[order])
    forward = score(FeatureSet(means.values, means.stimulus_ids), again, settings=settings)
    np.testing.assert_allclose(back.arrays["by_split"], forward.arrays["by_split"], atol=1e-9)
    assert back.arrays["by_split"].shape == (10, 250) and np.isnan(back.ceiling)


def test_planted_copies_are_found_one_to_one():
    _, assembly = planted()
    means = assembly.averaged()
    rng = np.random.default_rng(2)
    values = rng.normal(size=(200, 60))
    values[:, 7:22] = means.values[:, ::-1] * 2 + 5
    values[:, 40] = 3  # a feature that does not vary
    found = score(FeatureSet(values, means.stimulus_ids), means, "neuron_to_neuron", settings=PLAIN)
    np.testing.assert_allclose(found.arrays["by_split"], 1, atol=1e-12)


def test_ridgecv_split_is_scikit_learns():
    features, assembly = planted()
    means = assembly.averaged()
    part = np.where(np.arange(200) % 4 == 0, "test", "train")
    means = replace(means, stimuli=means.stimuli.assign(split=part))
    found = score(features, means, "ridgecv_split", settings=PLAIN)
    x, y = features.values[features.rows(means.stimulus_ids)], means.values
    theirs = RidgeCV(RIDGECV_ALPHAS).fit(x[part == "train"], y[part == "train"])
    p = theirs.predict(x[part == "test"])
    pairs = zip(p.T, y[part == "test"].T, strict=True)
    expected = np.median([stats.pearsonr(*pair).statistic for pair in pairs])
    assert found.raw == pytest.approx(expected, abs=1e-9) and found.error == 0
    with pytest.raises(DataError, match="column split has train: name train and test"):
        stimuli = means.stimuli.assign(split="train")
        score(features, replace(means, stimuli=stimuli), "ridgecv_split")


def test_ceilings_by_name():
    features, assembly = planted()
    snr = score(features, assembly, settings=Settings(resamples=0, ceiling="ncsnr"))
    assert snr.ceiling == pytest.approx(0.8, abs=0.03)
    none = score(features, assembly, settings=Settings(resamples=0, ceiling="none"))
    assert np.isnan(none.ceiling) and snr.raw == none.raw
    raw = score(features, assembly, settings=Settings(resamples=0, version="raw-2019"))
    assert raw.ceiled == raw.raw
    with pytest.raises(DataError, match="ncsnr is a ceiling of units"):
        score(features, assembly, "rdm", settings=Settings(ceiling="ncsnr"))


@pytest.mark.parametrize("metric", ["rdm", "cka"])
def test_a_ceiling_of_geometry_is_that_of_the_data_scored(metric):
    """It is found once for all models of the same data; of other values it is another."""
    features, assembly = planted()
    noise = np.random.default_rng(3).normal(size=assembly.values.shape)
    noisy = replace(assembly, values=assembly.values + noise)
    for data in (assembly, noisy, assembly):
        compare, x = comparison_of(metric), half_means(data)
        halves = [compare(*(matrix_of(metric, part) for part in pair)) for pair in x]
        expected = np.mean([2 * r / (1 + r) for r in halves])
        assert score(features, data, metric, settings=PLAIN).ceiling == pytest.approx(expected)


def test_a_region_and_a_bin_are_what_is_scored():
    features, assembly = planted()
    regions = np.array(["V4"] * 5 + ["IT"] * 10)
    values = np.stack([assembly.values, 0 * assembly.values + 1], axis=2)
    values[:, :, 1] += np.random.default_rng(0).normal(size=values.shape[:2])
    bins = np.array([[70, 170], [170, 270]])
    timed = Assembly(values, assembly.stimuli, assembly.units.assign(region=regions), bins)
    source = Source(study="toy", data="planted", split="public", access="public")
    found = score(features, timed, "ridge", "V4", (70, 170), source, PLAIN)
    plain = score(features, assembly.take(units=slice(5)), "ridge", settings=PLAIN)
    assert found.raw == plain.raw and found.n_units == 5
    assert (found.region, found.time_bin, found.split) == ("V4", "70-170", "public")
    assert found.data_hash == plain.data_hash
    with pytest.raises(DataError, match=r"values are \(800, 15, 2\): give a time_bin of \[\[70"):
        score(features, timed)
    with pytest.raises(DataError, match="metric 'plz': choose of pls, ridge"):
        score(features, assembly, "plz")


def test_the_layer_and_step_of_a_region_are_chosen():
    features, assembly = planted()
    rng = np.random.default_rng(0)
    other = replace(features, values=rng.normal(size=features.values.shape), layer="V1")
    late = replace(features, layer="IT", step=1)
    found = choose_features([other, replace(other, step=1), late], assembly, "IT", mapping="ridge")
    assert found.layer == "IT-t1" and found.chosen == ["IT-t1"] * 10
    alone = score(late, assembly, "ridge", settings=PLAIN)
    np.testing.assert_allclose(found.nested.raw, alone.arrays["by_split"], atol=1e-9)
    with pytest.raises(DataError, match="2 feature sets have 1 names"):
        choose_features([late, late], assembly)


def test_voxels_of_a_region_with_the_ceiling_of_their_snr():
    """Three trials an image, as in the NSD: what the images' features explain reaches ncsnr."""
    features, assembly = planted(n=400, noise=0.6, repeats=3)
    units = assembly.units.assign(region=["V1"] * 5 + ["FFA"] * 10, subject=["s1", "s2", "s1"] * 5)
    voxels = replace(assembly, units=units)
    found = score(features, voxels, "ridge", "FFA", settings=Settings(resamples=0, ceiling="ncsnr"))
    c = 1 / (1 + 0.6**2)
    assert found.ceiling == pytest.approx(c, abs=0.03) and found.n_units == 10
    np.testing.assert_allclose(found.arrays["unit_ceilings"], c, atol=0.06)
    assert found.ceiled_units == pytest.approx(1, abs=0.05)


def test_objects_too_rare_for_ten_splits_are_named():
    features, assembly = planted()
    rare = assembly.stimuli.assign(object_name=assembly.stimuli["stimulus_id"])
    with pytest.raises(DataError, match="200 stimuli of 200 objects, the rarest with 1"):
        score(features, replace(assembly, stimuli=rare))


def test_toy_assembly_scores_itself(brain_score):
    """30 stimuli of 3 objects, 25 units, as in the published example."""
    rng = np.random.default_rng(0)
    ids = np.arange(30).astype(str)
    stimuli = pd.DataFrame({"stimulus_id": ids, "object_name": np.repeat(list("abc"), 10)})
    toy = Assembly(rng.random((30, 25)), stimuli, pd.DataFrame({"region": ["some"] * 25}))
    found = score(FeatureSet(toy.values, ids), toy, settings=replace(PLAIN, components=25))
    assert found.raw == pytest.approx(1, abs=1e-6)


def test_choices_need_their_columns(brain_score):
    table = brain_score.choices
    with pytest.raises(DataError, match="dist_obj missing"):
        ChoiceTrials.of(table.drop(columns="dist_obj"))
    with pytest.raises(DataError, match=r"'beer' is not offered in row 3, 1 of 66240 rows"):
        ChoiceTrials.of(table.assign(choice=table["choice"].where(table.index != 3, "beer")))
    with pytest.raises(DataError, match="has two sample_obj"):
        ChoiceTrials.of(
            table.assign(sample_obj=table["sample_obj"].where(table.index != 5, table["dist_obj"]))
            .drop(index=5)
            .assign(stimulus_id="im")
        )
