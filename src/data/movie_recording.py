"""Somebody's own recording of a film, from plain arrays to the layout of SENSORIUM 2023.

A long recording is cut into blocks of time, each on one side of the evaluation, with frames left
out between them that a model may have looked back at; a block is cut into trials of consecutive
frames. Trials that are scored begin `LEAD` frames earlier, so that no frame is lost to the skip.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.io

from src.data.errors import DataError
from src.data.movie_mouse import TIERS
from src.data.recording import RECORD, read_record, save_npy, staging
from src.data.stimulus_kinds import FILMS, arrays_hint
from src.data.stored import read_mat, read_npy
from src.manifest import fingerprint, note_output, source_sha256

LEAD = 50  # frames of a trial before the first that is scored
SHORTEST = 80  # frames of a trial: a clip beyond the lead
CODE = ("data/movie_recording", "data/movie_mouse")


@dataclass(frozen=True)
class MovieArrays:
    """One session: a film and what units did in each of its frames, arrays or paths of npy."""

    movie: np.ndarray | Path  # time on whichever axis has as many entries as the responses
    responses: np.ndarray | Path  # (t,), (t, u) or (u, t)
    behavior: np.ndarray | Path | None = None  # (t, 2) pupil size, running speed
    pupil: np.ndarray | Path | None = None  # (t, 2)
    coordinates: np.ndarray | Path | None = None  # (u, 3) micrometers
    rate: float = 30.0  # frames a second


@dataclass(frozen=True)
class MovieImport:
    """How a recording is cut; blocks in order of time, each a tier and its share of the frames.

    A tier may come several times: alternate blocks where a recording drifts.
    """

    trial: int = 300  # frames
    guard: int = 30  # left out between blocks: as far as a model looks back
    blocks: tuple[tuple[str, float], ...] = (
        ("train", 0.7),
        ("oracle", 0.1),
        ("live_test_main", 0.2),
    )

    def __post_init__(self) -> None:
        tiers = {tier for tier, _ in self.blocks}
        if unknown := tiers - set(TIERS):
            raise DataError(f"blocks have tier {sorted(unknown)[0]!r}: use {', '.join(TIERS)}")
        if not {"train", "oracle"} <= tiers or abs(sum(s for _, s in self.blocks) - 1) > 1e-6:
            raise DataError(
                f"blocks {self.blocks} must have train and oracle and add up to 1: change shares"
            )
        if self.trial < SHORTEST:
            raise DataError(f"trials of {self.trial} frames are too short: use {SHORTEST} or more")


@dataclass(frozen=True)
class Cut:
    """Frames [start, stop) of the recording that are one trial, and its tier."""

    tier: str
    start: int
    stop: int


def cut(frames: int, config: MovieImport) -> list[Cut]:
    """Trials of a recording, in order of time; those that are scored overlap by their lead.

    Two trials of different blocks are at least `guard` frames apart. DataError for blocks that are
    too short for one trial.
    """
    edges = np.rint(np.cumsum([0, *(share for _, share in config.blocks)]) * frames).astype(int)
    found = []
    for (tier, _), start, stop in zip(config.blocks, edges, edges[1:], strict=False):
        begin = int(start) + (config.guard if start else 0)
        lead = 0 if tier == "train" else LEAD
        if stop - begin < SHORTEST:
            raise DataError(
                f"a block of {stop - begin} frames for {tier} is shorter than {SHORTEST}: use a "
                "larger share or fewer blocks"
            )
        while stop - begin >= SHORTEST:
            end = min(begin + config.trial, int(stop))
            found.append(Cut(tier, begin, end))
            begin = end - lead
            if end == stop:
                break
    return found


def load_mat(path: Path, movie: str, responses: str, rate: float = 30.0) -> MovieArrays:
    """A session from two variables of a MATLAB file. DataError where it has none such."""
    found = read_mat(path, [movie, responses])
    for name in (movie, responses):
        if name not in found:
            known = ", ".join(n for n, *_ in scipy.io.whosmat(path))
            raise DataError(f"{path} has no variable {name!r} among {known}: name another")
    return MovieArrays(found[movie], found[responses], rate=rate)


def discover_movies(source: str | Path, rate: float = 30.0) -> dict[str, MovieArrays]:
    """Sessions of a folder by name: `movie_<session>.npy` with `responses_<session>.npy`.

    Optionally `behavior_`, `pupil_` and `coordinates_<session>.npy`.
    """
    source, found = Path(source).expanduser(), {}
    for movie in sorted(source.glob("movie_*.npy")):
        name = movie.stem.removeprefix("movie_")
        responses = source / f"responses_{name}.npy"
        if not responses.is_file():
            raise DataError(f"session '{name}' has no responses in {source}: add {responses.name}")
        files = {k: source / f"{k}_{name}.npy" for k in ("behavior", "pupil", "coordinates")}
        more = {kind: file for kind, file in files.items() if file.is_file()}
        found[name] = MovieArrays(movie, responses, **more, rate=rate)
    if not found:
        hint = arrays_hint(source, FILMS)
        raise DataError(f"{source} holds no movie_<session>.npy: give the folder that does{hint}")
    return found


class RecordedMovie:
    """Arrays of one session, time first and of equal length, without missing values."""

    def __init__(self, name: str, arrays: MovieArrays) -> None:
        self.name, self.rate = name, arrays.rate
        movie, responses = (self._read(arrays, field) for field in ("movie", "responses"))
        responses = (
            responses.reshape(max(responses.shape), -1) if 1 in responses.shape else responses
        )
        responses = responses[:, None] if responses.ndim == 1 else responses
        if movie.ndim != 3 or responses.ndim != 2:
            raise self._unfit(movie, responses)
        if responses.shape[0] not in movie.shape:
            responses = responses.T
        axes = [axis for axis, n in enumerate(movie.shape) if n == len(responses)]
        if not axes:
            raise self._unfit(movie, responses)
        time = axes[0] if axes[0] == 0 else axes[-1]
        self.movie, self.responses = np.moveaxis(movie, time, 0), responses
        self.sides = {
            kind: self._side(arrays, field)
            for kind, field in (("behavior", "behavior"), ("pupil_center", "pupil"))
            if getattr(arrays, field) is not None
        }
        self.coordinates = None if arrays.coordinates is None else self._read(arrays, "coordinates")

    def _read(self, arrays: MovieArrays, field: str) -> np.ndarray:
        given = getattr(arrays, field)
        where = f"session '{self.name}'"
        array = given if isinstance(given, np.ndarray) else read_npy(given, where)
        if array.dtype.kind not in "buif" or not np.isfinite(array).all():
            raise DataError(
                f"session '{self.name}': {field} {array.shape} {array.dtype} must be finite "
                "numbers: cut out or mark what is missing first"
            )
        return array

    def _side(self, arrays: MovieArrays, field: str) -> np.ndarray:
        array = self._read(arrays, field)
        if array.shape != (len(self.movie), 2):
            raise DataError(
                f"session '{self.name}': {field} is {array.shape}, not ({len(self.movie)}, 2) as "
                "the film has frames: give one row a frame"
            )
        return array

    def _unfit(self, movie: np.ndarray, responses: np.ndarray) -> DataError:
        return DataError(
            f"session '{self.name}': movie {movie.shape} and responses {responses.shape} share no "
            "number of frames: give (t, h, w) and (t, units), one row a frame"
        )


def import_movies(
    folder: str | Path, sessions: Mapping[str, MovieArrays], config: MovieImport = MovieImport()
) -> pd.DataFrame:
    """Write a recording to `folder`, one folder a session; returns a table, one row a session.

    All or nothing; the same input again changes nothing. DataError, in one line, for what does not
    fit, and for a `folder` that holds something else.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / RECORD).is_file():
        raise DataError(f"{folder} exists and is no imported recording: choose another name")
    opened = [RecordedMovie(name, arrays) for name, arrays in sessions.items()]
    made_from = fingerprint([source_sha256(*CODE), asdict(config), [_content(s) for s in opened]])
    if not (folder / RECORD).is_file() or read_record(folder)["made_from"] != made_from:
        with staging(folder) as new:
            rows = [_write(new / session.name, session, config) for session in opened]
            record = {"made_from": made_from, "config": asdict(config), "sessions": rows}
            (new / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    note_output(folder / RECORD)
    return pd.DataFrame(read_record(folder)["sessions"])


def _content(session: RecordedMovie) -> list[Any]:
    arrays = (session.movie, session.responses, *session.sides.values())
    hashes = [hashlib.sha256(np.ascontiguousarray(a)).hexdigest() for a in arrays]
    return [session.name, session.rate, [list(a.shape) for a in arrays], hashes]


def _write(folder: Path, session: RecordedMovie, config: MovieImport) -> dict[str, Any]:
    """Write one session; returns its row of the table."""
    trials = cut(len(session.movie), config)
    pad = max(trial.stop - trial.start for trial in trials)
    kinds = {"videos": session.movie, "responses": session.responses, **session.sides}
    for i, trial in enumerate(trials):
        for kind, values in kinds.items():
            part = values[trial.start : trial.stop]
            padded = np.full((pad, *part.shape[1:]), np.nan, np.float32)
            padded[: len(part)] = part
            save_npy(folder / f"data/{kind}/{i}", np.ascontiguousarray(np.moveaxis(padded, 0, -1)))
    training = np.concatenate([np.arange(t.start, t.stop) for t in trials if t.tier == "train"])
    for kind, values in kinds.items():
        _write_statistics(folder / f"meta/statistics/{kind}/all", kind, values[training], pad)
    units = session.responses.shape[1]
    save_npy(folder / "meta/trials/tiers", np.array([t.tier for t in trials]))
    save_npy(folder / "meta/neurons/unit_ids", np.arange(1, units + 1))
    if session.coordinates is not None:
        save_npy(folder / "meta/neurons/cell_motor_coordinates", session.coordinates)
    row = {"session": session.name, "units": units, "frame": list(session.movie.shape[1:])}
    row |= {"frames": len(session.movie), "rate": session.rate, "guard": config.guard}
    for tier in dict.fromkeys(tier for tier, _ in config.blocks):
        row[f"{tier} trials"] = sum(t.tier == tier for t in trials)
    return row


def _write_statistics(folder: Path, kind: str, values: np.ndarray, pad: int) -> None:
    """Mean and std over training frames, the same in every frame; of a film over pixels too."""
    axis = None if kind == "videos" else 0
    row = values.shape[1:]
    for name in ("mean", "std"):
        found = getattr(np, name)(values.astype(np.float64), axis=axis)
        same = np.broadcast_to(np.asarray(found)[..., None], (*row, pad)) if axis == 0 else None
        same = np.full((*row, pad), found) if same is None else same
        save_npy(folder / name, same.astype(np.float32))
