"""Assemblies: means over repetitions, labels that follow, and what does not fit is refused."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from src.data.assemblies import Assembly, labeled, mean_by
from src.data.assembly_files import open_assembly
from src.data.errors import DataError

RNG = np.random.default_rng(0)


def make(n=12, u=4, bins=None, repeats=2):
    """Trials of n stimuli in random order, names of which sort otherwise than their numbers."""
    ids = np.repeat([f"s{i}" for i in range(n)], repeats)
    stimuli = pd.DataFrame({"stimulus_id": ids, "repetition": np.tile(np.arange(repeats), n)})
    stimuli["object_name"] = np.repeat(np.array(["a", "b", "ü"])[np.arange(n) % 3], repeats)
    stimuli["s"] = np.repeat(np.arange(n) / 7, repeats)
    order = RNG.permutation(n * repeats)
    units = pd.DataFrame({"neuroid_id": [f"n{i}" for i in range(u)], "region": ["IT", "V4"] * 2})
    shape = (n * repeats, u) if bins is None else (n * repeats, u, len(bins))
    return Assembly(RNG.normal(size=shape), stimuli.iloc[order], units, bins)


def test_means_are_sorted_by_the_text_of_the_id():
    found = (assembly := make()).averaged()
    assert found.stimulus_ids.tolist() == sorted(f"s{i}" for i in range(12))
    for i, name in enumerate(found.stimulus_ids):
        rows = assembly.stimulus_ids == name
        np.testing.assert_allclose(found.values[i], assembly.values[rows].mean(0), atol=1e-12)
        assert found.column("s")[i] == int(name[1:]) / 7
    assert "repetition" not in found.stimuli and found.column("object_name")[0] == "a"


def test_means_are_those_of_brain_score(shared):
    stored = np.load(shared / "fixtures/brainscore/metric_outputs.npz")
    repeats, n, u = stored["in_repetitions"].shape
    stimuli = pd.DataFrame({"stimulus_id": np.tile(stored["in_stimulus_id"], repeats)})
    values = stored["in_repetitions"].reshape(-1, u)
    found = Assembly(values, stimuli, pd.DataFrame(index=range(u))).averaged()
    np.testing.assert_array_equal(found.stimulus_ids, stored["avg_order_stimulus_id"])
    back = np.searchsorted(found.stimulus_ids, stored["in_stimulus_id"])
    expected = stored["avg_repetition_in_input_order"]
    np.testing.assert_allclose(found.values[back], expected, atol=1e-12)
    assert len(found.values) == n


def test_mean_of_no_rows_is_unknown():
    found = mean_by(np.array([0, 2, 2]), 3, np.array([[1.0, 5], [2, 3], [4, 4]]))
    np.testing.assert_array_equal(found, [[1, 5], [np.nan, np.nan], [3, 3.5]])


def test_regions_bins_and_parts():
    bins = np.array([[70, 120], [120, 170]])
    assembly = make(bins=bins)
    part = assembly.of_region("V4").in_bin(120, 170)
    np.testing.assert_array_equal(part.values, assembly.values[:, [1, 3], 1])
    assert part.units["unit_id"].tolist() == ["n1", "n3"]
    assert assembly.take(np.arange(3)).content_hash != assembly.content_hash
    assert assembly.averaged().values.shape == (12, 4, 2)
    with pytest.raises(DataError, match=r"no unit is in region 'V1': choose of 'IT', 'V4'"):
        assembly.of_region("V1")
    with pytest.raises(DataError, match=r"no bin 70-170 ms among \[\[70.0, 120.0\]"):
        assembly.in_bin(70, 170)


@pytest.mark.parametrize("bins", [None, np.array([[70.0, 80], [80, 90], [90, 100]])])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_file_gives_back_what_was_written(tmp_path, bins, kind):
    assembly = make(bins=bins)
    assembly = Assembly(assembly.values.astype(kind), assembly.stimuli, assembly.units, bins)
    found = open_assembly(assembly.save(tmp_path / "a.h5"))
    np.testing.assert_array_equal(found.values, assembly.values)
    assert found.values.dtype == kind and found.content_hash == assembly.content_hash
    for name in ("stimuli", "units"):
        columns = sorted(getattr(assembly, name))
        pd.testing.assert_frame_equal(
            getattr(found, name)[columns], getattr(assembly, name)[columns], check_dtype=False
        )
    assert (found.time_bins is None) == (bins is None)
    if bins is not None:
        np.testing.assert_array_equal(found.time_bins, bins)


def test_an_xarray_is_read_by_its_coordinates():
    values = RNG.normal(size=(4, 2, 6))  # neuroid, time_bin, presentation
    axes = {"stimulus_id": "presentation", "neuroid_id": "neuroid", "region": "neuroid"}
    axes |= {"time_bin_start": "time_bin", "time_bin_end": "time_bin"}
    contents = {
        "stimulus_id": list("abcabc"),
        "neuroid_id": list("wxyz"),
        "region": ["IT"] * 4,
        "time_bin_start": [70, 80],
        "time_bin_end": [80, 90],
    }
    coords = {n: SimpleNamespace(dims=(axes[n],), values=np.array(c)) for n, c in contents.items()}
    coords["presentation"] = SimpleNamespace(dims=("presentation",), values=np.empty(6, object))
    dims = ("neuroid", "time_bin", "presentation")
    found = labeled(SimpleNamespace(dims=dims, coords=coords, values=values))
    np.testing.assert_array_equal(found.values, np.transpose(values, (2, 0, 1)))
    assert found.units["unit_id"].tolist() == list("wxyz")
    np.testing.assert_array_equal(found.time_bins, [[70, 80], [80, 90]])
    with pytest.raises(DataError, match=r"axes are \('neuroid', 'x'\), not presentation"):
        labeled(SimpleNamespace(dims=("neuroid", "x"), coords=coords, values=values))


def test_what_does_not_fit_is_refused():
    good = make()
    with pytest.raises(DataError, match=r"values are \(24, 4\) but stimuli has 23 rows"):
        Assembly(good.values, good.stimuli[1:], good.units)
    with pytest.raises(DataError, match="stimuli has repetition, object_name, s, no stimulus_id"):
        Assembly(good.values, good.stimuli.drop(columns="stimulus_id"), good.units)
    with pytest.raises(DataError, match=r"time_bins are \(2, 2\), not \(1, 2\)"):
        Assembly(good.values, good.stimuli, good.units, np.array([[0, 1], [1, 2]]))
    with pytest.raises(DataError, match="no background, which this needs"):
        good.column("background")
    values = good.values.copy()
    values[5, 1] = np.nan
    with pytest.raises(DataError, match="NaN or infinite ones in 1 trials, first 5"):
        Assembly(values, good.stimuli, good.units).averaged()
    names = good.stimuli.assign(object_name=np.arange(24).astype(str))
    with pytest.raises(DataError, match="a stimulus_id has two object_name"):
        Assembly(good.values, names, good.units).averaged()
