"""The simulated film recording: the same bytes, and cells that no linear filter describes."""

import numpy as np
import pytest

from src.correlation import pearson
from src.data.movie_recording import discover_movies, import_movies
from src.evaluation.lag_ridge import fit_lag_ridge
from src.simulate.movie_recording import expected_counts, simulate_movie_recording


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The recording, written once."""
    return simulate_movie_recording(tmp_path_factory.mktemp("movie") / "arrays", 3)


def test_the_same_seed_gives_the_same_bytes_and_imports(folder, tmp_path):
    again = simulate_movie_recording(tmp_path / "again", 3)
    for file in folder.glob("*.npy"):
        assert file.read_bytes() == (again / file.name).read_bytes()
    with pytest.raises(FileExistsError, match="another simulation"):
        simulate_movie_recording(tmp_path / "again", 4)
    table = import_movies(tmp_path / "raw", discover_movies(folder))
    assert table["units"].item() == 4 and table["live_test_main trials"].item() >= 4


def test_counts_scatter_around_rates_that_are_not_linear(folder):
    movie = np.load(folder / "movie_simulated.npy")
    counts, rate = np.load(folder / "responses_simulated.npy"), expected_counts(movie)
    np.testing.assert_allclose(counts.mean(0), rate.mean(0), rtol=0.1)
    window = movie[:, 4:12, 4:12].astype(np.float32)
    pieces = [(window[:4800], counts[:4800])], [(window[4800:], counts[4800:])]
    linear = pearson(fit_lag_ridge(*pieces, 8).predict(window[4800:])[8:], counts[4808:])
    ideal = pearson(rate[4808:], counts[4808:])
    assert (linear > 0.3).all() and (ideal > linear + 0.02).all()
