"""A simulated recording of a film as a laboratory may keep it: two plain arrays.

    movie_simulated.npy (t, h, w) flickering squares      responses_simulated.npy (t, u) counts

Four cells with a center and a surround in space and two phases in time; two of them saturate and
rest, so that no linear filter describes them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from src.manifest import replacing
from src.seeds import numpy_stream
from src.simulate.mice import claim

FRAMES, SIDE = 6000, 16
CENTERS = ((7.0, 8.0), (8.0, 6.0), (6.0, 9.0), (9.0, 9.0))
LAGS = 8


def simulate_movie_recording(folder: Path, seed: int) -> Path:
    """Write one simulated session for the importer; the same seed gives the same bytes."""
    folder = Path(folder)
    claim(folder, {"fingerprint": f"movie recording 1, seed {seed}", "seed": seed})
    rng = numpy_stream(seed, "movie", "recording")
    movie = rng.integers(0, 2, (FRAMES, SIDE, SIDE), dtype=np.uint8) * np.uint8(255)
    rate = expected_counts(movie)
    for name, array in (("movie", movie), ("responses", rng.poisson(rate))):
        with (
            replacing(folder / f"{name}_simulated.npy") as temporary,
            open(temporary, "wb") as file,
        ):
            np.save(file, array)
    return folder


def expected_counts(movie: np.ndarray) -> np.ndarray:
    """Noise-free counts: (t, h, w) uint8 -> (t, 4)."""
    light = movie.reshape(len(movie), -1) / 127.5 - 1
    y, x = np.mgrid[:SIDE, :SIDE]
    kernel = np.array([0, 0.3, 1.0, 0.6, -0.2, -0.5, -0.3, -0.1])
    rates = []
    for i, (cy, cx) in enumerate(CENTERS):
        away = ((y - cy) ** 2 + (x - cx) ** 2).ravel()
        field = np.exp(-away / 2 / 1.2**2) - 0.25 * np.exp(-away / 2 / 2.6**2)
        seen = (1 if i % 2 else -1) * light @ field
        drive = sum(
            k * np.r_[np.zeros(lag), seen[: len(seen) - lag]] for lag, k in enumerate(kernel)
        )
        drive = drive / drive.std()
        rates.append(np.maximum(drive, 0) ** 1.5 if i < 2 else 2 / (1 + np.exp(1.5 - 3 * drive)))
    return np.stack(rates, axis=1)
