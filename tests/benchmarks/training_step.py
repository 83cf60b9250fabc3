"""How fast our training step is on CPU, beside the published implementation: see README.md.

All take turns in the same minutes, each in a process of its own, so that other work on the machine
slows all of them; each ratio is the median over turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from src.kernel import ENVIRONMENT

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "striate"
PACKAGES = ("torch==2.13.0", "neuralpredictors==0.3.0")
SETTINGS = {k: ENVIRONMENT[k] for k in ("GOMP_SPINCOUNT", "THP_MEM_ALLOC_ENABLE")}
# Multiply-adds of an image in the baseline's core, forward: first layer, three separable layers
FIRST, SEPARABLE = 81 * 64 * 28 * 56, 3 * (2 * 64 + 49) * 64 * 28 * 56


def published_python(folder: Path) -> Path:
    """Interpreter of the published implementation's own environment, made on first use."""
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        print(f"installing {' '.join(PACKAGES)} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        complete.touch()
    return python


class Worker:
    """A benchmark process that answers one word at a time."""

    def __init__(self, *command: Any, threads: int, settings: Mapping[str, str]) -> None:
        unset = {k: v for k, v in os.environ.items() if k not in SETTINGS}
        self.process = subprocess.Popen(
            [*map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=unset | {"OMP_NUM_THREADS": str(threads)} | dict(settings),
        )

    def __call__(self, order: str) -> Any:
        print(order, file=self.process.stdin, flush=True)
        if not (answer := self.process.stdout.readline()):
            raise RuntimeError(f"{self.process.args} ended with {self.process.wait()} at {order!r}")
        return json.loads(answer)


@contextmanager
def working(*command: Any, threads: int, settings: Mapping[str, str]) -> Iterator[Worker]:
    """A worker that ends with the block."""
    worker = Worker(*command, threads=threads, settings=settings)
    try:
        yield worker
    finally:
        worker.process.stdin.close()
        worker.process.wait()


def take_turns(workers: Mapping[str, Worker], batch: int, turns: int) -> None:
    """Print images a second of each worker, its peak memory, and how much faster the first is."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in workers}
    for turn in range(-2, turns):  # two to warm up
        for name, worker in workers.items():
            step = worker("step")
            if turn >= 0:
                seconds[name].append(step)
    own = next(iter(seconds.values()))
    print("| | images/s | per CPU-second | ours faster, wall | CPU | peak MB |")
    print("|---|---|---|---|---|---|")
    for name, theirs in seconds.items():
        speeds = [median(batch / t[i] for t in theirs) for i in (0, 1)]
        ratios = [median(t[i] / o[i] for t, o in zip(theirs, own, strict=True)) for i in (0, 1)]
        print(
            f"| {name} | {speeds[0]:.1f} | {speeds[1]:.1f} "
            f"| {ratios[0]:.2f} | {ratios[1]:.2f} | {workers[name]('peak'):.0f} |"
        )


def baseline(python: Path, threads: int, batch: int, turns: int, units: int) -> None:
    """Our baseline CNN beside the published one, with and without our environment variables."""
    print(f"\n### Baseline CNN, batch {batch}, {units} units, threads {threads}\n")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())

        def start(*command: Any, settings: Mapping[str, str]) -> Worker:
            return stack.enter_context(working(*command, threads=threads, settings=settings))

        command = python, HERE / "published_step.py", folder, batch, units, threads
        workers = {
            "published": start(*command, settings={}),
            "published, our settings": start(*command, settings=SETTINGS),
        }
        workers["published"]("export")
        ours = start(sys.executable, HERE / "our_step.py", folder, threads, settings=SETTINGS)
        print("differences:", ", ".join(f"{k} {v:.1e}" for k, v in ours("compare").items()), "\n")
        take_turns({"ours": ours} | workers, batch, turns)
        print("\n" + ", ".join(f"{part} {share:.0%}" for part, share in ours("parts").items()))
        floor(ours("gflops"))


def floor(gflops: float) -> None:
    """Print what the core's arithmetic alone would take at the speed of a matrix product."""
    operations = 2 * (2 * FIRST + 3 * SEPARABLE)  # the first layer has no input gradient
    images = gflops * 1e9 / operations
    print(
        f"matrix product {gflops:.0f} GFLOP per CPU-second: floor {images:.0f} images of the core"
    )


def winner(threads: int, batch: int, turns: int, units: int) -> None:
    """The wide core: folded, as six planes, and as six planes through plain convolutions."""
    print(f"\n### Winner's wide core, batch {batch}, {units} units, threads {threads}\n")
    with ExitStack() as stack:
        workers = {}
        for form in ("folded", "plane", "published"):
            command = sys.executable, HERE / "winner_step.py", form, batch, units, threads
            settings = {} if form == "published" else SETTINGS
            worker = working(*command, threads=threads, settings=settings)
            workers[form] = stack.enter_context(worker)
        rates = [worker("rates") for worker in workers.values()]
        difference = max(abs(a - b) for row in rates for a, b in zip(row, rates[0], strict=True))
        print(f"differences: rates {difference:.1e}\n")
        take_turns(workers, batch, turns)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="*", default=[128, 32])
    parser.add_argument("--winner-batches", type=int, nargs="*", default=[16])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--units", type=int, default=8000, help="of the mouse")
    parser.add_argument("--environment", type=Path, default=CACHE / "neuralpredictors-0.3.0")
    options = parser.parse_args()
    for threads in options.threads:
        for batch in options.batches:
            python = published_python(options.environment)
            baseline(python, threads, batch, options.turns, options.units)
        for batch in options.winner_batches:
            winner(threads, batch, options.turns, options.units)
