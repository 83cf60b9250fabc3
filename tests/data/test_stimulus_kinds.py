"""A recording of films given to a study of images, or the reverse, is told who reads it."""

import numpy as np
import pytest

from src.data.arrays import discover_sessions
from src.data.errors import DataError
from src.data.movie_mouse import open_movie_mice
from src.data.movie_recording import discover_movies
from src.data.sensorium import open_mice
from src.start import chosen_studies


def recording(folder, kind):
    """The least that is a recording, of one trial: its stimulus, its response, its tier."""
    for name in (f"data/{kind}/0", "data/responses/0", "meta/trials/tiers"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}.npy", np.ones(3))


@pytest.mark.parametrize(
    ("kind", "reads", "says"),
    [
        ("videos", open_mice, r"of films \(data/videos\), not of images: put it .* sensorium2023"),
        ("images", open_movie_mice, r"of images \(data/images\), not of films: .* sensorium2022"),
    ],
    ids=["films", "images"],
)
def test_a_recording_of_another_kind_is_named(tmp_path, kind, reads, says):
    recording(tmp_path / "mine/a", kind)
    with pytest.raises(DataError, match=says) as raised:
        reads(tmp_path / "mine")
    assert "\n" not in str(raised.value)


def test_a_recording_of_the_right_kind_is_read(tmp_path):
    recording(tmp_path / "images/a", "images")
    recording(tmp_path / "films/a", "videos")
    assert [len(open_mice(tmp_path / "images")), len(open_movie_mice(tmp_path / "films"))] == [1, 1]


def test_a_recording_is_looked_for_in_the_other_study(tmp_path):
    """By run_all.sh, and by a notebook that is run by hand."""
    recording(tmp_path / "raw/sensorium2023/mine/a", "videos")
    says = "sensorium2023 has one of that name, of films: `bash run_all.sh --study sensorium2023 "
    with pytest.raises(DataError, match=f"sensorium2022 has no recording 'mine'; {says}"):
        chosen_studies("recording", "mine", "sensorium2022", str(tmp_path))
    with pytest.raises(DataError, match=f"holds no recording.*; {says}"):
        open_mice(tmp_path / "raw/sensorium2022/mine")
    with pytest.raises(DataError, match=r"holds no recording, neither folder nor zip: .*there$"):
        open_movie_mice(tmp_path / "raw/sensorium2023/other")


def test_arrays_of_another_kind_are_imported_elsewhere(tmp_path):
    for name in ("movie_a", "responses_a"):
        np.save(tmp_path / f"{name}.npy", np.ones(3))
    says = r"no images_.*of films, which notebooks/sensorium2023/00_import_recording imports"
    with pytest.raises(DataError, match=says):
        discover_sessions(tmp_path)
    (tmp_path / "movie_a.npy").rename(tmp_path / "images_a.npy")
    says = r"no movie_.*of images, which notebooks/sensorium2022/00_import_recording imports"
    with pytest.raises(DataError, match=says):
        discover_movies(tmp_path)
