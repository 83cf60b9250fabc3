"""CPU-seconds and memory of a GNet training step: one pass on stored maps, beside two whole passes.

    python tests/benchmarks/gnet_step.py [--batch 50] [--voxels 500] [--turns 3] [--threads 1]

The published step computes the prefilter twice, with its gradients, and steps trunk and readout
after a pass of their own; ours reads the prefilter's maps in half precision and makes one pass. The
network alone (core, forward and backward) and the whole step, readout and Adam included, take
turns in one process. Then the largest memory of our step for --peak voxels, by `chunk`, each in a
process of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from dataclasses import replace
from statistics import median
from time import process_time
from types import SimpleNamespace

import numpy as np
import torch

from src.config import (
    GNetCoreConfig,
    InputConfig,
    ModelConfig,
    PoolingReadoutConfig,
    TrainingConfig,
)
from src.data.batch import Batch
from src.data.splits import Split
from src.models.encoder import Encoder, SessionFacts
from src.seeds import stream
from src.training.optimizers import held_still
from src.training.trainer import Run

RECIPE = TrainingConfig(learning_rate=1e-3, loss="batch_rho2", turns="alone")
SHAPES = {"stored": (192, 27, 27), "trained": (3, 227, 227)}


def make_run(prefilter: str, batch: int, voxels: int, chunk: int = 512, device: str = "cpu") -> Run:
    """A training of one simulated subject, whose batches are always the same."""
    stored, shape = prefilter == "stored", SHAPES[prefilter]
    inputs = InputConfig(scale="full", raw=not stored, maps="p/conv2" if stored else "")
    core, readout = GNetCoreConfig(prefilter), PoolingReadoutConfig(chunk)
    model = ModelConfig("gnet", core, inputs, readout, output="identity")
    encoder = Encoder(model, {"a": SessionFacts(voxels, shape)}, seed=0).to(device).train()
    if not stored:
        own = {id(p) for p in encoder.core.prefilter.parameters()}
        trained = [p for p in encoder.parameters() if id(p) not in own]
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.random((batch, *shape), np.float32)).half()
    responses = torch.from_numpy(rng.normal(size=(batch, voxels)).astype(np.float32))
    images = images if stored else 255 * images.float()
    session = SimpleNamespace(
        n_trials=batch,
        image_shape=shape,
        batch=lambda index, to: Batch(images[index].to(to).float(), responses[index].to(to)),
    )
    rows = np.arange(batch)
    config = replace(RECIPE, batch_size=batch, two_pass=not stored)
    run = Run(encoder, {"a": session}, {"a": Split(rows, rows, rows)}, config, seed=0)
    if not stored:  # has gradients, as published, but never moves
        run.optimizer.param_groups[0]["params"] = trained
    return run


def step(run: Run) -> None:
    """One step: a pass, or two."""
    rows = run.splits["a"].train
    for still in held_still(run.encoder, run.config.two_pass):
        run.step({"a": rows}, stream(0), stream(1), still)


def network(run: Run) -> None:
    """What a step asks of the core alone."""
    batch = run.sessions["a"].batch(run.splits["a"].train, "cpu")
    for _ in held_still(run.encoder, run.config.two_pass):
        run.encoder.zero_grad()
        maps = run.encoder.core(batch.images, None, stream(0))
        torch.autograd.backward([m.sum() for m in maps])


def seconds(what, run: Run) -> float:
    """CPU-seconds of one call."""
    began = process_time()
    what(run)
    return process_time() - began


def compare(batch: int, voxels: int, turns: int) -> None:
    """Both steps in turns, and how many times faster ours is."""
    runs = {"one pass, stored maps": make_run("stored", batch, voxels)}
    runs["two passes, pixels"] = make_run("trained", batch, voxels)
    print(f"batch {batch}, {voxels} voxels, {torch.get_num_threads()} threads; CPU-seconds a step")
    for name, what in (("network", network), ("whole step", step)):
        found = {n: [seconds(what, r) for _ in range(turns + 1)][1:] for n, r in runs.items()}
        ours, theirs = map(median, found.values())
        print(f"  {name}: ours {ours:.2f}, published {theirs:.2f}, ratio {theirs / ours:.2f}")


def peak(batch: int, voxels: int, chunk: int) -> None:
    """Print the largest memory of this process after a step of ours."""
    run = make_run("stored", batch, voxels, chunk)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = seconds(step, run)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  chunk {chunk}: peak {after:.0f} MB, {before:.0f} before the step, {spent:.1f} s")


def main() -> None:
    """Compare steps, then memory by chunk."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--voxels", type=int, default=500)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peak", type=int, default=4627, help="voxels; S1 has 4627 in V1-hV4")
    parser.add_argument("--peak-batch", type=int, default=100)
    parser.add_argument("--chunks", type=int, nargs="*", default=[128, 512, 4627])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if len(given.chunks) == 1:
        peak(given.peak_batch, given.peak, given.chunks[0])
        return
    compare(given.batch, given.voxels, given.turns)
    print(f"memory of our step, batch {given.peak_batch}, {given.peak} voxels")
    sizes = "--peak", str(given.peak), "--peak-batch", str(given.peak_batch)
    for chunk in given.chunks:
        command = [sys.executable, __file__, *sizes, "--chunks", str(chunk)]
        subprocess.run([*command, "--threads", str(given.threads)], check=True)


if __name__ == "__main__":
    main()
