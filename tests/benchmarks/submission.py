"""Seconds and memory of writing a competition file and reading it back.

    python tests/benchmarks/submission.py [--trials 1000] [--units 7800] [--literal 0.02]

Writes and reads a submission file of that size in a process of its own. Beside it, what literal
evaluation of the lists needs, as published code reads them: measured on a fraction of the rows of
the same file (`--literal`, of prediction and neuron_ids alike) and scaled up to all of them.
Target: the round trip within 10 s and 1 GB (peak of the process, PyTorch and pandas included).
"""

from __future__ import annotations

import argparse
import ast
import csv
import multiprocessing
import sys
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
from serving import peak_mb, timed

from src.evaluation.prediction import Prediction
from src.evaluation.submission import NAMES, export, load


def simulated_prediction(trials: int, units: int) -> Prediction:
    """Sparse positive values with ids like those of a competition mouse."""
    values = np.random.default_rng(0).gamma(0.5, 2, (trials, units)).astype(np.float32)
    trial_ids = np.array([f"{i:032x}" for i in range(trials)])
    return Prediction(values, trial_ids, np.arange(trials) // 10, np.arange(units) * 2 + 1)


def round_trip(folder: Path, trials: int, units: int) -> None:
    """Write, read, compare; print seconds and the peak of this process."""
    print(f"  imports and data:   peak {peak_mb():6.0f} MB")
    made, path = simulated_prediction(trials, units), folder / NAMES["prediction", "test"]
    write = timed(lambda: export(made, folder, "prediction", "test"))()
    read = timed(lambda: load(path))()
    if not np.array_equal(load(path).values, made.values):
        raise SystemExit("what came back is not what was written")
    print(f"  {path.stat().st_size / 1e6:.0f} MB of text; seconds on the clock, and of CPU:")
    both = np.add(write, read)
    for word, (wall, cpu) in (("written", write), ("read", read), ("round trip", both)):
        print(f"  {word:<10} {wall:6.2f} {cpu:6.2f}")
    print(f"  peak {peak_mb():.0f} MB")


def literal(path: Path, trials: int, share: float) -> None:
    """Evaluate the lists of the first rows as Python literals; print the time of all rows."""
    rows = max(1, round(share * trials))
    csv.field_size_limit(sys.maxsize)
    with open(path, newline="") as stream:
        texts = [row[2:] for row in islice(csv.reader(stream), 1, rows + 1)]
    flat = [text for pair in texts for text in pair]
    wall, cpu = timed(lambda: [ast.literal_eval(text) for text in flat])()
    whole = trials / rows
    print(f"  literal evaluation of {rows} of {trials} rows: {wall:.2f} {cpu:.2f}")
    print(f"  of all rows, scaled: {wall * whole:.1f} {cpu * whole:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--units", type=int, default=7800)
    parser.add_argument("--literal", type=float, default=0.02, help="share of the rows")
    given = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "submission_file_live_test.csv"
        print(f"{given.trials} trials x {given.units} units")
        for work, arguments in (
            (round_trip, (Path(folder), given.trials, given.units)),
            (literal, (path, given.trials, given.literal)),
        ):
            process = fresh.Process(target=work, args=arguments)
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
