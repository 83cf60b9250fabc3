"""How long a process lives: not longer than the one it works for."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Have Linux kill this process, or signal it, with its parent; elsewhere nothing happens.

    That holds for the program it becomes as well. ipykernel looks for its parent every second, on
    all systems.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the call
            sys.exit("the process that started this one is gone")
