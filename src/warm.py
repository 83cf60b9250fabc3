"""Kernels that start warm: forks of one process that has imported the packages all notebooks use.

    STRIATE_WARM=name python -m src.warm $$ &    # as src.start; ends with the process $$

Importing torch, pandas and matplotlib is most of the time a short notebook takes. A run starts one
server, which imports them when the first notebook asks, and each kernel is a fork of it. Nothing of
`src` is imported before the fork, so a kernel sees the sources as they are. What src.run starts and
stops is a stand-in, which lasts as long as its kernel; the kernel ends with it, however it ends.
Only on Linux; without a server a kernel starts as always.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from src.kernel import ENVIRONMENT, USAGE, WARM, address
from src.lifetime import die_with

PACKAGES = (
    *("torch", "torch._dynamo", "pandas", "matplotlib.pyplot", "PIL.Image", "tqdm.auto"),
    *("scipy.stats", "scipy.io", "scipy.signal", "scipy.cluster.hierarchy"),
    *("sklearn.cluster", "sklearn.ensemble", "sklearn.linear_model", "sklearn.model_selection"),
    *("h5py", "ipykernel.ipkernel", "ipykernel.kernelapp", "ipywidgets", "matplotlib_inline"),
    "matplotlib_inline.backend_inline",
)


def serve(name: str, parent: int) -> NoReturn:
    """Fork a kernel for every stand-in that asks, until the process `parent` ends."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who supervise
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address(name))
    listener.listen()
    while True:
        connection, _ = listener.accept()
        if not _is_ours(connection):
            connection.close()
            continue
        for package in PACKAGES:
            importlib.import_module(package)
        gc.freeze()  # what is shared stays shared
        # From Python 3.12 a fork warns of threads: there is pyarrow's allocator's, ready for forks.
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
        server = os.getpid()
        if os.fork() == 0:
            listener.close()
            _supervise(connection, server)
        connection.close()


def _is_ours(connection: socket.socket) -> bool:
    """Whether this user asks: a kernel does what it is told."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return struct.unpack("3i", credentials)[1] == os.getuid()


def _supervise(connection: socket.socket, server: int) -> NoReturn:
    """Start a kernel; kill it when its stand-in is gone, tell the stand-in when it has ended."""
    die_with(server)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, files, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    asked, supervisor = json.loads(message), os.getpid()
    arguments = asked["arguments"]
    usage = Path(arguments[arguments.index("-f") + 1]).with_name(USAGE)
    usage.touch()
    if (kernel := os.fork()) == 0:
        connection.close()
        _become_kernel(asked, files, supervisor)
    ended = os.pidfd_open(kernel)
    if ended not in select.select([connection, ended], [], [])[0]:
        os.kill(kernel, signal.SIGKILL)
    _, status, used = os.wait4(kernel, 0)
    temporary = usage.with_suffix(".tmp")
    with contextlib.suppress(FileNotFoundError):  # the run is over, and its folder gone
        temporary.write_text(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))
        temporary.rename(usage)
    with contextlib.suppress(BrokenPipeError):
        connection.send(bytes([os.waitstatus_to_exitcode(status) != 0]))
    os._exit(0)


def _become_kernel(asked: Mapping[str, Any], files: list[int], supervisor: int) -> NoReturn:
    """Be the kernel a stand-in asked for, with its environment and streams."""
    os.setsid()
    die_with(supervisor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    for module in [m for m in sys.modules if m.partition(".")[0] == "src"]:
        del sys.modules[module]
    from ipykernel.kernelapp import launch_new_instance

    parent = f"--IPKernelApp.parent_handle={supervisor}"
    launch_new_instance(argv=[*asked["arguments"], parent])
    os._exit(0)


def main() -> None:
    """Be the server, in the environment that kernels need from their first moment."""
    parent = sys.argv[1]  # who may be gone by now
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        command = [sys.executable, "-P", "-m", "src.warm", parent]
        os.execve(sys.executable, command, os.environ | ENVIRONMENT)
    serve(os.environ[WARM], int(parent))


if __name__ == "__main__":
    main()
