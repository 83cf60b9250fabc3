"""A simulated recording of plain arrays, and that the importer takes it as it is."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from src.data.arrays import discover_sessions
from src.data.recording import import_recording
from src.manifest import file_sha256
from src.simulate.recording import simulate_recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Folder of a simulated recording."""
    return simulate_recording(tmp_path_factory.mktemp("recording"), seed=1)


def test_files_are_named_simulated(recording):
    assert sorted(f.name for f in recording.iterdir()) == [
        "coordinates_simulated_a.npy",
        "images_simulated_a",
        "images_simulated_b.npy",
        "responses_raw_simulated_a.npy",
        "responses_simulated_b.npy",
        "simulation.json",
    ]


def test_repeats_are_padded_with_nan(recording):
    raw = np.load(recording / "responses_raw_simulated_a.npy")
    assert raw.shape == (16, 120, 6) and np.nanmin(raw) >= 0
    shown = (~np.isnan(raw)).sum(2)
    assert set(shown.ravel()) == {4, 5, 6}
    assert_array_equal(shown, np.broadcast_to(shown[0], shown.shape))
    means = np.load(recording / "responses_simulated_b.npy")
    assert means.shape == (12, 120) and np.isfinite(means).all()
    assert np.load(recording / "coordinates_simulated_a.npy").shape == (16, 3)


def test_repeats_of_an_image_agree(recording):
    raw = np.load(recording / "responses_raw_simulated_a.npy")
    r = [np.corrcoef(np.nanmean(u[:, ::2], 1), np.nanmean(u[:, 1::2], 1))[0, 1] for u in raw]
    assert np.median(r) > 0.4


def test_sessions_share_images(recording):
    files = sorted((recording / "images_simulated_a").iterdir())
    a = np.stack([np.asarray(Image.open(f)) for f in files])
    b = np.load(recording / "images_simulated_b.npy")
    assert a.shape == b.shape == (120, 144, 256) and a.dtype == b.dtype == np.uint8
    assert_array_equal(a[60:], b[:60])
    assert not (a[:60, None, ::8, ::8] == b[None, 60:, ::8, ::8]).all((2, 3)).any()


def test_same_seed_same_bytes(recording, tmp_path):
    again = simulate_recording(tmp_path / "again", seed=1)
    files = [f.relative_to(again) for f in again.rglob("*.*")]
    assert [file_sha256(again / f) for f in files] == [file_sha256(recording / f) for f in files]
    simulate_recording(again, seed=1)
    with pytest.raises(FileExistsError, match="another simulation"):
        simulate_recording(again, seed=2)


def test_the_importer_takes_it(recording, tmp_path):
    table = import_recording(tmp_path / "imported", discover_sessions(recording))
    assert table.set_index("session").units.to_dict() == {"simulated_a": 16, "simulated_b": 12}
