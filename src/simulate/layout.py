"""One simulated mouse as the arrays of its folder, in the layout of SENSORIUM 2022.

The words of the source files (tiers, frame_image_id, xywh ...) are written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from src.config import as_plain
from src.seeds import numpy_stream
from src.simulate.config import SimulatedMouse, SimulationConfig
from src.simulate.cortex import grow_cortex
from src.simulate.images import draw_images, retinal
from src.simulate.trials import Trials, image_counts, lay_out
from src.simulate.truth import Truth, repeat_moments

BLOCK = 128  # images drawn at a time

Write = Callable[[str, np.ndarray], None]  # path below the mouse's folder, without .npy; array


def write_mouse(config: SimulationConfig, mouse: SimulatedMouse, seed: int, write: Write) -> Truth:
    """Draw one mouse, hand every array of its folder to `write`, return the truth about it.

    Holds one block of images at a time, and the responses of all trials.
    """
    cortex, trials = grow_cortex(config, mouse, seed), lay_out(config, mouse, seed)
    n, u = len(trials.rank), mouse.units
    responses, expected = np.empty((n, u), mouse.response_dtype), np.empty((n, u), np.float32)
    true_boxes, pixels, moments = np.empty((n, 4)), np.zeros(256, int), []
    for tier, first, images, boxes in _blocks(config, mouse, seed):
        rows = np.flatnonzero((trials.images >= first) & (trials.images < first + len(images)))
        which, seen = trials.images[rows] - first, retinal(images)
        true_boxes[rows] = boxes[which]
        mean = cortex.expected(seen[which], boxes[which], trials.behavior[rows], trials.pupil[rows])
        expected[rows] = mean
        responses[rows] = cortex.respond(mean, numpy_stream(seed, mouse.key, "noise", first))
        for row, image in zip(rows, which, strict=True):
            write(f"data/images/{row}", images[image][None].astype(mouse.image_dtype, copy=False))
        if tier == "train":
            pixels += np.bincount(images.ravel(), minlength=256)
        if tier == "test":
            moments.append(repeat_moments(cortex, seen, boxes, trials))
    unit_ids = np.cumsum(numpy_stream(seed, mouse.key, "unit ids").choice([1, 2], u, p=[0.8, 0.2]))
    _write_trials(mouse, trials, responses, true_boxes, pixels, write)
    _write_meta(mouse, trials, cortex.positions, unit_ids, write)
    means, variances = map(np.concatenate, zip(*moments, strict=True))
    repeats = np.unique(trials.images[trials.tiers == "test"], return_counts=True)[1]
    return Truth(
        mouse.key, as_plain(config), unit_ids, cortex, trials, true_boxes, expected, repeats,
        means, variances,
    )  # fmt: skip


def _blocks(
    config: SimulationConfig, mouse: SimulatedMouse, seed: int
) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    """Tier, number of the first image, (b, 144, 256) images and (b, 4) boxes, block after block."""
    first = 0
    for tier, count in image_counts(config, mouse).items():
        owner = "all mice" if "test" in tier else mouse.key
        for start in range(0, count, BLOCK):
            rng = numpy_stream(seed, "images", owner, tier, start)
            b = min(BLOCK, count - start)
            yield tier, first, *draw_images(rng, b, config.spectrum, config.object_fraction)
            first += b


def _write_trials(
    mouse: SimulatedMouse,
    trials: Trials,
    responses: np.ndarray,
    boxes: np.ndarray,
    pixels: np.ndarray,
    write: Write,
) -> None:
    """Responses, behavior, pupil and boxes per trial, and statistics over the training trials."""
    if mouse.withheld:
        responses[np.char.endswith(trials.tiers, "test")] = 0
    recorded = mouse.role != "sensorium"
    behavior = recorded * (trials.behavior * (10.0, 1.0, 3.0) + (40.0, 0.0, 9.0))
    pupil = recorded * (trials.pupil * (6.0, 4.0) + (150.0, 120.0))
    train = trials.tiers == "train"
    values = {"responses": responses, "behavior": behavior, "pupil_center": pupil}
    for name, array in values.items():
        rows = array[:, None] if mouse.rows and name != "responses" else array
        for i, row in enumerate(rows):
            write(f"data/{name}/{i}", row)
        _write_statistics(name, _column_statistics(array[train]), write)
    _write_statistics("images", _pixel_statistics(pixels), write)
    kept = {"full": slice(None), "partial": np.arange(len(boxes)) % 3 > 0, "absent": slice(0)}
    for i in np.arange(len(boxes))[kept[mouse.boxes]]:
        write(f"data/xywh/{i}", boxes[i])


def _column_statistics(values: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics over trials in double precision, some columns at a time: (n, u) -> 5 x (u,)."""
    functions = (np.min, np.max, np.median, np.mean, np.std)
    chunks = np.array_split(values, range(512, values.shape[1], 512), axis=1)
    found = [[f(chunk.astype(np.float64), axis=0) for f in functions] for chunk in chunks]
    names = (f.__name__ for f in functions)
    return dict(zip(names, np.concatenate(found, axis=1), strict=True))


def _pixel_statistics(counts: np.ndarray) -> dict[str, np.ndarray]:
    """The same over pixels, from the number of pixels of each gray level: (256,) -> 5 x ()."""
    levels, total = np.arange(256), counts.sum()
    present = levels[counts > 0]
    middle = np.searchsorted(counts.cumsum(), [(total - 1) // 2, total // 2], side="right")
    mean = (levels * counts).sum() / total
    std = np.sqrt(((levels - mean) ** 2 * counts).sum() / total)
    values = {"min": present[0], "max": present[-1], "median": middle.mean()}
    return {k: np.array(v, np.float64) for k, v in {**values, "mean": mean, "std": std}.items()}


def _write_statistics(name: str, statistics: dict[str, np.ndarray], write: Write) -> None:
    for statistic, array in statistics.items():
        for part in ("all", "stimulus_frame"):
            write(f"meta/statistics/{name}/{part}/{statistic}", array)


def _write_meta(
    mouse: SimulatedMouse,
    trials: Trials,
    positions: np.ndarray,
    unit_ids: np.ndarray,
    write: Write,
) -> None:
    """`meta/neurons` and `meta/trials`."""
    u, n = len(unit_ids), len(trials.rank)
    animal, session, scan = map(int, mouse.key.split("-"))
    seconds = trials.rank.astype("timedelta64[s]")
    neurons = {
        "animal_ids": np.full(u, animal),
        "sessions": np.full(u, session),
        "scan_idx": np.full(u, scan),
        "unit_ids": unit_ids,
        "area": np.full(u, "V1"),
        "layer": np.full(u, "L2/3"),
        "cell_motor_coordinates": positions,
    }
    shown = {
        "tiers": trials.tiers,
        "trial_idx": trials.trial_ids,
        "frame_image_id": trials.image_ids,
        "frame_image_class": np.full(n, "simulated"),
        "frame_trial_ts": (np.datetime64("2022-01-01T12:00:00") + seconds).astype(str),
    }
    for group, arrays in {"neurons": neurons, "trials": shown}.items():
        for name, array in arrays.items():
            write(f"meta/{group}/{name}", array)
