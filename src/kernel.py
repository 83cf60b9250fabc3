"""The kernel of a headless notebook: this interpreter, these sources, gone when src.run is gone."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

from src import paths

ENVIRONMENT = {
    "PYTHONPATH": str(paths.ROOT),
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "GOMP_SPINCOUNT": "1000",  # default spinning collapses beside another busy process
    "THP_MEM_ALLOC_ENABLE": "1",  # huge pages for large tensors: fewer page faults in training
    "OMP_NUM_THREADS": "1",  # bytes agree at one thread count only; training sets its own
}
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class _ThisInterpreter(KernelSpecManager):
    """Answers every kernel name with this interpreter, whatever kernels the user has installed."""

    environment: dict[str, str]

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        command = [sys.executable, "-P", "-m", "src.kernel", "-f", "{connection_file}"]
        return KernelSpec(
            argv=command, env=self.environment, language="python", display_name=kernel_name
        )


def kernel_manager(runtime: Path, environment: dict[str, str]) -> AsyncKernelManager:
    """A manager whose kernel talks over sockets in the folder `runtime`, best of a short path."""
    specs = _ThisInterpreter()
    private = {"IPYTHONDIR": str(runtime / "ipython")}
    specs.environment = ENVIRONMENT | private | environment
    return AsyncKernelManager(
        kernel_spec_manager=specs, transport="ipc", connection_file=str(runtime / "kernel.json")
    )


def _die_with_parent() -> None:
    """Have Linux kill this process with its parent; elsewhere ipykernel looks every second."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(os.environ["JPY_PARENT_PID"]):  # it died before the call
            sys.exit("the process that started this kernel is gone")


def main() -> None:
    """Be the kernel."""
    from ipykernel.kernelapp import launch_new_instance

    _die_with_parent()
    launch_new_instance()


if __name__ == "__main__":
    main()
