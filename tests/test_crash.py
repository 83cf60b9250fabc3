"""Kill a run again and again, at random moments; in the end nothing shows it."""

import json
import random
import subprocess
import time
from pathlib import Path

import psutil

from src.manifest import file_sha256
from src.paths import ROOT

STUDY = "nsd_gnet"  # all stages in few notebooks

# Each kill waits until so many notebooks have begun; so each catches the notebook it was in before
# or a later one, or (0) no notebook yet, and kills are spread over the whole run.
BEGUN = (1, 1, 2, 2, 2, 0, 3, 2, 2, 3, 2, 3, 2)
ORPHANED = {3, 8}  # of these kills the notebooks survive, and meet the run that continues


class Killer:
    """Starts a run of the smoke profile, and kills it at a random moment."""

    def __init__(self, folder: Path, usual: dict[str, float], chance: random.Random) -> None:
        self.data, self.output = folder / "data", folder / "figures"
        self.usual, self.chance = usual, chance

    def start(self, jobs: int = 2) -> psutil.Popen:
        places = ["--data-root", str(self.data), "--output-root", str(self.output)]
        options = ["--profile", "smoke", "--study", STUDY, "--jobs", str(jobs), *places]
        command = ["bash", str(ROOT / "run_all.sh"), *options]
        pipe = subprocess.DEVNULL
        return psutil.Popen(command, stdout=pipe, stderr=pipe, start_new_session=True)

    def executed(self) -> set[tuple[str, int]]:
        """Names of executed notebooks, and when they were last written, in ns."""
        found = (self.output / STUDY / "smoke/records").glob("*.ipynb")
        return {(p.stem, quietly(p.stat).st_mtime_ns) for p in found if quietly(p.stat)}

    def kill(self, begun: int, jobs: int, orphan: bool) -> bool:
        """Kill in the notebook that began as the last of `begun`; False if all had ended."""
        before, run, names = self.executed(), self.start(jobs), []
        while len(names) < begun:
            if run.poll() is not None:
                return False
            names += sorted({name for name, _ in self.executed() - before} - set(names))
            time.sleep(0.01)
        time.sleep(self.chance.random() * (self.usual[names[-1]] if names else 3))
        kill_tree(run, spare="src.run" if orphan else None)
        run.wait()
        return True


def kill_tree(run: psutil.Popen, spare: str | None) -> None:
    """SIGKILL a process and all below it, down to processes whose command names `spare`."""
    stopped: dict[int, psutil.Process] = {}
    while new := [p for p in [run, *below(run, spare)] if p.pid not in stopped]:
        for process in new:  # stopped first, so that none starts another meanwhile
            stopped[process.pid] = process
            quietly(process.suspend)
    for process in stopped.values():
        quietly(process.kill)


def below(process: psutil.Process, spare: str | None) -> list[psutil.Process]:
    children = quietly(process.children) or []
    kept = [p for p in children if not (spare and spare in (quietly(p.cmdline) or []))]
    return [q for p in kept for q in (p, *below(p, spare))]


def quietly(action):
    """The result of an action on a process or file, None if that is gone."""
    try:
        return action()
    except (psutil.NoSuchProcess, FileNotFoundError):
        return None


def results(data: Path, output: Path) -> dict[str, str]:
    """sha256 of every table, figure, prediction and history of a run."""
    made, runs = output / STUDY, data / "runs" / STUDY
    found = [p for kind in ("png", "pdf", "csv") for p in made.rglob(f"*.{kind}")]
    found += [p for kind in ("npz", "csv") for p in runs.rglob(f"*.{kind}")]
    return {str(p.relative_to(data.parent)): file_sha256(p) for p in sorted(found)}


def test_kills_leave_no_trace(smoke_run, tmp_path):
    """Killed thirteen times, with one job and two at a time in turn, against undisturbed."""
    records = (smoke_run.output / STUDY / "smoke/records").glob("*.json")
    usual = {path.stem: json.loads(path.read_text())["seconds"] for path in records}
    killer = Killer(tmp_path, usual, random.Random(20220713))
    kills = [killer.kill(begun, 1 + i % 2, i in ORPHANED) for i, begun in enumerate(BEGUN)]
    assert sum(kills) >= 10, kills
    assert killer.start().wait() == 0

    expected = results(smoke_run.data, smoke_run.output)
    kinds = {Path(name).suffix for name in expected}
    assert kinds == {".png", ".pdf", ".csv", ".npz"} and len(expected) > 40
    assert results(killer.data, killer.output) == expected
    leftovers = [p for p in tmp_path.rglob("*") if p.suffix == ".tmp" or p.name == "resume.pt"]
    assert not leftovers
