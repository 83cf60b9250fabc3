"""Do the tests notice? Sixteen deliberate mistakes, one at a time, in a copy of the repository.

`python tests/benchmarks/mutations.py [--only NAME]`

Each mistake is one that scores would hide: a metric that is a little too kind, an image on two
sides of a split, a resumed run that is not the same run. For each one it prints the first test that
turns red, or that none does, and then exits 1. The tests named must be green without a mistake.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Mutation(NamedTuple):
    """One line of a source, what it becomes, and the tests that must notice."""

    name: str
    source: str
    right: str
    wrong: str
    tests: tuple[str, ...]


MUTATIONS = (
    Mutation(
        "correlation: responses are not centered",
        "src/correlation.py",
        "centered = x - x.mean(axis=0)",
        "centered = x",
        ("tests/test_correlation.py",),
    ),
    Mutation(
        "explainable variance: noise is that of means",
        "src/evaluation/metrics.py",
        "self.counts[self.repeated, None] - ddof",
        "self.counts[self.repeated, None] ** 2 - ddof",
        ("tests/evaluation/test_metrics.py",),
    ),
    Mutation(
        "ceiling: negative signal variance counts",
        "src/evaluation/ceilings.py",
        "np.maximum(observed - noise, 0)",
        "np.abs(observed - noise)",
        ("tests/evaluation/test_ceilings.py",),
    ),
    Mutation(
        "folds: trials of one image on two sides",
        "src/data/splits.py",
        "fold = np.floor(folds * draws[:, 0])[image]",
        "fold = np.arange(len(pool)) % folds",
        ("tests/data/test_splits.py",),
    ),
    Mutation(
        "ridge: alpha without the scale of singular values",
        "src/evaluation/ridge.py",
        "np.sqrt(w) / (w + alpha)",
        "1 / (np.sqrt(w) + alpha)",
        ("tests/evaluation/test_ridge.py",),
    ),
    Mutation(
        "resume: the optimizer starts anew",
        "src/training/trainer.py",
        'self.optimizer.load_state_dict(state["optimizer"])',
        "pass",
        ("tests/training/test_trainer.py",),
    ),
    Mutation(
        "shuffling: every epoch has the same order",
        "src/training/sampler.py",
        'numpy_stream(seed, "shuffle", key, epoch))\n        for',
        'numpy_stream(seed, "shuffle", key, 0))\n        for',
        ("tests/training/test_sampler.py",),
    ),
    Mutation(
        "readout: positions are mirrored",
        "src/models/sampling.py",
        "scale, origin = ((size - 1) / 2, 0.0) if align_corners",
        "scale, origin = (-(size - 1) / 2, size - 1.0) if align_corners",
        ("tests/models/test_sampling.py", "tests/models/test_readouts.py"),
    ),
    Mutation(
        "responses: silent units are blown up",
        "src/data/session.py",
        "np.where(std > threshold, std, threshold)",
        "np.where(std > 0, std, threshold)",
        ("tests/data/test_session.py",),
    ),
    Mutation(
        "schedule: equal is better",
        "src/training/schedule.py",
        "improved = objective > self.best + self.config.tolerance",
        "improved = objective >= self.best",
        ("tests/training/test_schedule.py",),
    ),
    Mutation(
        "files: half-written ones take the place of whole ones",
        "src/manifest.py",
        'temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")',
        "temporary = path",
        ("tests/test_manifest.py",),
    ),
    Mutation(
        "predictions: trials as they come in the file",
        "src/evaluation/prediction.py",
        "return order[np.searchsorted(found[order], wanted)]",
        "return np.arange(len(wanted))",
        ("tests/evaluation/test_prediction.py",),
    ),
    Mutation(
        "loading: pickles are run",
        "src/data/stored.py",
        'map_location="cpu", weights_only=True',
        'map_location="cpu", weights_only=False',
        ("tests/test_untrusted.py",),
    ),
    Mutation(
        "volumes: the checksum of gzip is not read",
        "src/data/nifti.py",
        "more = stream.read(1)",
        'more = b""',
        ("tests/data/test_nifti.py",),
    ),
    Mutation(
        "two runs: nobody waits",
        "src/locks.py",
        "fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "fcntl.flock(stream, fcntl.LOCK_SH)",
        ("tests/test_locks.py",),
    ),
    Mutation(
        "checkpoints: any model will do",
        "src/training/checkpoint.py",
        "if model and (other := differences(",
        "if False and (other := differences(",
        ("tests/training/test_checkpoint.py",),
    ),
)


def first_red(copy: Path, tests: tuple[str, ...]) -> str:
    """The first test that fails, "" if all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, flags=re.MULTILINE)
    if done.returncode != 1 or not found:
        raise SystemExit(f"{tests} did not run:\n{done.stdout}{done.stderr}")
    return found[1]


def main() -> int:
    """Make each mistake, say what noticed it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="mistakes whose name holds this text")
    only = parser.parse_args().only
    chosen = [m for m in MUTATIONS if only in m.name]
    unnoticed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for name in ("src", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        every = tuple(dict.fromkeys(test for m in chosen for test in m.tests))
        if red := first_red(copy, every):
            raise SystemExit(f"red without a mistake: {red}")
        for mutation in chosen:
            path = copy / mutation.source
            text = path.read_text()
            if text.count(mutation.right) != 1:
                raise SystemExit(f"{mutation.source} has no single {mutation.right!r}: adapt it")
            path.write_text(text.replace(mutation.right, mutation.wrong))
            red = first_red(copy, mutation.tests)
            path.write_text(text)
            unnoticed += not red
            print(f"{mutation.name:<56} {red or 'NOT NOTICED'}", flush=True)
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main())
