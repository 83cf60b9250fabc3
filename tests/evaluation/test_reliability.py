"""Reliability against planted truths, and scores relative to it against plain arithmetic."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from src.data.assembly import ObjectAssembly
from src.data.errors import DataError
from src.data.inferotemporal import open_inferotemporal
from src.evaluation.reliability import (
    assembly_table,
    ceiling_table,
    reliability,
    site_table,
    with_ceilings,
)
from src.simulate.inferotemporal import SimulatedObjects, load_truth
from src.simulate.inferotemporal import simulate_inferotemporal as simulate
from src.simulate.sites import MONKEYS

SEED = 3
CONFIG = SimulatedObjects(
    size=32, per_object=5, units=12, v4_units=3, noise_sites=1, repetitions=(10, 16)
)


def repeated(c, images=3200, repeats=6):
    """Trials of units whose means over repeats have reliability c, and their image ids."""
    rng = np.random.default_rng(0)
    noise = np.sqrt(repeats * (1 - c) / np.maximum(c, 0.01))
    signal = rng.normal(size=(images, 1, len(c))) * (c > 0)
    r = signal + noise * rng.normal(size=(images, repeats, len(c)))
    return r.reshape(-1, len(c)), np.repeat(np.arange(images), repeats)


def test_reliability_is_the_planted_one_at_3200_images():
    c = np.array([0, 0.3, 0.6, 0.82, 0.95])
    found = reliability(*repeated(c), np.random.default_rng(1))
    assert np.abs(found - c)[1:].max() < 0.02 and abs(found[0]) < 0.1


def test_more_halves_scatter_less_and_a_seed_gives_the_same():
    r, ids = repeated(np.full(3, 0.5), images=60)
    one, ten = (
        np.std([reliability(r, ids, np.random.default_rng(s), halves) for s in range(20)], axis=0)
        for halves in (1, 10)
    )
    assert (ten < 0.6 * one).all()
    again = [reliability(r, ids, np.random.default_rng(5)) for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_images_shown_once_lower_it():
    """Half of the images keep one repeat of six; the truth is that of all means."""
    c = np.array([0.3, 0.6, 0.9])
    r, ids = repeated(c, images=6400)
    kept = (ids % 2 == 0) | (np.arange(len(ids)) % 6 == 0)
    found = reliability(r[kept], ids[kept], np.random.default_rng(1))
    noise = 6 * (1 - c) / c * (1 / 6 + 1) / 2
    np.testing.assert_allclose(found, 1 / (1 + noise), atol=0.02)


def test_without_repeats_it_is_unknown():
    r, ids = repeated(np.full(3, 0.5), images=20, repeats=1)
    assert np.isnan(reliability(r, ids, np.random.default_rng(0))).all()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A small file with the assembly it holds the means of, and its truth."""
    root = tmp_path_factory.mktemp("reliability")
    path = simulate(root / "raw", root / "truth", CONFIG, SEED, assembly=True)
    assembly = ObjectAssembly(path.with_name("assembly.h5"), SEED)
    return SimpleNamespace(path=path, assembly=assembly, truth=load_truth(root / "truth/truth.npz"))


def test_sites_of_a_file_have_the_reliability_of_their_presentations(recorded):
    source = open_inferotemporal(recorded.path)
    table = assembly_table(source, recorded.assembly, np.random.default_rng(0))
    c = recorded.truth.reliability
    assert table["unit_id"].tolist() == list(range(12)) and set(table["animal"]) == set(MONKEYS)
    assert set(table["subregion"]) == {"pIT", "cIT", "aIT"}
    assert abs((table["c"] - c)[1:]).max() < 0.1 and np.corrcoef(table["c"], c)[0, 1] > 0.97
    assert table["repeats"].unique() == recorded.truth.repetitions.mean()


def test_an_assembly_of_other_rows_is_refused(recorded):
    other = ObjectAssembly(recorded.assembly.path, SEED + 1)  # another split, so other rows
    with pytest.raises(DataError, match=r"spikes_train \(192, 12\) are not the means \(192, 12\)"):
        assembly_table(open_inferotemporal(recorded.path), other, np.random.default_rng(0))


def test_sites_of_a_session_have_that_of_its_repeats():
    r, ids = repeated(np.array([0.4, 0.9]), images=900)
    session = SimpleNamespace(key="a", unit_ids=np.array([3, 7]), area=None, image_ids=ids)
    session.responses = torch.from_numpy(r).__getitem__
    some = np.arange(600 * 6)
    table = site_table(session, some, np.random.default_rng(2))
    wanted = reliability(r[some], ids[some], np.random.default_rng(2))
    np.testing.assert_array_equal(table["c"], wanted)
    assert table["unit_id"].tolist() == [3, 7] and (table["repeats"] == 6).all()


SITES = pd.DataFrame(
    {
        "session": "pooled",
        "unit_id": [0, 1, 2, 3],
        "animal": ["a", "a", "b", "b"],
        "subregion": "",
        "repeats": 40,
        "c": [0.64, 0.25, 0.09, np.nan],
    }
)
UNITS = pd.DataFrame(
    {
        "model": "m",
        "session": "pooled",
        "unit_id": [3, 2, 1, 0],
        "ev": [0.1, 0.2, 0.2, 0.32],
        "avg": [0.3, 0.4, 0.45, 0.6],
    }
)


def test_scores_are_divided_by_the_ceiling_of_their_own_site():
    table = with_ceilings(UNITS, SITES).set_index("unit_id")
    np.testing.assert_allclose(table.loc[[0, 1], "ev_c"], [0.32 / 0.64, 0.2 / 0.25])
    np.testing.assert_allclose(table.loc[[0, 1], "r_c"], [0.6 / 0.8, 0.45 / 0.5])
    assert table.loc[[2, 3], ["ev_c", "r_c"]].isna().all(axis=None)  # too low, and unknown
    np.testing.assert_array_equal(table["ev"], UNITS["ev"])


def test_means_by_animal_leave_low_sites_out_of_ratios_only():
    table = ceiling_table(with_ceilings(UNITS, SITES)).set_index("name").loc[["units", "a", "b"]]
    assert table["n_units"].to_dict() == {"units": 4, "a": 2, "b": 2}
    assert table["n_low"].to_dict() == {"units": 1, "a": 0, "b": 1}
    np.testing.assert_allclose(table["ev"], [0.205, 0.26, 0.15])
    np.testing.assert_allclose(table.loc[["units", "a"], "ev_c"], (0.5 + 0.8) / 2)
    assert np.isnan(table.loc["b", "ev_c"]) and table.loc["b", "c"] == 0.09
