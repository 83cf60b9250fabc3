"""Every planted failure of `IT_data.h5` is one line of its report: file, field, shapes, remedy."""

import re
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from src.data.checks import require_valid
from src.data.errors import DataError
from src.data.inferotemporal import open_inferotemporal
from src.data.inferotemporal_checks import check_inferotemporal
from src.data.pack import pack, read_manifest
from src.simulate.inferotemporal import PRESETS, simulate_inferotemporal
from src.simulate.inferotemporal_failures import FAILURES, plant

TINY = PRESETS["tiny"]
SAYS = {  # severity, and part of the message
    "constant_site": ("warning", r"has 1 of 16 sites with one constant rate \(first: site 2\)"),
    "nan_row": ("error", r"has 1 of 192 rows with NaN .*\(first: row 7\): get the file again"),
    "missing_key": ("error", r"has no object_val among its 7 arrays: get the file again"),
    "float64_file": ("warning", r"is float64, not float32 \(5 such arrays\): read as float32"),
    "unequal_channels": ("error", r"row 3 is no gray image: .*channels differ by 0\.\d+"),
    "normalized_twice": ("error", r"row 0 is ImageNet-normalized twice: normalize it once"),
    "object_without_test": ("warning", r"no image of 1 of the 64 objects \(first: 'bear'\)"),
    "wrong_rows": ("error", r"is \(63, 16\) but stimulus_val is \(64, 3, 32, 32\): \(64, 16\)"),
    "permuted_rates": (
        "warning",
        r"has 1\d of 16 sites whose rates do not differ between categories",
    ),
    "leaked_image": ("warning", r"has 1 images that are also in stimulus_train \(first: row 0\)"),
    "unknown_object": ("error", r"has 1 objects that are none of the 64: .*\(first: 'beer'\)"),
    "damaged_chunk": ("error", r"stimulus_val is damaged \(.*\): get the file again"),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny preset."""
    root = tmp_path_factory.mktemp("tiny_it")
    return simulate_inferotemporal(root / "raw", root / "truth", TINY, 7)


@pytest.fixture
def copy(tiny, tmp_path):
    """Its file, to be damaged."""
    (tmp_path / "raw").mkdir()
    return shutil.copy(tiny, tmp_path / "raw/IT_data.h5")


def findings(path):
    report = check_inferotemporal(open_inferotemporal(path))
    return report[report.severity != "note"]


def test_the_untouched_file_has_no_finding(tiny):
    report = check_inferotemporal(open_inferotemporal(tiny))
    assert report.severity.tolist() == ["note"] and report.field.tolist() == ["spikes_test"]


@pytest.mark.parametrize("name", SAYS)
def test_a_planted_failure_is_one_finding(copy, name, tmp_path):
    plant(name, copy)
    (found,) = findings(copy).itertuples()
    severity, text = SAYS[name]
    assert (found.severity, found.file, found.field) == (severity, "IT_data.h5", FAILURES[name])
    assert found.message.startswith("IT_data.h5") and "\n" not in found.message
    assert [f.name for f in copy.parent.iterdir()] == ["IT_data.h5"]
    source = open_inferotemporal(copy)
    report = check_inferotemporal(source)
    if severity == "warning":
        assert require_valid(source, report) is report
    else:
        with pytest.raises(DataError, match=rf"^session 'pooled' in .*{text}"):
            require_valid(source, report)
        with pytest.raises(DataError, match=text):
            pack(source, tmp_path / "processed/pooled")
        assert not list((tmp_path / "processed").glob("*"))
    assert re.search(text, found.message)


def test_float64_packs_as_float32_does(copy, tiny, tmp_path):
    plant("float64_file", copy)
    for path, name in ((tiny, "narrow"), (copy, "wide")):
        pack(open_inferotemporal(path), tmp_path / name)
    narrow, wide = (read_manifest(tmp_path / name)["fingerprint"] for name in ("narrow", "wide"))
    assert narrow == wide


def test_a_truncated_file_is_refused(copy):
    plant("truncated", copy)
    with pytest.raises(DataError, match=r"IT_data.h5 is not a complete HDF5 file .*get the file"):
        open_inferotemporal(copy)


def test_every_failure_is_tested():
    assert {*SAYS, "truncated"} == set(FAILURES)
    with pytest.raises(KeyError, match="sunspots"):
        plant("sunspots", "nowhere")


@pytest.mark.parametrize(("noisy", "at_least"), [(1, 1), (TINY.units, TINY.units - 1)])
def test_sites_without_signal_are_named(tmp_path, noisy, at_least):
    config = replace(TINY, noise_sites=noisy)
    path = simulate_inferotemporal(tmp_path / "raw", tmp_path / "truth", config, 7)
    (found,) = findings(path).itertuples()
    assert (found.severity, found.field) == ("warning", "spikes_train")
    assert int(found.message.split(" has ")[1].split()[0]) in (at_least, noisy)
    assert "first: site 0" in found.message


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("spikes_train", lambda v: v.astype(int), "spikes_train is int64, not floating point"),
        ("object_test", lambda v: np.arange(64), "object_test is int64, not text"),
        ("spikes_val", lambda v: v[:, :5], r"\(64, 5\) but stimulus_val is .*\(64, 16\)"),
        ("spikes_train", lambda v: v[:, 0], r"spikes_train is \(192,\) but"),
        ("stimulus_test", lambda v: v[..., ::2], r"\(64, 3, 32, 16\), not \(n, 3, 32, 32\)"),
        ("stimulus_val", lambda v: v * np.nan, r"stimulus_val row 0 has values that are NaN"),
        ("stimulus_val", lambda v: v * 3, r"stimulus_val row \d+ is no gray image"),
    ],
)
def test_other_shapes_types_and_values_are_errors(copy, key, change, message):
    with h5py.File(copy, "r+") as file:
        values = change(file[key][:])
        del file[key]
        file[key] = values
    source = open_inferotemporal(copy)
    with pytest.raises(DataError, match=message):
        require_valid(source, check_inferotemporal(source))


def test_spike_counts_in_place_of_normalized_rates_are_a_warning(copy):
    with h5py.File(copy, "r+") as file:
        file["spikes_val"][...] = 30 + 20 * file["spikes_val"][:]
    (found,) = findings(copy).itertuples()
    assert found.severity == "warning" and "normalize each site" in found.message


def test_names_may_be_of_any_length(copy, tiny):
    with h5py.File(copy, "r+") as file:
        names = [name.decode() for name in file["object_val"][:]]
        del file["object_val"]
        file["object_val"] = names
    assert findings(copy).empty
    ours, theirs = (open_inferotemporal(path).objects for path in (copy, tiny))
    np.testing.assert_array_equal(ours, theirs)
