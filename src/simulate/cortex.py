"""A simulated visual cortex of one mouse: where units are, what they see, how they respond.

The drive of a unit is a Gabor filter or the summed squares of a quadrature pair (Adelson & Bergen
1985), standardized over images; behavior scales it and adds to it, the pupil moves it. Expected
responses are scale * (ELU(drive) + 1); single ones scatter around with variance fano * expected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import numpy as np

from src.seeds import numpy_stream
from src.simulate.config import SimulatedMouse, SimulationConfig
from src.simulate.images import HEIGHT, WIDTH, draw_images, moved, retinal

FIELD_UM = 615.0  # side of the recorded field
CORNER_UM = (-809.0, -80.0)
PLANES_UM = np.linspace(100.0, 340.0, 9)
GRID = (HEIGHT // 4, WIDTH // 4)
ENVELOPE = 3.0  # pixels of the 36 x 64 grid
WAVELENGTHS = (6.0, 9.0)
ORIENTATIONS = 8
CALIBRATION_IMAGES = 256


@dataclass(frozen=True)
class Cortex:
    """Everything that decides the responses of u units; arrays in file order of the units."""

    positions: np.ndarray  # (u, 3) um
    rf_centers: np.ndarray  # (u, 2) x, y of the image, -1..1
    affine: np.ndarray  # (2, 3): rf center = affine @ (x um, y um, 1) + jitter
    modules: np.ndarray  # (u,) units of one module share orientation, wavelength and phase
    kinds: np.ndarray  # (u,) filter | energy | noise
    filters: np.ndarray  # (u, 2, 36, 64) float32; the second is zero unless energy
    drive_mean: np.ndarray  # (u,) of the raw drive over images
    drive_std: np.ndarray  # (u,)
    slope: np.ndarray  # (u,) 0 for noise units
    offset: np.ndarray  # (u,)
    scale: np.ndarray  # (u,) response units
    fano: np.ndarray  # (u,) variance / expected response
    additive: np.ndarray  # (3, u) weights of behavior
    gain: np.ndarray  # (3, u)
    box_weights: np.ndarray  # (4, u)
    pupil_map: np.ndarray  # (2, 2): shift of the rf centers = pupil (z-scored) @ pupil_map
    noise_family: Literal["gamma", "poisson"]

    def expected(
        self, images: np.ndarray, boxes: np.ndarray, behavior: np.ndarray, pupil: np.ndarray
    ) -> np.ndarray:
        """Noise-free responses to (n, 36, 64), (n, 4), and z-scored (n, 3), (n, 2): -> (n, u)."""
        seen = moved(images, pupil @ self.pupil_map)
        return self.rate(raw_drive(seen, self.filters, self.kinds), boxes, behavior)

    def rate(self, raw: np.ndarray, boxes: np.ndarray, behavior: np.ndarray) -> np.ndarray:
        """Noise-free responses to a raw drive (n, u), (n, 4), and z-scored (n, 3): -> (n, u)."""
        drive = (raw - self.drive_mean) / self.drive_std
        y = np.exp(behavior @ self.gain) * (self.slope * drive + self.offset)
        y += behavior @ self.additive + ((boxes - 0.5) / 0.25) @ self.box_weights
        return self.scale * np.where(y > 0, y + 1, np.exp(np.minimum(y, 0)))

    def respond(self, expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Single responses with mean `expected` and variance fano * expected: (n, u) -> (n, u)."""
        if not self.fano.any():
            return expected
        rate = expected / self.fano
        noisy = rng.gamma(rate) if self.noise_family == "gamma" else rng.poisson(rate)
        return noisy * self.fano


def raw_drive(images: np.ndarray, filters: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Filter output, or energy of a pair: (n, h, w), (u, 2, h, w), (u,) -> (n, u)."""
    flat = images.reshape(len(images), -1)
    bank = filters.reshape(*filters.shape[:2], -1)
    drive = flat @ bank[:, 0].T
    energy = kinds == "energy"
    drive[:, energy] = drive[:, energy] ** 2 + (flat @ bank[energy, 1].T) ** 2
    return drive


def grow_cortex(
    config: SimulationConfig,
    mouse: SimulatedMouse,
    seed: int,
    positions: np.ndarray | None = None,
    modules: np.ndarray | None = None,
    calibrate: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None,
) -> Cortex:
    """The cortex of one mouse, drawn from named streams of `seed`.

    Positions (u, 3) and modules (u,) may be given; `calibrate` says mean and std of the raw drive
    of filters (u, 2, 36, 64) and kinds (u,), without which they are those over static images.
    """
    u = mouse.units
    rng = numpy_stream(seed, mouse.key, "cortex")
    xy = CORNER_UM + FIELD_UM * rng.random((u, 2)) if positions is None else positions[:, :2]
    if positions is None:
        positions = np.column_stack([xy, rng.choice(PLANES_UM, u)])
    affine = _retinotopy(config, rng)
    jitter = config.rf_jitter * rng.standard_normal((u, 2))
    rf_centers = np.column_stack([xy, np.ones(u)]) @ affine.T + jitter
    kinds = _kinds(config, u, numpy_stream(seed, mouse.key, "kinds"))
    if modules is None:
        rng = numpy_stream(seed, mouse.key, "modules")
        modules = spatial_modules(positions, config.similarity_um, rng)
    filters = _filters(rf_centers, modules, kinds, numpy_stream(seed, mouse.key, "tuning"))
    calibrate = calibrate or partial(_calibration, config, seed)
    mean, std = calibrate(filters, kinds)
    return Cortex(
        positions, rf_centers, affine, modules, kinds, filters, mean, std,
        noise_family=config.noise_family,
        **_responsiveness(config, kinds, numpy_stream(seed, mouse.key, "responsiveness")),
    )  # fmt: skip


def _rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _retinotopy(config: SimulationConfig, rng: np.random.Generator) -> np.ndarray:
    """Affine map from soma x, y in um to receptive-field x, y, turned up to 30 degrees: (2, 3)."""
    turn = _rotation(rng.uniform(-np.pi / 6, np.pi / 6))
    linear = config.rf_spread * turn / (FIELD_UM / 2)
    center = np.array(CORNER_UM) + FIELD_UM / 2
    return np.column_stack([linear, rng.uniform(-0.1, 0.1, 2) - linear @ center])


def _kinds(config: SimulationConfig, u: int, rng: np.random.Generator) -> np.ndarray:
    noise = round(config.noise_fraction * u)
    energy = round(config.energy_fraction * (u - noise))
    return rng.permutation(
        np.repeat(["noise", "energy", "filter"], [noise, energy, u - noise - energy])
    )


def spatial_modules(positions: np.ndarray, length: float, rng: np.random.Generator) -> np.ndarray:
    """Cells of space cut by random planes: (u, 3) um -> (u,).

    Two points d apart lie in one cell with probability exp(-d / length): planes of density
    2 / length per um of offset cut a segment of length d on average d / length times, because |cos|
    has the mean 1/2 over the sphere. Directions are spread evenly (a turned Fibonacci lattice), so
    that a single mouse comes close to the expectation.
    """
    if length == 0:
        return np.arange(len(positions))
    centered = positions - positions.mean(0)
    reach = np.linalg.norm(centered, axis=1).max()
    n = round(4 * reach / length)
    z, turn = (np.arange(n) + 0.5) / n, np.pi * (1 + 5**0.5) * np.arange(n)
    ring = np.sqrt(1 - z**2)
    normals = np.column_stack([ring * np.cos(turn), ring * np.sin(turn), z])
    normals = normals @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    offsets = rng.uniform(-reach, reach, n)
    return np.unique(centered @ normals.T > offsets, axis=0, return_inverse=True)[1]


def _filters(
    centers: np.ndarray, modules: np.ndarray, kinds: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Gabor filters of mean 0 and norm 1, the second in quadrature: -> (u, 2, 36, 64) float32.

    Envelopes sit at a unit's own receptive field; the carrier's phase is fixed to the image, so
    that neighbors of one module stay similar although their receptive fields differ.
    """
    m = modules.max() + 1
    angle = rng.integers(ORIENTATIONS, size=m)[modules] * np.pi / ORIENTATIONS
    frequency = 2 * np.pi / rng.choice(WAVELENGTHS, m)[modules]
    phase = rng.uniform(0, 2 * np.pi, m)[modules]
    envelope_x, wave_x, mean_x = _along(GRID[1], centers[:, 0], frequency * np.cos(angle), phase)
    envelope_y, wave_y, mean_y = _along(
        GRID[0], centers[:, 1], frequency * np.sin(angle), 0 * phase
    )
    filters = np.empty((len(centers), 2, *GRID), np.float32)
    for s in np.split(np.arange(len(centers)), range(500, len(centers), 500)):
        wave = wave_y[s, :, None] * wave_x[s, None] - (mean_y * mean_x)[s, None, None]
        gabor = envelope_y[s, :, None] * envelope_x[s, None] * wave
        pair = np.stack([gabor.real, gabor.imag], 1)
        filters[s] = pair / np.linalg.norm(pair, axis=(2, 3), keepdims=True)
    filters[kinds != "energy", 1] = 0
    return filters


def _along(
    size: int, center: np.ndarray, frequency: np.ndarray, phase: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Envelope, complex carrier and its weighted mean on one axis: -> (u, size) twice, (u,)."""
    pixel = np.arange(size)
    envelope = np.exp(-((pixel - (center[:, None] + 1) / 2 * (size - 1)) ** 2) / 2 / ENVELOPE**2)
    wave = np.exp(1j * (frequency[:, None] * (pixel - size / 2) + phase[:, None]))
    return envelope, wave, (envelope * wave).sum(1) / envelope.sum(1)


def _calibration(
    config: SimulationConfig, seed: int, filters: np.ndarray, kinds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the raw drive over images of the simulation: -> (u,), (u,)."""
    images = _calibration_images(config.spectrum, config.object_fraction, seed)
    drive = raw_drive(images, filters, kinds).astype(np.float64)
    return drive.mean(0), drive.std(0)


@lru_cache(maxsize=1)
def _calibration_images(spectrum: float, object_fraction: float, seed: int) -> np.ndarray:
    rng = numpy_stream(seed, "images", "calibration")
    return retinal(draw_images(rng, CALIBRATION_IMAGES, spectrum, object_fraction)[0])


def _responsiveness(
    config: SimulationConfig, kinds: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Operating points, noise and weights; noise units have slope and weights 0."""
    u, sees = len(kinds), kinds != "noise"
    scale = rng.lognormal(1, 0.4, u)
    weights = {
        "additive": config.behavior_additive * np.abs(_directions(rng, 3, u)),
        "gain": config.behavior_gain * np.abs(_directions(rng, 3, u)),
        "box_weights": config.box_effect * _directions(rng, 4, u),
    }
    return {
        "slope": rng.uniform(0.8, 1.2, u) * sees,
        "offset": rng.uniform(-0.6, 0.2, u),
        "scale": scale,
        "fano": scale * config.noise * rng.lognormal(0, 0.6, u),
        "pupil_map": config.pupil_shift * _rotation(rng.uniform(-0.4, 0.4)),
        **{name: w * sees for name, w in weights.items()},
    }


def _directions(rng: np.random.Generator, n: int, u: int) -> np.ndarray:
    """Random unit vectors as columns: -> (n, u)."""
    vectors = rng.standard_normal((n, u))
    return vectors / np.linalg.norm(vectors, axis=0)
