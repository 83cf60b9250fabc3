"""NIfTI volumes: written and read again, by hand-made headers, damaged ones."""

import gzip
import struct

import numpy as np
import pytest

from src.data.errors import DataError
from src.data.nifti import (
    Volume,
    read_series,
    read_volume,
    series_shape,
    volume_of,
    write_maps,
    write_volume,
)

AFFINE = np.array([[-2, 0, 0.1, 30], [0, 1.5, 0, -4], [0.1, 0, 3, 7], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_volumes_come_back(tmp_path, dtype):
    values = np.random.default_rng(0).integers(0, 200, (4, 5, 6)).astype(dtype)
    found = read_volume(write_volume(tmp_path / "v.nii.gz", values, AFFINE))
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_allclose(found.affine, AFFINE, rtol=1e-6)
    assert found.values.dtype == dtype


def test_equal_volumes_are_equal_bytes(tmp_path):
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    paths = [write_volume(tmp_path / n, values, AFFINE) for n in ("a.nii.gz", "b.nii.gz")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_some_voxels_of_a_series(tmp_path):
    values = np.random.default_rng(0).integers(-99, 99, (4, 5, 6, 7)).astype(np.int16)
    path = write_volume(tmp_path / "s.nii.gz", values, AFFINE)
    voxels = np.array([117, 3, 40, 41])
    np.testing.assert_array_equal(read_series(path, voxels), values.reshape(-1, 7)[voxels].T)
    assert series_shape(path) == (4, 5, 6, 7)


def by_hand(path, order="<", qform=True, slope=1.0):
    """A header written field by field, as the standard lists them; values 0 to 23."""
    header = bytearray(352)
    struct.pack_into(order + "i", header, 0, 348)
    struct.pack_into(order + "8h", header, 40, 3, 2, 3, 4, 1, 1, 1, 1)
    struct.pack_into(order + "2h", header, 70, 4, 16)
    struct.pack_into(order + "8f", header, 76, -1.0, 2, 3, 4, 1, 1, 1, 1)
    struct.pack_into(order + "3f", header, 108, 352, slope, 10 if slope != 1 else 0)
    struct.pack_into(order + "2h", header, 252, int(qform), 0)
    half = 0.5**0.5  # a quarter turn about z
    struct.pack_into(order + "6f", header, 256, 0, 0, half, 5, 6, 7)
    header[344:348] = b"n+1\0"
    values = np.arange(24, dtype=order + "i2")
    path.write_bytes(bytes(header) + values.tobytes())
    return path


@pytest.mark.parametrize("order", ["<", ">"])
def test_plain_files_of_either_order_of_bytes(tmp_path, order):
    found = read_volume(by_hand(tmp_path / "v.nii", order))
    assert found.values.shape == (2, 3, 4) and found.values[1, 0, 0] == 1
    assert found.values[0, 1, 0] == 2 and found.values[1, 2, 3] == 23
    expected = [[0, -3, 0, 5], [2, 0, 0, 6], [0, 0, -4, 7], [0, 0, 0, 1]]
    np.testing.assert_allclose(found.affine, expected, atol=1e-6)


def test_scaled_values_and_no_affine(tmp_path):
    found = read_volume(by_hand(tmp_path / "v.nii", slope=0.5, qform=False))
    assert found.values[1, 0, 0] == 10.5
    np.testing.assert_allclose(np.diag(found.affine), [2, 3, 4, 1])


def test_what_is_no_volume_is_refused(tmp_path):
    path = write_volume(tmp_path / "v.nii.gz", np.zeros((2, 3, 4), np.int16), AFFINE)
    with pytest.raises(DataError, match="does not exist"):
        read_volume(tmp_path / "w.nii.gz")
    with pytest.raises(DataError, match=r"not a series"):
        read_series(path, np.array([0]))
    stored = path.read_bytes()
    whole = gzip.decompress(stored)
    for content, text in (
        (stored[:-8] + bytes(8), r"damaged \(CRC check failed"),
        (gzip.compress(whole + b"xx"), "longer than its header says"),
        (gzip.compress(whole[:-8]), "cut off"),
        (stored[:-20], "damaged|cut off"),
        (b"n" * 400, "no NIfTI-1 file"),
        (whole[:70] + b"\x20\0" + whole[72:], "data type 32"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=text):
            read_volume(path)
    with pytest.raises(DataError, match="no type of NIfTI"):
        write_volume(path, np.zeros((2, 2, 2), np.complex64), AFFINE)


def test_values_lie_where_their_voxels_do_and_nothing_is_nan(tmp_path):
    places = np.array([3, 17, 40])
    volume = volume_of(np.array([1.5, np.nan, -2]), places, (3, 4, 5))
    assert volume[np.unravel_index(3, (3, 4, 5))] == 1.5 and volume[2, 0, 0] == -2
    assert np.count_nonzero(volume) == 2 and volume.dtype == np.float32
    back = read_volume(write_volume(tmp_path / "r.nii.gz", volume, np.diag([2.0, 2, 2, 1])))
    np.testing.assert_array_equal(back.values, volume)
    np.testing.assert_array_equal(back.affine, np.diag([2.0, 2, 2, 1]))


def test_maps_lie_over_the_volume_they_were_made_for(tmp_path):
    space, places = Volume(np.zeros((3, 4, 5)), AFFINE), np.array([3, 17, 40])
    values = {"r": np.array([0.1, np.nan, 0.2]), "angle": np.array([-3.0, 0, 3])}
    made = write_maps(tmp_path / "subj01", values, places, space)
    for name, given in values.items():
        found = read_volume(tmp_path / f"subj01_{name}.nii.gz")
        np.testing.assert_allclose(found.affine, AFFINE, rtol=1e-6)
        np.testing.assert_array_equal(found.values, made[name])
        np.testing.assert_allclose(found.values.ravel()[places[::2]], given[::2], rtol=1e-6)
        assert np.count_nonzero(found.values) == 2
