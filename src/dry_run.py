"""What a run would fetch, need and do: `run_all.sh --dry-run` pipes Snakemake's dry run into this.

GPU hours are limits, what jobs ask of a scheduler; what is known of real ones stands beside them.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from src import paths
from src.data.errors import DataError
from src.data.registry import costs, registered
from src.fetch import Wanted, inventory, size_text, wanted
from src.studies import STUDIES

PLANNED = ("This was a dry-run", "Nothing to be done")  # said last, unless it failed


@dataclass(frozen=True)
class Job:
    """A notebook that would run, and what it asks of a scheduler."""

    study: str
    command: str
    memory_mb: int
    minutes: int
    gpus: int


def jobs(told: Iterable[str]) -> Iterator[Job]:
    """The jobs of what Snakemake says in a dry run with --printshellcmds."""
    asked: dict[str, int] = {}
    for line in told:
        if line.startswith("    resources: "):
            asked = {k: int(n) for k, n in re.findall(r"\b(mem_mb|runtime|gpu)=(\d+)", line)}
        found = re.search(r"-m (src\.run notebooks/(\w+)/.*?) --record ", line)
        if line.startswith("Shell command: ") and found:
            words = [w for w in shlex.split(found[1]) if w]
            command = f"python -m {shlex.join(words)}"
            named = (asked.get(name, 0) for name in ("mem_mb", "runtime", "gpu"))
            yield Job(found[2], command, *named)


def report(study: str, run: str, mine: Sequence[Job], files: Sequence[Wanted]) -> Iterator[str]:
    """Lines on one study: downloads, disk, memory, GPU, commands."""
    title = STUDIES[study].title if study in STUDIES else "not in the graph of notebooks yet"
    yield f"\n{study}, {run}: {title}"
    yield "  Downloads" + ("" if files else ": none")
    yield from (f"    {line}" for line in inventory(files))
    packed, gpu = costs(study) if study in registered() and run == "full" else ([], [])
    missing = [one.file.size for one in files if not one.here]
    yield f"  Disk       {size_text(missing) if missing else 'nothing'} to download"
    yield from (f"             {size_text([d['bytes']])} {d['what']}" for d in packed)
    if mine:
        yield f"  Memory     {max(job.memory_mb for job in mine) / 1000:g} GB a notebook at most"
    yield from (f"  {'' if i else 'GPU':9}  {line}" for i, line in enumerate([_limit(mine), *gpu]))
    commands = [f"python -m src.fetch {study}"] if missing else []
    commands += [job.command for job in mine]
    yield f"  Commands   {len(commands) or 'none, all is up to date'}"
    yield from (f"    {command}" for command in commands)


def _limit(mine: Sequence[Job]) -> str:
    hours = [job.minutes / 60 * job.gpus for job in mine if job.gpus]
    if not hours:
        return "none"
    return f"{sum(hours):g} h at most: {len(hours)} jobs, up to {max(hours):g} h each"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; Snakemake's words come by standard input."""
    parser = argparse.ArgumentParser("python -m src.dry_run", description=__doc__)
    for name in ("profile", "recording", "study", "data-root"):
        parser.add_argument(f"--{name}", default="")
    given = parser.parse_args(arguments)
    told = sys.stdin.read()
    if not any(words in told for words in PLANNED):
        print(told, file=sys.stderr)
        return 1
    found = list(jobs(told.splitlines()))
    run = given.recording or given.profile
    planned = list(dict.fromkeys(job.study for job in found if job.study in STUDIES))
    chosen = [given.study] if given.study else planned if given.recording else list(STUDIES)
    try:
        for study in chosen:
            files = wanted(study, given.profile, given.data_root, bool(given.recording))
            mine = [job for job in found if job.study == study]
            print("\n".join(report(study, run, mine, files)))
    except (DataError, KeyError) as error:
        print(f"src.dry_run: {error.args[0]}", file=sys.stderr)
        return 1
    root = Path(given.data_root).resolve() if given.data_root else paths.DATA
    free = shutil.disk_usage(next(p for p in (root, *root.parents) if p.exists())).free
    print(f"\nFree disk for data: {size_text([free])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
