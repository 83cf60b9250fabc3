"""torchrun, with a last line that says which process ended first, and why.

`python -m src.training.torchrun COUNT MODULE ARGUMENTS...`, which src/training/launch.py starts.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from src.lifetime import die_with
from src.training.launch import PARENT

AGAIN = "run it again, it goes on from its last checkpoint"
BYSTANDERS = "gloo", "nccl", "distributed"  # words of a process that missed another


def main(arguments: Sequence[str]) -> int:
    """Run torchrun on this machine; returns the exit status."""
    die_with(int(os.environ[PARENT]))
    os.environ[PARENT] = str(os.getpid())
    count, *rest = arguments
    given = ["--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", count, "-m", *rest]
    try:
        run.main(given)
    except ChildFailedError as error:
        print(cause(error.failures), file=sys.stderr, flush=True)
        return 1
    return 0


def cause(failures: Mapping[int, ProcessFailure]) -> str:
    """Which process ended first; torchrun ended the others, or they raised as they missed it."""

    def order(rank: int) -> tuple[bool, bool, bool, int]:
        failure, text = failures[rank], _text(failures[rank]).lower()
        missed = any(word in text for word in BYSTANDERS)
        return (
            failure.exitcode == -signal.SIGTERM,
            failure.exitcode > 0,
            missed,
            failure.timestamp,
        )

    rank = min(failures, key=order)
    failure = failures[rank]
    if failure.exitcode < 0:
        why = ", by somebody or for want of memory" * (failure.exitcode == -signal.SIGKILL)
        return f"process {rank} was killed ({failure.signal_name()}{why}): {AGAIN}"
    return f"process {rank} failed with {_text(failure)}"


def _text(failure: ProcessFailure) -> str:
    """What a process that raised an exception had to say."""
    message = failure.message
    return message["message"] if isinstance(message, dict) else message


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
