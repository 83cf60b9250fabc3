"""Processes that share one training: started by torchrun, heard here, and ended together.

A notebook's kernel is one process. `in_processes` has torchrun start others, which make one call
each and find one another by `process_group`. Where one of them ends before its time, torchrun ends
the rest within a second, and ProcessError says which it was.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from src import paths
from src.manifest import RECORD_VARIABLE

PARENT = "STRIATE_PARENT"  # the process that one started here ends with


class ProcessError(RuntimeError):
    """One of several processes that ended before its time, and took the others with it."""


def in_processes(count: int, function: Callable[..., Any], *arguments: Any) -> None:
    """Have `count` processes call a function of `src`; what the first prints is printed here."""
    with tempfile.TemporaryDirectory(prefix="striate-") as folder:
        call, errors = Path(folder) / "0", Path(folder) / "errors.txt"
        call.write_bytes(pickle.dumps((function, arguments)))
        for rank in range(1, count):  # each removes its own: nothing large is left by a kill
            os.link(call, call.with_name(str(rank)))
        with open(errors, "w") as stream:
            streams = {"stdout": subprocess.PIPE, "stderr": stream, "text": True}
            with torchrun(count, "src.training.worker", folder, **streams) as started:
                try:
                    for line in started.stdout:
                        print(line, end="", flush=True)
                except BaseException:  # interrupted: what it started goes with it
                    started.terminate()
                    raise
        said = errors.read_text()
    print(said, end="", file=sys.stderr)
    if started.returncode:
        raise ProcessError((said.strip() or "torchrun ended without a word").splitlines()[-1])


def torchrun(count: int, module: str, *arguments: str, **streams: Any) -> subprocess.Popen:
    """`python -m module arguments` in `count` processes of this machine."""
    command = [sys.executable, "-P", "-m", "src.training.torchrun", str(count), module]
    environment = {k: v for k, v in os.environ.items() if k != RECORD_VARIABLE}
    environment |= {"PYTHONPATH": str(paths.ROOT), PARENT: str(os.getpid())}
    environment.setdefault("OMP_NUM_THREADS", "1")  # training sets its own
    return subprocess.Popen([*command, *arguments], env=environment, **streams)
