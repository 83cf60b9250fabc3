"""The trials of one simulated mouse that watches films: which film when, in which tier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from src.seeds import numpy_stream
from src.simulate.films import draw_film
from src.simulate.movie_config import MovieMouse, MovieSimulation

MEMORY = 0.97  # of behavior from one frame to the next
SHIFTED = 1  # tests of a mouse and of its partner are dealt to tiers so many films apart


class Film(NamedTuple):
    """What decides a film, and how often which tier shows it."""

    tier: str
    kind: str
    name: str
    repeats: int
    copy: bool = False  # all but equal to the film of that name: one pixel is brighter by 1

    def draw(self, seed: int) -> np.ndarray:
        """-> (t, 36, 64) uint8."""
        film = draw_film(seed, self.kind, self.name)
        if self.copy:
            film = film.copy()
            film[0, 0, 0] = film[0, 0, 0] + 1 if film[0, 0, 0] < 255 else 254
        return film


@dataclass(frozen=True)
class MovieTrials:
    """n trials in file order, which is not the order in time."""

    films: tuple[Film, ...]
    tiers: np.ndarray  # (n,) str
    film: np.ndarray  # (n,) place in `films`


def lay_out(config: MovieSimulation, mouse: MovieMouse, seed: int) -> MovieTrials:
    """All trials of `mouse`, in random order."""
    rng = numpy_stream(seed, mouse.key, "trials")
    films = tuple(_films(config, mouse, rng))
    order = rng.permutation(np.repeat(np.arange(len(films)), [f.repeats for f in films]))
    return MovieTrials(films, np.array([films[i].tier for i in order]), order)


def _films(config: MovieSimulation, mouse: MovieMouse, rng: np.random.Generator) -> Iterator[Film]:
    """Films of a mouse; most of its training films and all of its tests its partner saw as well."""
    pair, scored = f"pair {mouse.pair}", mouse.role == "scored"
    for i in range(config.train - config.own):
        yield Film("train", "natural", f"{pair} train {i}", 1)
    for i in range(config.own):
        twin = i == 0 and not scored  # of the partner's first own film
        name = f"{pair} twin" if i == 0 else f"{mouse.key} {i}"
        yield Film("train", "natural", name, 1, copy=twin)
    tiers = np.repeat(["oracle", "live_test_main", "final_test_main"], config.main)
    names = [f"{pair} main {i}" for i in range(len(tiers))]
    yield from _dealt(config, rng, tiers, ["natural"] * len(names), names, scored)
    kinds = np.repeat(config.kinds[mouse.pair % len(config.kinds)], config.ood)
    tiers = np.where(np.arange(len(kinds)) < config.ood, "live_test_bonus", "final_test_bonus")
    names = [f"{pair} {kind} {i % config.ood}" for i, kind in enumerate(kinds)]
    yield from _dealt(config, rng, tiers, kinds.tolist(), names, scored)
    for i in range(0 if scored else config.none):
        yield Film("none", "natural", f"{mouse.key} none {i}", 1)
    if mouse.overlong:
        yield Film("live_test_bonus", "nothing", mouse.key, 1)


def _dealt(
    config: MovieSimulation,
    rng: np.random.Generator,
    tiers: np.ndarray,
    kinds: list[str],
    names: list[str],
    scored: bool,
) -> Iterator[Film]:
    """Films of a pair dealt to the tiers of one mouse, those of a public mouse shifted."""
    shift = 0 if scored else SHIFTED
    for i, tier in enumerate(tiers.tolist()):
        k = (i + shift) % len(names)
        repeats = int(rng.integers(*config.repeats, endpoint=True))
        yield Film(tier, kinds[k], names[k], repeats)


def behave(
    config: MovieSimulation, frames: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pupil size and speed, and the pupil's center, z-scored: -> (t, 2), (t, 2)."""
    noise = rng.standard_normal((frames + 100, 4))
    moving = lfilter([np.sqrt(1 - MEMORY**2)], [1.0, -MEMORY], noise, axis=0)[100:]
    still = rng.standard_normal(4)
    z = np.sqrt(config.jitter) * moving + np.sqrt(1 - config.jitter) * still
    return z[:, :2].clip(-3, 3), z[:, 2:].clip(-3, 3)
