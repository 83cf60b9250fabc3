"""Files of others become assemblies: NetCDF-4 as xarray lays it out, npz, csv, `IT_data.h5`."""

import h5py
import numpy as np
import pandas as pd
import pytest

from src.data.assembly_files import open_assembly
from src.data.errors import DataError
from src.data.feature_set import FeatureSet, open_feature_sets
from src.data.inferotemporal import Part, write_inferotemporal

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(6, 4, 2))
STIMULI = {"stimulus_id": np.array(list("cabcab")), "repetition": np.array([0, 0, 0, 1, 1, 1])}
UNITS = {"neuroid_id": np.arange(4) + 100, "region": np.array(["IT", "IT", "V4", "V4"])}
BINS = {"time_bin_start": np.array([70, 80]), "time_bin_end": np.array([80, 90])}
AXES = {"presentation": STIMULI, "neuroid": UNITS, "time_bin": BINS}


def write_netcdf(path, order=("neuroid", "presentation", "time_bin"), tables=AXES):
    """As xarray writes an array with reset indexes: axes without values, coordinates attached."""
    sizes = dict(zip(AXES, VALUES.shape, strict=True))
    with h5py.File(path, "w") as file:
        for axis in order:
            scale = file.create_dataset(axis, (sizes[axis],), ">f4")
            scale.make_scale(f"This is a netCDF dimension but not a netCDF variable. {sizes[axis]}")
        for axis in order:
            for name, column in tables[axis].items():
                text = column.dtype.kind == "U"
                kind = h5py.string_dtype() if text else column.dtype
                file.create_dataset(
                    name, data=column.astype(object) if text else column, dtype=kind
                )
                file[name].dims[0].attach_scale(file[axis])
        values = np.transpose(VALUES, [list(AXES).index(axis) for axis in order])
        file["dicarlo.Some2015"] = values
        for i, axis in enumerate(order):
            file["dicarlo.Some2015"].dims[i].attach_scale(file[axis])
    return path


@pytest.mark.parametrize(
    "order", [("neuroid", "presentation", "time_bin"), ("presentation", "neuroid", "time_bin")]
)
def test_netcdf(tmp_path, order):
    found = open_assembly(write_netcdf(tmp_path / "a.nc", order))
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.stimulus_ids.tolist() == list("cabcab")
    assert found.units["unit_id"].tolist() == [100, 101, 102, 103]
    np.testing.assert_array_equal(found.time_bins, [[70, 80], [80, 90]])
    assert found.of_region("V4").values.shape == (6, 2, 2)


def test_netcdf_that_is_none(tmp_path):
    (tmp_path / "old.nc").write_bytes(b"CDF\x01 and more")
    with pytest.raises(DataError, match=r"old\.nc is NetCDF-3: write it with format='NETCDF4'"):
        open_assembly(tmp_path / "old.nc")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = np.zeros((3, 4))
    with pytest.raises(DataError, match="has x, of which 0 have the axes presentation and neuroid"):
        open_assembly(tmp_path / "b.h5")
    (tmp_path / "c.nc").write_bytes(b"no HDF5 at all")
    with pytest.raises(DataError, match=r"c\.nc is not a complete HDF5 file"):
        open_assembly(tmp_path / "c.nc")
    with pytest.raises(DataError, match="does not exist: give an assembly"):
        open_assembly(tmp_path / "d.nc")
    write_netcdf(tmp_path / "e.nc", tables={**AXES, "presentation": {}})
    with pytest.raises(DataError, match="stimuli has nothing, no stimulus_id"):
        open_assembly(tmp_path / "e.nc")


def test_npz(tmp_path):
    arrays = {f"stimuli/{k}": v for k, v in STIMULI.items()}
    np.savez(tmp_path / "a.npz", values=VALUES, time_bins=np.array([[7, 8], [8, 9]]), **arrays)
    found = open_assembly(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.units["unit_id"].tolist() == [0, 1, 2, 3] and found.time_bins[1, 1] == 9
    np.savez(tmp_path / "b.npz", responses=VALUES)
    with pytest.raises(DataError, match=r"b\.npz has responses, no values"):
        open_assembly(tmp_path / "b.npz")


def test_csv(tmp_path):
    table = pd.DataFrame(STIMULI | {f"site{i}": VALUES[:, i, 0] for i in range(4)})
    table.to_csv(tmp_path / "a.csv", index=False)
    found = open_assembly(tmp_path / "a.csv")
    np.testing.assert_allclose(found.values, VALUES[..., 0])
    assert found.units["unit_id"].tolist() == [f"site{i}" for i in range(4)]
    units = pd.DataFrame({"unit_id": ["site3", "site1"], "region": "IT"})
    units.to_csv(tmp_path / "a.units.csv", index=False)
    found = open_assembly(tmp_path / "a.csv").of_region("IT")
    np.testing.assert_allclose(found.values, VALUES[:, [3, 1], 0])
    assert "site0" in found.stimuli  # a number that describes the trial: no unit is called so
    units.assign(unit_id=["site3", "site9"]).to_csv(tmp_path / "a.units.csv", index=False)
    with pytest.raises(DataError, match=r"1 units of a\.units\.csv are no column: site9"):
        open_assembly(tmp_path / "a.csv")
    table.assign(note="x").to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(DataError, match="column note is no number"):
        open_assembly(tmp_path / "b.csv")


def test_means_of_the_course(tmp_path):
    def part(n, rates):
        names = np.array(["dog", "bear"])[np.arange(n) % 2]
        return Part(
            np.zeros((n, 8, 8), np.uint8), names, RNG.normal(size=(n, 3)) if rates else None
        )

    parts = {"train": part(6, True), "validation": part(4, True), "test": part(2, False)}
    found = open_assembly(write_inferotemporal(tmp_path / "IT_data.h5", parts))
    assert found.values.shape == (10, 3) and set(found.units["region"]) == {"IT"}
    np.testing.assert_allclose(found.values[6:], parts["validation"].rates, atol=1e-6)
    assert found.stimuli["split"].tolist() == ["train"] * 6 + ["validation"] * 4


def test_a_changed_file_is_refused(tmp_path):
    found = open_assembly(write_netcdf(tmp_path / "a.nc"))
    with h5py.File(found.save(tmp_path / "b.h5"), "r+") as file:
        file["values"][0, 0, 0] += 1
    with pytest.raises(DataError, match="values do not match the attribute `hash`"):
        open_assembly(tmp_path / "b.h5")


def test_features_of_every_layer_and_step(tmp_path):
    features = RNG.normal(size=(3, 2, 5))
    np.savez(tmp_path / "z.npz", features=features, names=["c.png", "a.png", "b.png"], layer="IT")
    sets = open_feature_sets(tmp_path / "z.npz", weights="own")
    assert [(s.model, s.layer, s.step, s.weights) for s in sets] == [
        ("z", "IT", step, "own") for step in (0, 1)
    ]
    np.testing.assert_array_equal(sets[1].values, features[:, 1])
    assert sets[0].rows(np.array(["a", "b", "c"])).tolist() == [1, 2, 0]  # endings left out
    layers = open_feature_sets(write_netcdf(tmp_path / "a.nc", tables=AXES))
    assert [(s.layer, s.values.shape) for s in layers] == [("IT", (3, 2, 2)), ("V4", (3, 2, 2))]
    np.savez(tmp_path / "y.npz", features=features)
    with pytest.raises(DataError, match=r"y\.npz has features, no names"):
        open_feature_sets(tmp_path / "y.npz")


def test_features_of_other_stimuli_are_refused():
    found = FeatureSet(np.zeros((3, 2)), np.array(["s1", "s2", "s3"]), "Z", layer="IT")
    with pytest.raises(DataError, match="features of Z IT: 1 of 2 stimuli have no row among 3"):
        found.rows(np.array(["s1", "s9"]))
    with pytest.raises(DataError, match="stimulus 'a' has two rows"):
        FeatureSet(np.zeros((2, 2)), np.array(["a", "a"]))
    with pytest.raises(DataError, match=r"features are \(3, 2\) for stimulus ids \(2,\)"):
        FeatureSet(np.zeros((3, 2)), np.array(["a", "b"]))
