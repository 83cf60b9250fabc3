"""A benchmark's worker: a process that does what one word a line on stdin asks, and times it."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


def serve(orders: Mapping[str, Callable[[], Any]]) -> None:
    """Answer each word on stdin with a line of JSON; whatever else is printed goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(orders[line.strip()]()), file=answers, flush=True)


def timed(step: Callable[[], Any]) -> Callable[[], tuple[float, float]]:
    """The same step, answering with its (wall, CPU) seconds."""

    def run() -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        return time.perf_counter() - wall, time.process_time() - cpu

    return run


def peak_mb() -> float:
    """Largest resident size of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
