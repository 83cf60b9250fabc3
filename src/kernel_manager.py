"""The kernel of a headless notebook: this interpreter, these sources, gone when src.run is gone."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

from src.kernel import ENVIRONMENT

ROOM = 103 - len("/striate-abcdefgh/kernel-ipc-5")  # bytes for the folder; the least, macOS's


class _ThisInterpreter(KernelSpecManager):
    """Answers every kernel name with this interpreter, whatever kernels the user has installed."""

    environment: dict[str, str]

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        command = [sys.executable, "-P", "-m", "src.kernel", "-f", "{connection_file}"]
        return KernelSpec(
            argv=command, env=self.environment, language="python", display_name=kernel_name
        )


def short_folder() -> str:
    """Where sockets may lie: the temporary folder, or /tmp where the names would be too long."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) <= ROOM else "/tmp"


def kernel_manager(runtime: Path, environment: dict[str, str]) -> AsyncKernelManager:
    """A manager whose kernel talks over sockets in the folder `runtime`, of a short path."""
    specs = _ThisInterpreter()
    private = {"IPYTHONDIR": str(runtime / "ipython")}
    specs.environment = ENVIRONMENT | private | environment
    return AsyncKernelManager(
        kernel_spec_manager=specs, transport="ipc", connection_file=str(runtime / "kernel.json")
    )
