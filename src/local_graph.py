"""Snakemake for a run on this machine: `python -m src.local_graph`, with Snakemake's arguments.

Snakemake imports every executor that is installed, whichever runs the jobs. Those of clusters bring
Kubernetes and pandas, half the time of a start; here Snakemake does not find them.

Asked to end (SIGTERM), Snakemake waits for notebooks, which may take hours, or for ever for a lock
that it has itself. So it is a child here, with its notebooks in a process group of their own: this
process alone is asked, kills Snakemake, and lets each notebook say that it was interrupted. What
such an end leaves is what a kill leaves, from where the next run continues.
"""

from __future__ import annotations

import os
import pkgutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

from src.lifetime import die_with

DRY = {"-n", "--dry-run", "--dryrun"}
CLUSTERS = "snakemake_executor_plugin_"
GRACE = 10.0  # seconds that notebooks have to end in
ASKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def snakemake() -> None:
    """Be Snakemake, with the executors it has itself."""
    everything = pkgutil.iter_modules

    def ours(*where: object) -> Iterator[pkgutil.ModuleInfo]:
        return (module for module in everything(*where) if not module.name.startswith(CLUSTERS))

    pkgutil.iter_modules = ours
    from snakemake.cli import main as run

    run()


def end(group: int) -> None:
    """End a Snakemake that leads a process group, at once, and its notebooks, within GRACE."""
    with suppress(ProcessLookupError, ChildProcessError):  # nobody is left
        os.kill(group, signal.SIGKILL)
        os.waitpid(group, 0)  # from here on it starts no other
        os.killpg(group, signal.SIGTERM)
        last = time.monotonic() + GRACE
        while time.monotonic() < last:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)


def main() -> None:
    """Have Snakemake run until it has ended, or is to end: status 128 and the signal's number."""
    if DRY & {*sys.argv}:  # it starts nothing, and puts back in the end what it moved
        return snakemake()
    parent = os.getpid()
    if (child := os.fork()) == 0:
        die_with(parent)
        os.setpgid(0, 0)
        return snakemake()

    asked = [n for n in ASKED if signal.getsignal(n) != signal.SIG_IGN]  # nohup ignores SIGHUP

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in asked:
            signal.signal(each, signal.SIG_IGN)
        end(child)
        sys.exit(128 + number)

    for number in asked:
        signal.signal(number, stop)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
