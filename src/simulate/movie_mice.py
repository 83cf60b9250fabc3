"""Simulated mice in the on-disk layout of SENSORIUM 2023, and the truth about them elsewhere.

    <folder>/dynamic<key>-Video-<hash>[.zip]     one per mouse
    <truth_folder>/<key>.npz, <key>.json         see `movie_truth.MovieTruth`

As in `mice`, the same configuration and seed give the same bytes, and a mouse appears only when
complete.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from src.config import as_plain
from src.correlation import pearson
from src.data.frame_statistics import FrameMoments
from src.data.movie_mouse import SUFFIXES
from src.seeds import numpy_stream
from src.simulate.layout import Write
from src.simulate.mice import appearing, claim, identity
from src.simulate.movie_config import PRESETS, MovieMouse, MovieSimulation
from src.simulate.movie_cortex import MovieCortex, grow_movie_cortex
from src.simulate.movie_trials import MovieTrials, behave, lay_out
from src.simulate.movie_truth import MovieTruth, save_movie_truth

SCORED = slice(50, 299)  # frames of a natural film that count
CENTER, SPREAD = (138.0, 132.0), (6.0, 4.0)  # of the pupil, pixels


def simulate_movie_mice(
    folder: Path, truth_folder: Path, preset: str | MovieSimulation, seed: int
) -> tuple[Path, ...]:
    """Write all mice of a preset or configuration; returns their paths, folders or zips.

    Raises FileExistsError where either folder holds anything but this same simulation.
    """
    config = PRESETS[preset] if isinstance(preset, str) else preset
    folder, truth_folder = Path(folder), Path(truth_folder)
    for claimed in (folder, truth_folder):
        claim(claimed, identity(config, seed))
    paths = []
    for mouse in config.mice:
        path = folder / f"{movie_name(mouse)}{'.zip' if mouse.archive else ''}"
        truth_path = truth_folder / f"{mouse.key}.npz"
        if not (path.exists() and truth_path.exists()):
            with appearing(path, mouse.archive) as write:
                save_movie_truth(write_movie_mouse(config, mouse, seed, write), truth_path)
        paths.append(path)
    return tuple(paths)


def movie_name(mouse: MovieMouse) -> str:
    """Name of the mouse's folder, which says whether its test responses are public."""
    ending = next(ending for ending, role in SUFFIXES.items() if role == mouse.role)
    return f"dynamic{mouse.key}-Video-{ending}"


def write_movie_mouse(
    config: MovieSimulation, mouse: MovieMouse, seed: int, write: Write
) -> MovieTruth:
    """Draw one mouse, hand every array of its folder to `write`, return the truth about it."""
    cortex, trials = grow_movie_cortex(config, mouse, seed), lay_out(config, mouse, seed)
    made = _Writer(config, mouse, seed, cortex, write)
    for number, film in enumerate(trials.films):
        nothing = film.kind == "nothing"
        shown = np.zeros((mouse.pad, 36, 64), np.uint8) if nothing else film.draw(seed)
        seen = cortex.seen(shown)
        for i in np.flatnonzero(trials.film == number):
            made.trial(int(i), film.tier, shown, seen, nothing)
    made.statistics()
    unit_ids = np.cumsum(
        numpy_stream(seed, mouse.key, "unit ids").choice([1, 2], mouse.units, p=[0.8, 0.2])
    )
    write("meta/neurons/unit_ids", unit_ids)
    write("meta/neurons/cell_motor_coordinates", cortex.cortex.positions.astype(np.int64))
    write("meta/trials/tiers", trials.tiers)
    return _truth(config, mouse, cortex, trials, unit_ids, made)


class _Writer:
    """Files of one mouse; keeps what statistics and truth need."""

    def __init__(
        self,
        config: MovieSimulation,
        mouse: MovieMouse,
        seed: int,
        cortex: MovieCortex,
        write: Write,
    ) -> None:
        self.config, self.mouse, self.seed = config, mouse, seed
        self.cortex, self.write = cortex, write
        self.expected: dict[int, np.ndarray] = {}
        self.drawn: dict[int, np.ndarray] = {}
        self.training: dict[str, list[np.ndarray]] = {
            kind: [] for kind in ("videos", "responses", "behavior", "pupil_center")
        }

    def trial(self, i: int, tier: str, film: np.ndarray, seen: np.ndarray, nothing: bool) -> None:
        """Behavior, responses and files of trial `i`, which shows a film, or nothing."""
        mouse, rng = self.mouse, numpy_stream(self.seed, self.mouse.key, "trial", i)
        z, pupil = behave(self.config, len(film), rng)
        self.expected[i] = self.cortex.expected(seen, z, pupil).astype(np.float32)
        self.drawn[i] = self.cortex.respond(self.expected[i], rng).astype(mouse.response_dtype)
        values = {
            "videos": film,
            "responses": self.drawn[i],
            "behavior": np.column_stack([45 + 12 * z[:, 0], 2 * np.exp(z[:, 1])]),
            "pupil_center": CENTER + SPREAD * pupil,
        }
        if mouse.short:
            values[mouse.short] = values[mouse.short][:-1]
        if tier == "train":
            for kind, value in values.items():
                self.training[kind].append(value)
        withheld = mouse.role == "scored" and "test" in tier
        for kind, value in values.items():
            dtype = mouse.video_dtype if kind == "videos" else mouse.response_dtype
            void = kind == "videos" and nothing
            padded = self._padded(value, dtype, void)
            if withheld and kind == "responses":
                padded = np.zeros_like(padded)
            self.write(f"data/{kind}/{i}", np.ascontiguousarray(np.moveaxis(padded, 0, -1)))

    def _padded(self, value: np.ndarray, dtype: str, void: bool) -> np.ndarray:
        """All frames of a file: (t, ...) -> (T, ...); nothing but padding if `void`."""
        fill = 0.0 if self.mouse.padding == "zero" and not void else np.nan
        padded = np.full((self.mouse.pad, *value.shape[1:]), fill, dtype)
        padded[: 0 if void else len(value)] = value[: 0 if void else None]
        return padded

    def statistics(self) -> None:
        """Statistics frame by frame over training trials, NaN where there are none."""
        for kind, values in self.training.items():
            stack = np.stack(values)
            moments = FrameMoments(stack.shape[1], stack.shape[2:])
            for value in stack:
                moments.add(value.astype(np.float64))
            found = {n: v for n, v in moments.result().items() if n != "count"}
            ordered = np.partition(stack, [(len(stack) - 1) // 2, len(stack) // 2], axis=0)
            middle = ordered[(len(stack) - 1) // 2].astype(float) + ordered[len(stack) // 2]
            found |= {"min": stack.min(0), "max": stack.max(0), "median": middle / 2}
            for name, value in found.items():
                padded = np.full((self.mouse.pad, *stack.shape[2:]), np.nan, np.float32)
                padded[: len(value)] = value
                self.write(f"meta/statistics/{kind}/all/{name}", np.moveaxis(padded, 0, -1))


def _truth(
    config: MovieSimulation,
    mouse: MovieMouse,
    cortex: MovieCortex,
    trials: MovieTrials,
    unit_ids: np.ndarray,
    made: _Writer,
) -> MovieTruth:
    n = len(trials.tiers)
    films = [trials.films[k] for k in trials.film]
    expected, drawn = ([values[i] for i in range(n)] for values in (made.expected, made.drawn))
    main = np.flatnonzero(np.char.endswith(trials.tiers, "main"))
    both = (np.concatenate([x[i][SCORED] for i in main]) for x in (expected, drawn))
    return MovieTruth(
        mouse.key,
        as_plain(config),
        unit_ids,
        cortex,
        trials.tiers,
        np.array([film.kind for film in films]),
        np.array([f"{film.name}{' copy' if film.copy else ''}" for film in films]),
        np.cumsum([0, *map(len, expected)]),
        np.concatenate(expected),
        np.concatenate(drawn).astype(np.float32),
        pearson(*both),
    )
