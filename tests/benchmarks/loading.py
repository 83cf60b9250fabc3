"""Batches ready to train, from one file a trial and from the packed session, side by side.

    python tests/benchmarks/loading.py [--trials 512] [--units 8000] [--batch 128] [--threads 1]

Writes simulated trials of 144x256 pixels to a temporary folder, packs them, and times both ways
of reaching a normalized batch at a quarter of the size, on a warm page cache; then full size, the
validation pass, packing, and the private memory that a process adds by training from the cache.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from src.config import InputConfig
from src.data.checks import check_mouse
from src.data.pack import pack
from src.data.sensorium import open_mouse
from src.data.session import Session, response_scale

SHAPE = (1, 144, 256)


def write_trials(folder: Path, n: int, u: int) -> None:
    """A simulated mouse of `n` training trials and as few of the other tiers as are allowed."""
    draw = np.random.default_rng(0)
    arrays = {
        "meta/trials/tiers": np.array(["train"] * (n - 2) + ["validation", "test"]),
        "meta/trials/trial_idx": np.arange(n),
        "meta/trials/frame_image_id": np.arange(n),
        "meta/neurons/unit_ids": np.arange(u),
        "meta/statistics/images/all/mean": np.float32(127),
        "meta/statistics/images/all/std": np.float32(74),
        "meta/statistics/responses/all/std": draw.uniform(1, 3, u),
    }
    for i in range(n):
        arrays[f"data/images/{i}"] = draw.integers(0, 256, SHAPE).astype(np.float32)
        arrays[f"data/responses/{i}"] = draw.gamma(1, 2, u).astype(np.float32)
        arrays[f"data/behavior/{i}"] = draw.normal(size=3)
        arrays[f"data/pupil_center/{i}"] = draw.normal(size=2)
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)


def file_batch(folder: Path, index: np.ndarray, scale: np.ndarray) -> tuple[torch.Tensor, ...]:
    """One file a trial, normalized and rescaled trial by trial: (n,) -> (n, 1, 36, 64), (n, u)."""
    images, responses = [], []
    for i in index:
        image = (np.load(folder / f"data/images/{i}.npy") - np.float32(127)) / np.float32(74)
        image = torch.from_numpy(image)[None]
        images.append(torch.nn.functional.interpolate(image, scale_factor=0.25, mode="bilinear"))
        response = np.load(folder / f"data/responses/{i}.npy") * scale
        responses.append(torch.from_numpy(response))
    return torch.cat(images), torch.stack(responses)


def seconds(function: Callable[[], object], repeats: int = 1) -> float:
    """Best of `repeats` runs."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return min(times)


def private_mb() -> float:
    """Private (anonymous) resident memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith("RssAnon"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("trials", 512), ("units", 8000), ("batch", 128), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder, cache = Path(temporary) / "simulated", Path(temporary) / "cache"
        write_trials(folder, args.trials, args.units)
        mouse = open_mouse(folder)
        checked = seconds(lambda: check_mouse(mouse))
        packed = seconds(lambda: pack(mouse, cache))
        order = np.random.default_rng(1).permutation(args.trials)
        batches = np.array_split(order, max(1, args.trials // args.batch))
        scale = response_scale(mouse.statistic("responses", "std")).astype(np.float32)
        before = private_mb()
        quarter = Session(cache, InputConfig(scale="quarter"))
        full = Session(cache, InputConfig(scale="full"))
        files = seconds(lambda: [file_batch(folder, b, scale) for b in batches], 3)
        ours = seconds(lambda: [quarter.batch(b) for b in batches], 5)
        large = seconds(lambda: [full.batch(b) for b in batches], 5)
        added = private_mb() - before
        images, responses = file_batch(folder, batches[0], scale)
        torch.testing.assert_close(quarter.batch(batches[0]).images, images)
        torch.testing.assert_close(quarter.batch(batches[0]).responses, responses)
    print(f"simulated: {args.trials} trials {SHAPE}, {args.units} units, {args.threads} thread(s)")
    for name, took in (("one file a trial", files), ("quarter", ours), ("full size", large)):
        per_trial = 1e6 * took / args.trials
        print(f"{name:16s} {per_trial:8.0f} us a trial, {files / took:5.1f} times as fast")
    for name, took in (("validation pass", checked), ("packing", packed)):
        per_trial = 1e6 * took / args.trials
        print(f"{name:16s} {per_trial:8.0f} us a trial, 7 x 6000 trials: {0.042 * per_trial:.0f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"private memory added by two sessions: {added:.0f} MB; peak of all this: {peak:.0f} MB")


if __name__ == "__main__":
    main()
