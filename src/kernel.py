"""The process src.run starts as its kernel: a kernel, or the stand-in of one that started warm."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

from src import paths
from src.lifetime import die_with

ENVIRONMENT = {
    "PYTHONPATH": str(paths.ROOT),
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "GOMP_SPINCOUNT": "1000",  # default spinning collapses beside another busy process
    "THP_MEM_ALLOC_ENABLE": "1",  # huge pages for large tensors: fewer page faults in training
    "OMP_NUM_THREADS": "1",  # bytes agree at one thread count only; training sets its own
}
USAGE = "usage.json"  # beside the connection file of a warm kernel: [CPU seconds, KiB] it used
WARM = "STRIATE_WARM"  # names the server of src.warm, where a run has one


def address(name: str) -> str:
    """A socket of Linux that is no file, so that nothing of it stays behind."""
    return f"\0striate-{name}"


def stand_in(server: socket.socket, arguments: list[str]) -> int:
    """Have a server of src.warm make the kernel, and last as long as it; its exit status."""
    asked = {"arguments": arguments, "environment": dict(os.environ)}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a last word before a kernel is killed
    try:
        socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])
        answer = server.recv(1)
    except ConnectionError:  # the server is gone, and the kernel with it
        answer = b""
    return answer[0] if answer else 1


def main() -> None:
    """Be the kernel, or stand in for it; arguments: -f CONNECTION_FILE, and others of ipykernel."""
    die_with(int(os.environ["JPY_PARENT_PID"]))
    if name := os.environ.get(WARM):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            if server.connect_ex(address(name)) == 0:
                sys.exit(stand_in(server, sys.argv[1:]))
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()


if __name__ == "__main__":
    main()
