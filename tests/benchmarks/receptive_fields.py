"""Memory and speed of artificial receptive fields, beside what the published estimate needs.

    python tests/benchmarks/receptive_fields.py [--units 500] [--height 144] [--images 2000]
        [--batch 32] [--core published|small] [--save]

An untrained wide encoder (height 144) or LN (height 36), as published or with few channels, sees
noise of height x height * 16 / 9 pixels. Prints images a second, of which noise and sums, the bytes
of the sums and the peak resident memory of the process; with --save also while the sums are written
and read again. Then the arithmetic for 2,000,000 images of 144x256 and 8000 units, and seconds for
50 Gaussian fits at 36x64.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from src.analyses.gaussian_fit import fit_gaussians
from src.analyses.noise_sums import Noise, Sums, accumulate, load_sums
from src.analyses.receptive_fields import responses_of
from src.models.encoder import Encoder, SessionFacts
from src.studies.sensorium2022 import SENSORIUM2022

PIXELS, UNITS, IMAGES = 144 * 256, 8000, 2_000_000
PUBLISHED_REPETITION, PLANES = 200_000, 6


def peak_gb() -> float:
    """Largest resident memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def encoder(height: int, units: int, core: str) -> tuple[Encoder, tuple[int, int, int]]:
    """An untrained encoder for images of this height, and their shape."""
    name = "wide" if height == 144 else "ln"
    config = SENSORIUM2022.profile("full" if core == "published" else "demo").plan(name).model
    shape = 1, height, height * 16 // 9
    coordinates = np.random.default_rng(0).uniform(-300, 300, (units, 3))
    return Encoder(config, {"mouse": SessionFacts(units, shape, coordinates)}, seed=0), shape


def run(given: argparse.Namespace) -> None:
    """Accumulate, time the parts, print."""
    network, shape = encoder(given.height, given.units, given.core)
    start = peak_gb()
    seconds = {"network": 0.0, "noise": 0.0}
    respond, noise = responses_of([network], "mouse"), Noise(shape, 0, given.batch)

    def timed(x: torch.Tensor) -> torch.Tensor:
        began = perf_counter()
        a = respond(x)
        seconds["network"] += perf_counter() - began
        return a

    batches = range(given.images // given.batch)
    began = perf_counter()
    sums = accumulate(timed, noise, batches)
    total = perf_counter() - began
    began = perf_counter()
    noise.batch(0)
    seconds["noise"] = (perf_counter() - began) * len(batches)
    seconds["sums"] = total - sum(seconds.values())
    print(f"{given.units} units, {shape[1]}x{shape[2]} pixels, {sums.images} images: {total:.1f} s")
    shares = ", ".join(f"{name} {s / total:.0%}" for name, s in seconds.items())
    print(f"  {sums.images / total:.0f} images a second ({shares})")
    print(f"  sums {sums.nbytes / 1e9:.3f} GB; peak {peak_gb():.2f} GB, {start:.2f} GB before")
    if given.save:
        save(sums)


def save(sums: Sums) -> None:
    """Write sums, read them mapped, and compute fields of some units."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sums.pt"
        torch.save(vars(sums), path)
        fields = load_sums(path).fields(slice(256))
        size = path.stat().st_size / 1e9
        print(f"  {size:.2f} GB written; fields {fields.shape} read; peak {peak_gb():.2f} GB")


def arithmetic() -> None:
    """What the published sizes need, ours and upstream's."""
    published = IMAGES * PIXELS * 4, PUBLISHED_REPETITION * PIXELS * PLANES * 4
    ours = 4 * UNITS * PIXELS + 8 * (UNITS + PIXELS)  # Sums.nbytes
    print(f"{UNITS} units, 144x256 pixels, {IMAGES:,} images")
    print(f"  published: noise {published[0] / 1e9:.0f} GB, planes {published[1] / 1e9:.0f} GB")
    print(f"  ours: sums {ours / 1e9:.2f} GB, a batch of 32 {32 * PIXELS * 4 / 1e6:.1f} MB")
    print(f"  ours at 36x64: sums {4 * UNITS * 36 * 64 / 1e6:.0f} MB")


def fits() -> None:
    """Time Gaussian fits of 50 noisy fields."""
    rng = np.random.default_rng(0)
    y, x = np.indices((36, 64))
    cx, cy = rng.uniform(15, 49, (50, 1, 1)), rng.uniform(9, 27, (50, 1, 1))
    fields = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18) * np.cos(x + 0 * y)
    fields += 0.1 * rng.normal(size=fields.shape)
    for start in ("peak", "published"):
        began = perf_counter()
        status = fit_gaussians(fields[:, None], start)["status"].value_counts().to_dict()
        print(f"50 fits at 36x64 from the {start} start: {perf_counter() - began:.2f} s, {status}")


def main() -> None:
    """Run, and print the arithmetic."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--height", type=int, default=144, choices=(36, 144))
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--core", default="small", choices=("published", "small"))
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    run(given)
    arithmetic()
    fits()


if __name__ == "__main__":
    main()
