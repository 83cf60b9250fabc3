"""A simulated recording as a laboratory may keep it: plain arrays and images, no trial files.

    images_simulated_a/0001.png ...      responses_raw_simulated_a.npy   (u, n, r), NaN-padded
    images_simulated_b.npy  (n, h, w)    responses_simulated_b.npy       (u, n), mean over repeats
                                         coordinates_simulated_a.npy     (u, 3) um

Half of the images of b are also in a. No behavior was recorded, and none has an effect.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from src.manifest import replacing
from src.seeds import numpy_stream
from src.simulate.config import SimulatedMouse, SimulationConfig
from src.simulate.cortex import grow_cortex
from src.simulate.images import draw_images, retinal
from src.simulate.mice import claim, identity

IMAGES = 120  # of one session
REPEATS = (4, 6)
CONFIG = SimulationConfig(
    mice=(SimulatedMouse("simulated_a", units=16), SimulatedMouse("simulated_b", units=12)),
    behavior_additive=0,
    behavior_gain=0,
    pupil_shift=0,
)


def simulate_recording(folder: Path, seed: int) -> Path:
    """Write two simulated sessions, for the importer; the same seed gives the same bytes."""
    folder = Path(folder)
    claim(folder, identity(CONFIG, seed))
    rng = numpy_stream(seed, "images", "recording")
    images, boxes = draw_images(rng, IMAGES * 3 // 2, CONFIG.spectrum, CONFIG.object_fraction)
    first, second = CONFIG.mice
    a, b = slice(IMAGES), slice(IMAGES // 2, None)
    for i, image in enumerate(images[a], 1):
        with replacing(folder / f"images_{first.key}" / f"{i:04}.png") as temporary:
            Image.fromarray(image).save(temporary, format="png")
    _save(folder / f"images_{second.key}.npy", images[b])
    positions, repeats = _repeats(first, images[a], boxes[a], seed)
    _save(folder / f"responses_raw_{first.key}.npy", repeats)
    _save(folder / f"coordinates_{first.key}.npy", positions)
    _, repeats = _repeats(second, images[b], boxes[b], seed)
    _save(folder / f"responses_{second.key}.npy", np.nanmean(repeats, axis=2))
    return folder


def _repeats(
    mouse: SimulatedMouse, images: np.ndarray, boxes: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions, and single responses padded with NaN to the most repeats: -> (u, 3), (u, n, r)."""
    cortex, rng = grow_cortex(CONFIG, mouse, seed), numpy_stream(seed, mouse.key, "recording")
    still = np.zeros((len(images), 3)), np.zeros((len(images), 2))
    expected = cortex.expected(retinal(images), boxes, *still)
    shown = rng.integers(*REPEATS, len(images), endpoint=True)
    trials = [cortex.respond(expected, rng) for _ in range(REPEATS[1])]
    missing = shown[:, None] <= np.arange(REPEATS[1])
    return cortex.positions, np.where(missing, np.nan, np.stack(trials, -1).transpose(1, 0, 2))


def _save(path: Path, array: np.ndarray) -> None:
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.save(stream, array)
