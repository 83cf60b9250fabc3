"""Somebody's pictures and responses, as an assembly."""

import numpy as np
import pytest

from src.data.arrays import SessionArrays
from src.data.assembly_files import open_assembly
from src.data.errors import DataError
from src.data.recorded_assembly import recorded_assembly

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (6, 8, 8), np.uint8)
PICTURES[4] = PICTURES[1]  # shown twice under two names


def test_repeats_are_rows_and_a_picture_is_its_pixels(tmp_path):
    raw = RNG.random((3, 6, 4))
    raw[:, 0, 2:] = np.nan
    found = recorded_assembly("mine", SessionArrays(PICTURES, raw), "V4")
    assert found.values.shape == (2 + 5 * 4, 3)
    means = found.averaged()
    assert means.stimulus_ids.tolist() == ["image 0", "image 1", "image 2", "image 3", "image 5"]
    np.testing.assert_allclose(means.values[0], raw[:, 0, :2].mean(1), rtol=1e-6)
    np.testing.assert_allclose(means.values[1], raw[:, [1, 4]].mean((1, 2)), rtol=1e-6)
    twice = found.stimuli[found.stimulus_ids == "image 1"]
    assert twice["repetition"].tolist() == list(range(8))
    assert means.column("split").tolist() == ["train"] * 2 + ["test"] * 3
    again = open_assembly(found.save(tmp_path / "mine.h5"))
    assert again.content_hash == found.content_hash and set(again.units["region"]) == {"V4"}


def test_means_are_a_row_a_picture():
    found = recorded_assembly("mine", SessionArrays(PICTURES, RNG.random((3, 6))))
    assert found.values.shape == (6, 3) and len(found.averaged().values) == 5


def test_responses_of_other_pictures_are_refused():
    with pytest.raises(DataError, match=r"responses is \(3, 7\)"):
        recorded_assembly("mine", SessionArrays(PICTURES, RNG.random((3, 7))))
