"""Peak memory and CPU-seconds of the Gram of one large layer, from a mapped file.

    python tests/benchmarks/gram_memory.py [--images 3000] [--features 200000]
        [--type float16|float32] [--folder DIR]

Writes random features to a file, then computes their Gram, each in a fresh process, and prints the
peak resident memory, mapped pages included, and apart that of its own memory without file pages.
All of the features in float64 would be 4.8 GB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import threading
from pathlib import Path
from time import process_time

import numpy as np
import psutil

from src.evaluation.gram import streamed_gram

LIMIT = 3.0  # GB, the target


def write(path: Path, images: int, features: int, kind: str) -> None:
    """Random non-negative features, many of them 0, a few rows at a time."""
    file = np.lib.format.open_memmap(path, "w+", kind, (images, features))
    rng = np.random.default_rng(0)
    for rows in np.array_split(np.arange(images), max(images // 100, 1)):
        values = rng.standard_normal((len(rows), features), dtype=np.float32)
        file[rows] = np.maximum(values, 0)
    file.flush()


def measure(path: Path) -> None:
    """The Gram, and the peaks of this process."""
    own, done = [0.0], threading.Event()

    def watch() -> None:
        process = psutil.Process()
        while not done.wait(0.02):
            memory = process.memory_info()
            own[0] = max(own[0], (memory.rss - getattr(memory, "shared", 0)) / 1e9)

    watcher = threading.Thread(target=watch)
    watcher.start()
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, process_time()
    gram = streamed_gram(np.load(path, mmap_mode="r"))
    seconds = process_time() - began
    done.set()
    watcher.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    verdict = "within" if peak < LIMIT else "ABOVE"
    print(f"Gram {gram.shape} of {path.stat().st_size / 1e9:.2f} GB: {seconds:.0f} CPU-seconds")
    print(f"  peak {peak:.2f} GB resident, {verdict} {LIMIT} GB; {before:.2f} GB before; ", end="")
    print(f"without file pages {own[0]:.2f} GB")


def main() -> None:
    """Write, measure in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--features", type=int, default=200_000)
    parser.add_argument("--type", default="float16", choices=("float16", "float32"))
    parser.add_argument("--folder", type=Path, help="write the features here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "features.npy"
        for work, arguments in ((write, (given.images, given.features, given.type)), (measure, ())):
            arguments = path, *arguments
            process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
