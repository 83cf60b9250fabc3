"""Who works on a file or a folder: locks between processes of one machine.

The system holds a lock, and lets it go when its process ends, however that ends. Where a file
system knows no locks nobody waits and nobody is refused.
"""

from __future__ import annotations

import fcntl
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from src.manifest import explained, fingerprint


class Busy(Exception):
    """Another process has the lock; it says who."""


def lock(file: Path, busy: str, wait: bool = True) -> IO[str]:
    """Lock a file for this process until it is closed.

    Where another has it, say so and wait; without `wait` raise Busy. WriteError for a folder that
    cannot be written.
    """
    with explained(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = file.open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        said = f"{busy}{_holder(stream)}"
        if not wait:
            stream.close()
            raise Busy(said) from None
        print(f"{said}: waiting for it", flush=True)
        fcntl.flock(stream, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return stream
    with suppress(OSError):  # a full disk keeps nobody from working
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {platform.node()}\n")
        stream.flush()
    return stream


def _holder(stream: IO[str]) -> str:
    """Who wrote into a lock's file, in brackets."""
    stream.seek(0)
    who = stream.read().strip()
    return f" ({who})" if who else ""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Work on `path`, a file or a folder, while no other process of this machine does; else wait.

    The lock's file lies with temporary files, so that a folder holds nothing but what was made.
    """
    path = Path(path).resolve()
    file = Path(tempfile.gettempdir()) / f"striate-{os.getuid()}" / f"{fingerprint(str(path))}.lock"
    with lock(file, f"{path} is in use by another process"):
        yield
