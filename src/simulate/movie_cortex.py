"""Units of a simulated cortex that see motion: Gabor filters in space, two kernels in time.

A filter unit answers to its Gabor, smoothed in time and delayed by its lag; an energy unit sums the
squares of a pair in quadrature in space and time, and so prefers one direction of motion (Adelson &
Bergen 1985). The pupil moves receptive fields to first order, along the filters' gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from src.seeds import numpy_stream
from src.simulate.config import SimulatedMouse
from src.simulate.cortex import CORNER_UM, FIELD_UM, Cortex, grow_cortex, spatial_modules
from src.simulate.films import H, W, draw_film
from src.simulate.movie_config import MovieMouse, MovieSimulation

PLANES_UM = np.arange(200.0, 426.0, 25.0)  # ten
KERNEL = 14  # frames a unit remembers
CALIBRATION_FILMS = 6


@dataclass(frozen=True)
class MovieCortex:
    """A cortex with lags; arrays in file order of the units."""

    cortex: Cortex
    lags: np.ndarray  # (u,) frames to the peak of the slow kernel
    envelope: float
    dull: bool  # the last two units: silent, and always 1

    def seen(self, film: np.ndarray) -> np.ndarray:
        """`projected` of its filters: (t, 36, 64) uint8 -> (3, 2, t, u)."""
        return projected(film, self.cortex.filters)

    def drive(self, seen: np.ndarray, pupil: np.ndarray) -> np.ndarray:
        """Raw drive of every frame: (3, 2, t, u), z-scored pupil (t, 2) -> (t, u)."""
        shift = pupil @ self.cortex.pupil_map  # (t, 2) x, y of the image's half width
        pair = seen[0] + shift[:, :1] * seen[1] + shift[:, 1:] * seen[2]
        return motion(pair, self.lags, self.cortex.kinds)

    def expected(self, seen: np.ndarray, behavior: np.ndarray, pupil: np.ndarray) -> np.ndarray:
        """Noise-free responses: (3, 2, t, u), z-scored size and speed (t, 2), (t, 2) -> (t, u)."""
        three = np.column_stack([behavior[:, 0], 0 * behavior[:, 0], behavior[:, 1]])
        frame = np.full((len(three), 4), 0.5)
        rate = self.cortex.rate(self.drive(seen, pupil), frame, three)
        rate = self.swell(len(rate))[:, None] * rate
        if self.dull:
            rate[:, -2:] = (0.0, 1.0)
        return rate

    def respond(self, expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Single responses around `expected`: (t, u) -> (t, u)."""
        swell = self.swell(len(expected))[:, None]
        drawn = swell * self.cortex.respond(expected / swell, rng)
        if self.dull:
            drawn[:, -2:] = (0.0, 1.0)
        return drawn

    def swell(self, frames: int) -> np.ndarray:
        """What every response of a trial is multiplied by: -> (t,), mean about 1."""
        return 1 + self.envelope * np.sin(2 * np.pi * np.arange(frames) / 150)


def kernels(lags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kernels of a slow and a fast answer, frames back in time: (u,) -> (KERNEL, u) twice.

    Gaussians of width lag / 2.5 at the lag, and their derivatives, both of norm 1.
    """
    width, t = lags / 2.5, np.arange(KERNEL)[:, None]
    slow = np.exp(-((t - lags) ** 2) / 2 / width**2)
    fast = (t - lags) / width * slow
    return tuple(k / np.linalg.norm(k, axis=0) for k in (slow, fast))


def _filtered(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Sum over k of kernel[k] * x[t - k], nothing before the first frame: (t, u) -> (t, u)."""
    out = kernel[0] * x
    for k in range(1, min(len(kernel), len(x))):
        out[k:] += kernel[k] * x[:-k]
    return out


def projected(film: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """What pairs of filters make of a film at rest, and the slopes of that along x and y.

    (t, 36, 64) uint8, (u, 2, 36, 64) -> (3, 2, t, u): value, slope in x, in y.
    """
    flat = ((film.astype(np.float32) - 127.5) / 64).reshape(len(film), -1)
    half = ((W - 1) / 2, (H - 1) / 2)
    slopes = [-np.gradient(filters, axis=a) * s for a, s in zip((3, 2), half, strict=True)]
    bank = np.stack([filters, *slopes]).astype(np.float32)  # (3, u, 2, h, w)
    made = flat @ bank.reshape(-1, H * W).T
    return made.reshape(len(film), 3, -1, 2).transpose(1, 3, 0, 2)


def motion(pair: np.ndarray, lags: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Smoothed filter output, or motion energy: (2, t, u), (u,), (u,) -> (t, u)."""
    slow, fast = kernels(lags)
    drive = _filtered(pair[0], slow)
    energy = kinds == "energy"
    even, odd, s, f = (x[:, energy] for x in (*pair, slow, fast))
    first = _filtered(even, s) + _filtered(odd, f)
    second = _filtered(odd, s) - _filtered(even, f)
    drive[:, energy] = first**2 + second**2
    return drive


def grow_movie_cortex(config: MovieSimulation, mouse: MovieMouse, seed: int) -> MovieCortex:
    """The cortex of one mouse: integer positions on ten planes, units sorted by plane."""
    u, rng = mouse.units, numpy_stream(seed, mouse.key, "positions")
    xy = np.rint(CORNER_UM + FIELD_UM * rng.random((u, 2)))
    positions = np.column_stack([xy, np.sort(rng.choice(PLANES_UM, u))])
    modules = np.arange(u) // 4
    if mouse.clusters == "cortex":
        length = config.cortex.similarity_um
        modules = spatial_modules(positions, length, numpy_stream(seed, mouse.key, "modules"))
    lags = numpy_stream(seed, mouse.key, "lags").uniform(*config.lag, u)

    def calibrate(filters: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        films = (draw_film(seed, "natural", f"calibration {i}") for i in range(CALIBRATION_FILMS))
        drives = [motion(projected(film, filters)[0], lags, kinds)[KERNEL:] for film in films]
        drive = np.concatenate(drives).astype(np.float64)
        return drive.mean(0), drive.std(0)

    drawn = SimulatedMouse(mouse.key, units=u)
    cortex = grow_cortex(config.cortex, drawn, seed, positions, modules, calibrate)
    return MovieCortex(cortex, lags, config.envelope, mouse.dull)
