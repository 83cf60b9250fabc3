"""Assemblies: two monkeys kept apart, ceilings from repetitions, and the course's file rebuilt."""

import shutil
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from src.config import InputConfig
from src.data.assembly import ObjectAssembly, find_assembly, open_monkeys, rebuild
from src.data.errors import DataError
from src.data.inferotemporal import KEYS, open_inferotemporal
from src.data.inferotemporal_checks import check_inferotemporal
from src.data.pack import pack, read_manifest
from src.data.session import Session
from src.evaluation.ceilings import spearman_brown, split_half
from src.simulate.inferotemporal import (
    SimulatedObjects,
    load_truth,
    simulate_inferotemporal,
)
from src.simulate.sites import MONKEYS

SEED = 5
CONFIG = SimulatedObjects(
    size=32, per_object=5, units=14, v4_units=5, noise_sites=1, repetitions=(4, 8)
)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A small simulation with few repetitions, its assembly and its truth."""
    root = tmp_path_factory.mktemp("assembly")
    path = simulate_inferotemporal(root / "raw", root / "truth", CONFIG, SEED, assembly=True)
    truth = load_truth(root / "truth/truth.npz")
    return SimpleNamespace(path=path, assembly=path.with_name("assembly.h5"), truth=truth)


@pytest.fixture
def copy(simulated, tmp_path):
    """The assembly, to be damaged."""
    return shutil.copy(simulated.assembly, tmp_path / "assembly.h5")


def test_a_session_is_one_monkeys_sites_in_it(simulated, tmp_path):
    truth, seen = simulated.truth, []
    for monkey in open_monkeys(simulated.assembly, SEED):
        pack(monkey, tmp_path / monkey.key)
        session = Session(tmp_path / monkey.key, InputConfig(scale="full"))
        assert session.n_trials == truth.repetitions.sum()
        assert set(session.area) <= {"pIT", "cIT", "aIT"}
        assert read_manifest(tmp_path / monkey.key)["images"] == len(truth.objects)
        rates = session.responses(np.arange(session.n_trials)).numpy() / session._scale
        place = {name: i for i, name in enumerate(truth.stimulus_ids)}
        rows = [place[t.rpartition("_")[0]] for t in session.trial_ids]
        np.testing.assert_array_equal(session.tiers, truth.tiers[rows])
        np.testing.assert_array_equal(session.objects, truth.objects[rows])
        assert not session.withheld("test")
        for i in (0, 100, 319):  # the mean over trials of one picture is its rate
            mean = rates[np.array(rows) == i].mean(0)
            np.testing.assert_allclose(mean, truth.rates[i, session.unit_ids], atol=1e-5)
            pixels = session.pixels(np.flatnonzero(np.array(rows) == i))
            assert (pixels == pixels[0]).all() and len(pixels) == truth.repetitions[i]
        seen += [session.key, *session.unit_ids.tolist()]
    assert seen[0] == MONKEYS[0] and sorted(x for x in seen if x not in MONKEYS) == list(range(14))


def test_ceilings_are_the_planted_reliabilities(simulated):
    """Split halves of all sites, from the file; noise has none."""
    assembly, truth = ObjectAssembly(simulated.assembly, SEED), simulated.truth
    rates = np.concatenate([assembly.values(rows) for rows in assembly.blocks()])
    half = split_half(rates, assembly.image, np.random.default_rng(0), splits=5)
    error = spearman_brown(half) - truth.reliability
    assert truth.reliability[0] == 0 and (truth.reliability[1:] > 0.3).all()
    assert np.abs(error[1:]).max() < 0.1 and abs(error[1:].mean()) < 0.03 and half[0] < 0.1


def test_two_monkeys_do_not_share_a_cache(simulated, tmp_path):
    for monkey in open_monkeys(simulated.assembly, SEED):
        pack(monkey, tmp_path / "packed")
        assert read_manifest(tmp_path / "packed")["key"] == monkey.key


def test_the_courses_file_is_rebuilt(simulated, tmp_path):
    path = rebuild(simulated.assembly, tmp_path / "IT_data.h5", SEED)
    with h5py.File(path) as ours, h5py.File(simulated.path) as theirs:
        for key in KEYS:
            np.testing.assert_allclose(*_numbers(ours[key][:], theirs[key][:]), atol=1e-6)
        assert ours.attrs["rebuilt"] and not theirs.attrs
        assert {"animal", "subregion", "stimulus_id_test"} <= set(ours)
        stored = [ours[f"repetitions_{word}"][:] for word in ("train", "val", "test")]
        np.testing.assert_array_equal(np.concatenate(stored), simulated.truth.repetitions)
        assert set(ours["animal"][:]) == {m.encode() for m in MONKEYS}
    report = check_inferotemporal(open_inferotemporal(path))
    assert "rebuilt" in report.field.tolist()
    pack(open_inferotemporal(path), tmp_path / "pooled")
    assert set(Session(tmp_path / "pooled", InputConfig()).area) == {"pIT", "cIT", "aIT"}


def test_a_file_is_rebuilt_again_only_from_another_assembly_or_split(copy, tmp_path):
    path = rebuild(copy, tmp_path / "new/IT_data.h5", SEED)
    first = path.stat().st_mtime_ns
    assert rebuild(copy, path, SEED).stat().st_mtime_ns == first
    objects = open_inferotemporal(path).objects
    assert (open_inferotemporal(rebuild(copy, path, SEED + 1)).objects != objects).any()
    with h5py.File(copy, "r+") as file:
        file["values"][:] += 1
        del file.attrs["hash"]
    before = open_inferotemporal(path).rates("train")
    np.testing.assert_allclose(
        open_inferotemporal(rebuild(copy, path, SEED + 1)).rates("train"), before + 1, atol=1e-5
    )


def test_what_is_read_is_a_file_of_means_or_one_rebuilt(simulated, copy, tmp_path):
    rebuilt = tmp_path / "rebuilt/IT_data.h5"
    path, assembly = find_assembly(simulated.path, rebuilt, SEED)  # both are there
    assert path == simulated.path and assembly.path == simulated.assembly and not rebuilt.exists()
    for asked in (tmp_path / "IT_data.h5", copy):  # beside which, or which, is an assembly
        path, assembly = find_assembly(asked, rebuilt, SEED)
        assert (path, assembly.path) == (rebuilt, tmp_path / "assembly.h5")
        rebuilt.unlink()
    alone = shutil.copy(simulated.path, tmp_path / "rebuilt/other.h5")
    assert find_assembly(alone, rebuilt, SEED) == (alone, None)
    assert find_assembly(tmp_path / "no/IT_data.h5", rebuilt, SEED)[1] is None


def _numbers(a, b):
    """Numbers as they are, names by their order among all: so that one comparison serves both."""
    if a.dtype.kind != "S":
        return a, b
    known = np.unique(np.concatenate([a, b]))
    return np.searchsorted(known, a), np.searchsorted(known, b)


def test_another_seed_draws_another_split(simulated):
    one, other = (ObjectAssembly(simulated.assembly, seed).tiers for seed in (SEED, SEED + 1))
    assert (one != other).any()


def _replace(path, key, change):
    with h5py.File(path, "r+") as file:
        values = change(file[key][:])
        del file[key]
        if values is not None:
            file[key] = values


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("units/animal", lambda v: None, r"assembly\.h5 has no units/animal among its 1\d arrays"),
        ("units/region", lambda v: v[1:], r"units/region is \(18,\) but values \(\d+, 19\) and"),
        ("stimuli/repetition", lambda v: v[1:], r"repetition is \(\d+,\) but values \(\d+, 19\)"),
        ("units/region", lambda v: np.full(19, b"V4"), r"units/region has no unit in IT: get"),
        ("images/stimulus_id", lambda v: np.roll(v, 1)[1:], r"stimulus_id is \(319,\)"),
        ("stimuli/object_name", lambda v: np.full(len(v), b"beer"), r"'beer' is none of the 64"),
        ("stimuli/repetition", np.zeros_like, r"stimuli/repetition has stimulus_0000_0 twice"),
        ("values", lambda v: np.r_[v[1:], v[:1]], r"values do not match the attribute `hash`"),
        ("values", lambda v: np.stack([v, v], 2), r"values is \(\d+, 19, 2\), not"),
    ],
)
def test_a_damaged_assembly_is_refused(copy, key, change, message):
    _replace(copy, key, change)
    with pytest.raises(DataError, match=message):
        _ = open_monkeys(copy, SEED)[0].trial_ids


def test_a_missing_value_is_refused_and_leaves_nothing(copy, tmp_path):
    with h5py.File(copy, "r+") as file:
        file["values"][600] = np.nan
        del file.attrs["hash"]
    with pytest.raises(DataError, match="values row 600 has NaN"):
        pack(open_monkeys(copy, SEED)[0], tmp_path / "processed/a")
    with pytest.raises(DataError, match="values row 600 has NaN"):
        rebuild(copy, tmp_path / "processed/IT_data.h5", SEED)
    assert not list((tmp_path / "processed").iterdir())


def test_one_time_bin_more_is_one_dimension_less(copy, simulated):
    _replace(copy, "values", lambda v: v[..., None])
    rows = range(3, 9)
    wanted = ObjectAssembly(simulated.assembly, SEED).values(rows)
    np.testing.assert_array_equal(ObjectAssembly(copy, SEED).values(rows), wanted)
