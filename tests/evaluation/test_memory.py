"""The estimate of memory against the peak of a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from src.data.errors import DataError
from src.evaluation.memory import as_text, estimated_bytes

CASES = [
    (1500, 5000, 60, "pls"),
    (1500, 500, 300, "pls"),
    (1500, 4000, 60, "ridge"),
    (900, 3000, 40, "linear"),
    (900, 2000, 40, "ridge_cv"),
    (1000, 9000, 40, "neuron_to_neuron"),
]
SCRIPT = """
import json, re, sys
from pathlib import Path
import numpy as np
from src.evaluation.folds import brain_score_splits
from src.evaluation.mapping import cross_validated
def memory(name):
    found = re.search(rf"{name}:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024
used = []
for n, p, u, mapping in [(60, 300, 4, "pls"), *json.loads(sys.argv[1])]:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, p), np.float32), rng.normal(size=(n, u))
    splits = brain_score_splits(np.arange(n) % 5)[: 10 if mapping == "pls" else 1]
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    cross_validated(x, y, splits, mapping, 3)
    used.append(memory("VmHWM") - before)
print(json.dumps(used[1:]))
"""


def test_the_estimate_is_within_a_fifth():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process is read from /proc, which this system has not")
    command = [sys.executable, "-c", SCRIPT, json.dumps(CASES)]
    at_once = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed is given back
    done = subprocess.run(command, capture_output=True, text=True, env=at_once)
    assert done.returncode == 0, done.stderr
    ratios = [estimated_bytes(*c) / u for c, u in zip(CASES, json.loads(done.stdout), strict=True)]
    assert ratios == pytest.approx([1] * len(CASES), abs=0.2)


def test_the_size_of_a_study_fits():
    """25,088 features of IT, read in parts: far from 3 GB."""
    assert estimated_bytes(3200, 25088, 168) < 1e9
    assert estimated_bytes(3200, 25088, 168) == estimated_bytes(3200, 200_704, 168)
    assert as_text(1_234_000_000) == "1.23 GB" and as_text(5_000_001) == "6 MB"
    with pytest.raises(DataError, match="0 units"):
        estimated_bytes(3, 3, 0)
    assert np.isfinite(estimated_bytes(100, 50, 10, "reverse_pls"))
