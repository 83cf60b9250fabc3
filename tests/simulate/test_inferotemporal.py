"""Simulated IT: the course's layout, and what is planted is what can be found."""

from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from src.data import inferotemporal
from src.data.inferotemporal import KEYS, open_inferotemporal, unnormalize
from src.data.objects import OBJECTS
from src.evaluation.ceilings import spearman_brown, split_half
from src.simulate import inferotemporal as simulation
from src.simulate.inferotemporal import (
    PRESETS,
    SimulatedObjects,
    load_truth,
    random_map,
    simulate_inferotemporal,
)
from src.simulate.objects import draw_scenes, lay_out

TINY = PRESETS["tiny"]
LARGER = SimulatedObjects(size=32, per_object=20, units=20, v4_units=0)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny preset with its assembly, and its truth."""
    root = tmp_path_factory.mktemp("tiny_it")
    path = simulate_inferotemporal(root / "raw", root / "truth", "tiny", 7, assembly=True)
    return SimpleNamespace(root=root, path=path, truth=load_truth(root / "truth/truth.npz"))


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    """1280 pictures: enough to fit true features; without an assembly."""
    root = tmp_path_factory.mktemp("larger_it")
    path = simulate_inferotemporal(root / "raw", root / "truth", LARGER, 0)
    source = open_inferotemporal(path)
    images = [unnormalize(source.stored(t, range(n)))[:, 0] for t, n in source.counts().items()]
    images = np.rint(np.concatenate(images) * 255).astype(np.uint8)
    return SimpleNamespace(images=images, truth=load_truth(root / "truth/truth.npz"))


def files(folder):
    return {f.name: f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_presets_are_the_sizes_promised():
    sizes = {n: (p.size, p.per_object * 64, p.units) for n, p in PRESETS.items()}
    assert sizes["tiny"] == (32, 320, 16) and sizes["demo"] == (64, 1600, 60)
    assert sizes["real_shape"] == (224, 3200, 168)


def test_the_file_is_the_courses_layout(tiny):
    with h5py.File(tiny.path) as file:
        assert sorted(file) == sorted(KEYS)
        for tier, n in (("train", 192), ("val", 64), ("test", 64)):
            assert file[f"stimulus_{tier}"].shape == (n, 3, 32, 32)
            assert file[f"stimulus_{tier}"].dtype == np.float32
            assert file[f"stimulus_{tier}"].compression == "gzip"
            assert set(np.char.decode(file[f"object_{tier}"][:], "latin-1")) == set(OBJECTS)
        assert file["spikes_val"].shape == (64, 16) and file["spikes_val"].dtype == np.float32
        rates = np.concatenate([file["spikes_train"], file["spikes_val"]])
    assert abs(rates.var(0).mean() - 0.14) < 0.02 and rates.min() < 0  # and negative ones occur
    np.testing.assert_array_equal(rates, tiny.truth.rates[tiny.truth.tiers != "test"])


def test_one_seed_gives_the_same_bytes_with_or_without_assembly(tiny, tmp_path):
    path = simulate_inferotemporal(tmp_path / "raw", tmp_path / "truth", "tiny", 7)
    assert path.read_bytes() == tiny.path.read_bytes()
    assert files(tmp_path / "truth") == files(tiny.root / "truth")
    simulate_inferotemporal(tmp_path / "raw", tmp_path / "truth", "tiny", 7, assembly=True)
    assert files(tmp_path / "raw") == files(tiny.root / "raw")
    other = simulate_inferotemporal(tmp_path / "b", tmp_path / "c", "tiny", 8)
    assert other.read_bytes() != path.read_bytes()


def test_an_interrupted_simulation_is_finished_to_the_same_bytes(tiny, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(inferotemporal, "_write_images", interrupted)
        simulate_inferotemporal(tmp_path / "raw", tmp_path / "truth", "tiny", 7)
    assert {f.name for f in (tmp_path / "raw").iterdir()} == {"simulation.json"}
    path = simulate_inferotemporal(tmp_path / "raw", tmp_path / "truth", "tiny", 7)
    assert path.read_bytes() == tiny.path.read_bytes()


def test_a_finished_simulation_is_left_and_another_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(simulation, "draw_scenes", lambda *_: pytest.fail("drawn again"))
    folders = tiny.root / "raw", tiny.root / "truth"
    assert simulate_inferotemporal(*folders, "tiny", 7, assembly=True) == tiny.path
    for preset, seed in (("tiny", 8), (replace(TINY, units=17), 7)):
        with pytest.raises(FileExistsError, match="holds another simulation"):
            simulate_inferotemporal(*folders, preset, seed)
    (tmp_path / "mine.txt").touch()
    with pytest.raises(FileExistsError, match="choose an empty folder for a simulation"):
        simulate_inferotemporal(tmp_path, tmp_path / "truth", "tiny", 7)


def test_the_truth_adds_up(tiny):
    truth = tiny.truth
    wanted = truth.features @ truth.weights + truth.baseline
    np.testing.assert_allclose(truth.expected, wanted, atol=1e-6)
    signal = truth.expected.var(0)
    noise = truth.noise_variance * (1 / truth.repetitions).mean()
    np.testing.assert_allclose(signal / (signal + noise), truth.reliability, rtol=1e-5)
    assert abs(np.median(truth.reliability) - 0.82) < 0.005
    residual = (truth.rates - truth.expected) / np.sqrt(
        truth.noise_variance / truth.repetitions[:, None]
    )
    assert abs(residual.std() - 1) < 0.02 and abs(residual.mean()) < 0.03
    assert truth.repetitions.min() >= 28 and truth.repetitions.max() <= 50


def test_scenes_have_a_fifth_of_variation_0():
    scenes = lay_out(50, 0)
    for name in (OBJECTS[0], OBJECTS[40]):
        here = scenes.objects == name
        assert np.unique(scenes.variation[here], return_counts=True)[1].tolist() == [10, 40]
    still = scenes.variation == 0
    assert not scenes.position[still].any() and not scenes.rotation[still].any()
    assert scenes.position[~still].std() > 0.1 and scenes.size[~still].std() > 0.03


def test_a_scene_shows_its_object_where_the_table_says():
    scenes = lay_out(5, 0)
    moved = replace(scenes, position=scenes.position + np.array([0.15, -0.1]))
    change = np.abs(draw_scenes(scenes, 64, 0).astype(int) - draw_scenes(moved, 64, 0))
    x = (np.arange(64) + 0.5) / 64 - 0.5
    center = [(change.sum(axis) * x).sum(1) / change.sum((1, 2)) for axis in (1, 2)]
    found = np.stack(center, 1)[scenes.variation == 3]
    wanted = (scenes.position + np.array([0.075, -0.05]))[scenes.variation == 3]
    for axis in (0, 1):
        assert np.corrcoef(found[:, axis], wanted[:, axis])[0, 1] > 0.8
    assert draw_scenes(scenes, 64, 0).std() > 25


def explained(larger, features) -> np.ndarray:
    """EV on pictures not trained on, alpha by the validation tier: (i, f) -> (u,)."""
    truth = larger.truth
    train, validation, test = (truth.tiers == t for t in ("train", "validation", "test"))
    best, chosen = -np.inf, None
    for alpha in (0.1, 10.0, 1e3, 1e4):
        fit = Ridge(alpha).fit(features[train], truth.rates[train])
        ev = [
            1 - (truth.rates[t] - fit.predict(features[t])).var(0) / truth.rates[t].var(0)
            for t in (validation, test)
        ]
        if ev[0].mean() > best:
            best, chosen = ev[0].mean(), ev[1]
    return chosen


def test_true_features_reach_the_ceiling_and_pixels_do_not(larger):
    truth, test = larger.truth, larger.truth.tiers == "test"
    features = truth.features
    noise = (truth.rates - truth.expected)[test].var(0) / truth.rates[test].var(0)
    true = explained(larger, features)
    assert np.abs(true - (1 - noise)).max() < 0.03  # of the reliability on these very pictures
    assert abs(true.mean() - truth.reliability.mean()) < 0.03
    pixels = explained(larger, larger.images.reshape(len(features), -1) / 32.0)
    other = explained(larger, random_map(larger.images, 99))
    assert 0.05 < pixels.mean() < other.mean() - 0.03 and other.mean() < true.mean() - 0.2


def test_permuted_rates_and_noise_are_not_predicted(larger, tmp_path):
    rng = np.random.default_rng(0)
    mixed = replace(larger.truth, rates=rng.permutation(larger.truth.rates))
    twin = SimpleNamespace(truth=mixed, images=larger.images)
    ev = explained(twin, larger.truth.features)
    assert ev.mean() < 0.01
    noise = replace(TINY, noise_sites=TINY.units)
    simulate_inferotemporal(tmp_path / "raw", tmp_path / "truth", noise, 7)
    truth = load_truth(tmp_path / "truth/truth.npz")
    assert not truth.reliability.any() and not truth.expected.std(0).round(12).any()
    assert abs(truth.rates.var(0).mean() - 0.14) < 0.02


def test_ceilings_recover_reliability_to_two_percent():
    """IT-40: 28 to 50 repetitions of 1600 pictures."""
    world = simulation._World(replace(LARGER, per_object=25, units=8), 0)
    rates = np.concatenate(list(world.blocks()))
    shown = np.repeat(np.arange(1600), world.repetitions)
    half = split_half(rates, shown, np.random.default_rng(0), splits=5)
    assert np.abs(spearman_brown(half) - world.reliability).max() < 0.02
