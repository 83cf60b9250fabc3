"""Snakemake for a run on this machine: `python -m src.local_graph`, with Snakemake's arguments.

Snakemake imports every executor that is installed, whichever runs the jobs. Those of clusters bring
Kubernetes and pandas, half the time of a start; here Snakemake does not find them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator

CLUSTERS = "snakemake_executor_plugin_"


def main() -> None:
    """Be Snakemake, with the executors it has itself."""
    everything = pkgutil.iter_modules

    def ours(*where: object) -> Iterator[pkgutil.ModuleInfo]:
        return (module for module in everything(*where) if not module.name.startswith(CLUSTERS))

    pkgutil.iter_modules = ours
    from snakemake.cli import main as snakemake

    snakemake()


if __name__ == "__main__":
    main()
