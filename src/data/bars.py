"""Moving bars in a scanner: what was shown, how voxels responded, and the fields found before.

    dm_gazecenter.npz      (t, x, y) how much of each pixel is stimulated
    grid_coordinates.tsv   x, y of the pixels in degrees, y upwards and the fastest
    mask-v1_bold.tsv.gz    time, and a column a voxel of V1
    gauss_parameters.tsv   source (the voxel), x, y, sd, baseline, amplitude, r2

The files come with braincoder (one person of Szinte 2024), and are not ours to pass on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import gamma

from src.data.errors import DataError
from src.manifest import note_input

MOVIE, PIXELS = "dm_gazecenter.npz", "grid_coordinates.tsv"
BOLD, FITS = "mask-v1_bold.tsv.gz", "gauss_parameters.tsv"
SECONDS = 1.317  # of a frame
LASTS = 32.0  # seconds of a response
AGAIN = "get the file again"


@dataclass(frozen=True, eq=False)
class BarRecording:
    """t frames of p pixels, and responses of u voxels."""

    frames: np.ndarray  # (t, p) how much of a pixel is stimulated
    pixels: np.ndarray  # (p, 2) x, y in degrees, y upwards
    seconds: float  # of a frame
    responses: np.ndarray  # (t, u)
    known: pd.DataFrame  # u rows of x, y, sd, r2: as published, or as simulated; nan: no fit


def open_bars(folder: str | Path) -> BarRecording:
    """The recording from a folder with the four files; DataError says what does not fit."""
    folder = Path(folder).expanduser()
    for name in (MOVIE, PIXELS, BOLD, FITS):
        if not (folder / name).is_file():
            raise DataError(f"{folder / name} does not exist: give the folder that holds it")
    with np.load(note_input(folder / MOVIE), allow_pickle=False) as stored:
        (movie,) = (stored[name] for name in stored.files)
    tables = {n: pd.read_csv(note_input(folder / n), sep="\t") for n in (PIXELS, BOLD, FITS)}
    responses = tables[BOLD].drop(columns="time").to_numpy(np.float64)
    pixels, known = tables[PIXELS][["x", "y"]].to_numpy(), tables[FITS].set_index("source")
    frames = movie.reshape(len(movie), -1).astype(np.float64)
    for name, found, wanted in (
        (PIXELS, pixels.shape, (frames.shape[1], 2)),
        (BOLD, responses.shape, (len(frames), responses.shape[1])),
    ):
        if found != wanted:
            raise DataError(f"{folder / name} is {found}, {MOVIE} needs {wanted}: {AGAIN}")
    if len(unknown := known.index.difference(range(responses.shape[1]))):
        raise DataError(f"{folder / FITS} has voxel {unknown[0]}, {BOLD} has none: {AGAIN}")
    known = known[["x", "y", "sd", "r2"]].reindex(range(responses.shape[1]))
    return BarRecording(frames, pixels, SECONDS, responses, known.reset_index(drop=True))


def double_gamma(times: np.ndarray) -> np.ndarray:
    """Canonical response of blood flow at some times after a moment, of sum 1: (k,) s -> (k,).

    A gamma density of shape 6 less a sixth of one of shape 16, in seconds. Source: Friston et al.
    1998, NeuroImage 7:30; the defaults of SPM.
    """
    values = gamma.pdf(times, 6) - gamma.pdf(times, 16) / 6
    return values / values.sum()


def frame_times(seconds: float) -> np.ndarray:
    """Times of frames after a moment, as long as a response lasts: -> (k,) s."""
    return np.arange(0, LASTS, seconds)


def stretched_times(seconds: float) -> np.ndarray:
    """The same number of times with the last at the very end: -> (k,) s.

    They are a little more than a frame apart. Used as if they were not, the response comes 5 %
    too early; the published fits were made so.
    """
    return np.linspace(0, LASTS, round(LASTS / seconds))


def delayed(frames: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """What blood flow makes of a film: (t, p), (k,) -> (t, p); before it there was nothing."""
    return lfilter(kernel, 1.0, frames, axis=0)
