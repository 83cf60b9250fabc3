"""CPU-seconds and memory of PLS-25 over ten splits, beside scikit-learn on the same data.

    python tests/benchmarks/pls.py [--features 9216] [--images 3200] [--units 168] [--splits 10]
        [--skip-scikit-learn]

Features with the spectrum of a network's layer, responses that they explain in part. Ours and
scikit-learn's run one after the other, one BLAS thread, each in a process of its own, whose peak
resident memory is printed, beside the estimate made before. Seconds are of the processor. With
--splits 2, scikit-learn fits the first two splits only and its seconds are scaled up to ten.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time

import numpy as np
from sklearn.cross_decomposition import PLSRegression
from threadpoolctl import threadpool_limits

from src.evaluation.folds import brain_score_splits
from src.evaluation.linear_scores import SplitScore
from src.evaluation.mapping import cross_validated
from src.evaluation.memory import estimated_bytes

LIMIT = 3.0  # GB
TARGETS = {9216: 8, 25088: 20}  # times as fast


def data(images: int, features: int, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Float32 features (n, p), responses (n, u), objects (n,)."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(images, 300)) / np.arange(1, 301) ** 0.5
    x = latent.astype(np.float32) @ rng.normal(size=(300, features)).astype(np.float32)
    x += 0.3 * rng.standard_normal(x.shape, np.float32)
    np.maximum(x, 0, out=x)
    y = latent[:, :60] @ rng.normal(size=(60, units))
    return x, y + rng.normal(size=y.shape), np.arange(images) % 64


def memory(name: str) -> float:
    """VmRSS, resident now, or VmHWM, the peak since `forget_peak`, of this process in GB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 / 1e9


def forget_peak() -> None:
    """Let the peak start again from what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")


def ours(given: argparse.Namespace, answer: Connection) -> None:
    """Score all splits, and send seconds, r by split and unit, and memory."""
    x, y, objects = data(given.images, given.features, given.units)
    splits, before = brain_score_splits(objects), memory("VmRSS")
    forget_peak()
    estimate = estimated_bytes(*x.shape, y.shape[1], "pls") / 1e9
    with threadpool_limits(1):
        began = process_time()
        raw = cross_validated(x, y, splits, "pls").raw
        answer.send((process_time() - began, raw, memory("VmHWM"), before, estimate))


def theirs(given: argparse.Namespace, answer: Connection) -> None:
    """The same with scikit-learn, for the first of the splits."""
    x, y, objects = data(given.images, given.features, given.units)
    splits, predicted = brain_score_splits(objects)[: given.splits], []
    forget_peak()
    with threadpool_limits(1):
        began = process_time()
        for train, test in splits:
            fit = PLSRegression(25, scale=False).fit(x[train].astype(float), y[train])
            predicted.append(fit.predict(x[test].astype(float)))
        seconds = (process_time() - began) * 10 / len(splits)
    answer.send((seconds, SplitScore.of(predicted, y, splits).raw, memory("VmHWM")))


def alone(work: Callable, given: argparse.Namespace) -> tuple:
    """What `work` sends from a fresh process."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(given, send))
    process.start()
    found = receive.recv()
    process.join()
    return found


def main() -> None:
    """Score both ways, print ratio, largest difference and memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--features", type=int, default=9216)
    parser.add_argument("--images", type=int, default=3200)
    parser.add_argument("--units", type=int, default=168)
    parser.add_argument("--splits", type=int, default=10, help="of scikit-learn")
    parser.add_argument("--skip-scikit-learn", action="store_true")
    given = parser.parse_args()
    seconds, raw, used, before, estimate = alone(ours, given)
    print(f"PLS-25, 10 splits, {given.images} x {given.features} features, {given.units} units")
    print(f"  ours {seconds:.1f} CPU-seconds, score {SplitScore(raw).score:.5f}")
    verdict = "within" if used < LIMIT else "ABOVE"
    print(f"  peak {used:.2f} GB, {verdict} {LIMIT}; before the run {before:.2f} GB, ", end="")
    off = (before + estimate) / used - 1
    print(f"estimated {before + estimate:.2f} GB, {off:+.0%} (target within 20 %)")
    if not given.skip_scikit_learn:
        their_seconds, their_raw, their_peak = alone(theirs, given)
        r = np.abs(raw[: len(their_raw)] - their_raw).max()
        scores = [SplitScore(z[: given.splits]).score for z in (raw, their_raw)]
        target = TARGETS.get(given.features)
        print(f"  scikit-learn {their_seconds:.1f} CPU-seconds, peak {their_peak:.2f} GB")
        print(
            f"  ratio {their_seconds / seconds:.1f} (target {target}); largest difference: ", end=""
        )
        print(f"r {r:.1e}, score {abs(scores[0] - scores[1]):.1e} (target 5e-4)")


if __name__ == "__main__":
    main()
