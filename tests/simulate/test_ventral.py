"""Simulated V4 and IT that read a network: what is planted is what can be found."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.special import softmax
from scipy.stats import spearmanr

from src.data.assembly_files import open_assembly
from src.data.choices import open_choices
from src.data.folders import open_folders
from src.evaluation.choice_consistency import (
    consistency,
    discriminability,
    human_rates,
    model_rates,
)
from src.evaluation.repetition_ceiling import (
    internal_consistency,
    noise_ceiling_snr,
)
from src.manifest import file_sha256
from src.simulate.choices import SimulatedChoices
from src.simulate.solution_times import SimulatedTimes
from src.simulate.ventral import (
    PRESETS,
    VentralStream,
    load_ventral_truth,
    principal,
    simulate_ventral,
)
from src.simulate.voxels import SimulatedVoxels

SMALL = VentralStream(
    size=32,
    per_object=10,
    it_sites=13,
    v4_sites=6,
    latents=4,
    repetitions=(6, 10),
    times=SimulatedTimes(sites=30, repetitions=6),
    choices=SimulatedChoices(trials=30),
    voxels=SimulatedVoxels(each=5, repetitions=3),
    training=(1, 1),
)


def blocks(images):
    """Stands for a network: means of pixels over coarse cells, two ways, and columns of pixels."""
    x = images[:, ::4, ::4].reshape(len(images), -1).astype(float)
    n, h, w = images.shape
    coarse = images.reshape(n, 4, h // 4, 4, w // 4).mean((2, 4)).reshape(n, -1)
    return {"V1": x, "V4": np.abs(x - x.mean(0)), "IT": np.square(coarse - coarse.mean(0))}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("ventral")
    path = simulate_ventral(root / "raw", root / "truth", SMALL, 3, blocks)
    truth = load_ventral_truth(root / "truth/truth.npz")
    return SimpleNamespace(root=root, raw=root / "raw", truth=truth, assembly=open_assembly(path))


def test_the_assembly_is_labeled_as_recordings_are(made):
    assembly, truth = made.assembly, made.truth
    assert assembly.values.shape == (truth["repetitions"].sum(), 19)
    assert {"stimulus_id", "object_name", "category_name", "variation", "repetition"} <= set(
        assembly.stimuli
    )
    assert set(assembly.units["animal"]) == {"simulated_a", "simulated_b"}
    assert set(assembly.units["subregion"]) == {"pIT", "cIT", "aIT", "V4"}
    counts = assembly.stimuli.groupby("stimulus_id").size()
    assert counts.tolist() == truth["repetitions"].tolist()
    assert (assembly.units["region"].to_numpy() == truth["region"]).all()
    objects = assembly.averaged().column("object_name")
    assert (objects == truth["objects"]).all()


def test_reliabilities_are_the_planted_ones(made):
    """By split halves; the median, and two sites that cannot be explained."""
    for region in ("V4", "IT"):
        here = made.truth["region"] == region
        found = internal_consistency(made.assembly.of_region(region)).raw.mean(0)
        planted = made.truth["reliability"][here]
        assert np.abs(np.nan_to_num(found) - planted).max() < 0.12
    it = np.flatnonzero(made.truth["region"] == "IT")
    assert (made.truth["reliability"][it[:2]] == 0).all()
    means = made.assembly.averaged().values
    assert np.ptp(means[:, it[1]]) < 1e-5 and means[:, it[0]].std() > 0.1
    np.testing.assert_allclose(np.median(made.truth["reliability"][it[2:]]), 0.82, atol=0.03)


def test_sites_are_linear_in_their_own_area(made):
    """Expected rates of V4 from its latents alone; of IT only with categories beside."""
    expected, region = made.truth["expected"], made.truth["region"]
    left = {}
    for name in ("V4", "IT"):
        y = expected[:, region == name]
        for use, x in (("own", made.truth[f"features_{name}"]), ("V4", made.truth["features_V4"])):
            x = np.column_stack([np.ones(len(x)), x])
            fit = x @ np.linalg.lstsq(x, y, rcond=None)[0]
            left[name, use] = np.abs(fit - y).max()
    assert left["V4", "own"] < 1e-8 and left["IT", "own"] < 1e-8 and left["IT", "V4"] > 0.5


def test_objects_are_known_at_the_planted_time(made):
    """The mean square over sites of an object's mean response rises at onset, late if hard."""
    timed = open_assembly(made.raw / "assembly_10ms.h5").averaged()
    assert timed.values.shape == (640, 30, 18) and timed.time_bins[0].tolist() == [70, 80]
    onset, hard = made.truth["onset_ms"], made.truth["hard"]
    assert 30 < np.median(onset[hard]) - np.median(onset[~hard]) < 70
    power = np.square(timed.values).mean(1)  # (i, t)
    middles = timed.time_bins.mean(1)
    known = middles[None] >= onset[:, None]
    assert power[known].mean() > 2 * power[~known].mean()
    table = pd.read_csv(made.raw / "solution_times.csv")
    assert spearmanr(table["solution_ms"], onset).statistic > 0.9


def test_people_choose_as_they_were_made_to(made):
    trials = open_choices(made.raw / "behavior.csv")
    human = made.truth["human"]
    assert len(trials.image) == 48 * 23 * 30 and len(trials.objects) == 24
    assert (trials.images == made.truth["named_ids"]).all()
    rates, chances = human_rates(trials), model_rates(human.copy(), trials.truth)
    known = ~np.isnan(chances)
    error = np.sqrt(chances * (1 - chances) / 30)
    assert np.abs((rates - chances)[known] / error[known].clip(0.02)).mean() < 1.2
    np.testing.assert_allclose(human.sum(1), 1)
    assert softmax(np.log(human), axis=1).argmax(1).tolist() == human.argmax(1).tolist()


def test_a_models_agreement_with_people_is_known(made):
    """Over the root of the ceiling, trials tell what the chances say without noise."""
    trials = open_choices(made.raw / "behavior.csv")
    human, model = made.truth["human"], made.truth["model"]
    patterns = [discriminability(model_rates(p.copy(), trials.truth), trials.truth, "i2n")
                for p in (human, model)]  # fmt: skip
    known = ~np.isnan(patterns[0])
    true = np.corrcoef(*(x[known] for x in patterns))[0, 1]
    assert consistency(model.copy(), trials, "i2n").ceiled == pytest.approx(true, abs=0.1)


def test_voxels_have_their_ncsnr(made):
    voxels = open_assembly(made.raw / "voxels.h5")
    found = noise_ceiling_snr(voxels.values, voxels.stimulus_ids)
    assert np.corrcoef(found, made.truth["ncsnr"])[0, 1] > 0.95
    assert (voxels.units["region"].to_numpy() == made.truth["roi"]).all()


def test_pictures_to_train_on_are_no_pictures_of_the_assembly(made):
    train, held_out = open_folders(made.raw / "pictures")
    assert len(train) == len(held_out) == 64 and len(train.classes) == 8
    assert train.read(0).shape == (32, 32, 3)
    with Image.open(held_out.root / held_out.names[0]) as picture:
        assert picture.mode == "L"


def test_one_seed_gives_the_same_bytes_and_is_left_as_it_is(made, tmp_path):
    path = simulate_ventral(tmp_path / "raw", tmp_path / "truth", SMALL, 3, blocks)
    for name in ("assembly.h5", "assembly_10ms.h5", "voxels.h5", "behavior.csv"):
        assert file_sha256(tmp_path / "raw" / name) == file_sha256(made.raw / name)
    before = path.stat().st_mtime_ns
    folders = tmp_path / "raw", tmp_path / "truth"
    simulate_ventral(*folders, SMALL, 3, blocks)
    assert path.stat().st_mtime_ns == before
    with pytest.raises(FileExistsError, match="another simulation"):
        simulate_ventral(
            tmp_path / "raw", tmp_path / "truth", replace(SMALL, spread=1.0), 3, blocks
        )


def test_components_are_uncorrelated_and_in_order():
    x = np.random.default_rng(0).normal(size=(50, 8)) * np.arange(8, 0, -1)
    found = principal(x, 1, 3)
    np.testing.assert_allclose(found.T @ found / 50, np.eye(3), atol=1e-9)
    u = np.linalg.svd(x - x.mean(0), full_matrices=False)[0][:, 1:4]
    np.testing.assert_allclose(np.abs((u * found).sum(0)), np.sqrt(50), rtol=1e-6)
    with pytest.raises(ValueError, match="fewer than 9 components"):
        principal(x, 1, 8)


def test_presets_are_the_sizes_promised():
    sizes = {n: (p.size, p.per_object * 64, p.it_sites, p.v4_sites) for n, p in PRESETS.items()}
    assert sizes["real_shape"] == (224, 3200, 168, 88) and sizes["demo"][:2] == (64, 768)
    assert PRESETS["tiny"].per_object * 64 * 0.9 * 0.1 >= 64  # a test picture of each object
