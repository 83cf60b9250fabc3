"""Start a run: check what was asked for, keep other runs out of its folders, become Snakemake.

`python -m src.start --profile P ... -- COMMAND`, in run_all.sh. Exits 2, in one line, where a name
is misspelled, a recording was never imported, or a folder is a file or cannot be written. A second
run of a study in the same folders waits until the first has ended, however it ends.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from src import locks, paths
from src.data.errors import DataError
from src.data.stimulus_kinds import imported
from src.lifetime import die_with
from src.names import UnknownName, nearest
from src.studies import STUDIES

DRY = {"-n", "--dry-run", "--dryrun"}  # of Snakemake: it writes nothing, so that it need not wait


def chosen_studies(profile: str, recording: str, study: str, data_root: str = "") -> list[str]:
    """Names of the studies of a run. DataError for an unknown name, or recording."""
    if study and study not in STUDIES:
        known = ", ".join(STUDIES)
        raise DataError(f"there is no study {study!r}{nearest(study, STUDIES)}: use {known}")
    chosen = [study] if study else list(STUDIES)
    if recording:
        chosen = [s for s in chosen if paths.run_paths(s, recording, data_root).raw.is_dir()]
        if not chosen:
            raise DataError(_unknown_recording(recording, study, data_root))
    for name in chosen:
        try:
            STUDIES[name].profile(profile)
        except UnknownName as error:
            raise DataError(str(error)) from None
    return chosen


def _unknown_recording(recording: str, study: str, data_root: str) -> str:
    """What to say of a recording that is nowhere."""
    raw = paths.run_paths(study or "*", recording, data_root).raw
    runs = {p.name for p in raw.parents[1].glob(f"{study or '*'}/*") if p.is_dir()}
    known = sorted(r for r in runs if (r[0] != "." and not r.endswith("_truth")))
    there = f", which has {', '.join(known)}" if known else ""
    others = [s for s in STUDIES if paths.run_paths(s, recording, data_root).raw.is_dir()]
    if others:  # of another study than the one that was asked for
        return f"{study} has no recording {recording!r}; {imported(recording, others[0])}"
    return (
        f"no recording {recording!r} was imported under {raw.parents[1]}{there}"
        f"{nearest(recording, known)}: import it with notebooks/{study or '<study>'}"
        "/00_import_recording, or give the data root it was imported to"
    )


def lock_files(studies: list[str], run: str, data_root: str, output_root: str) -> Iterator[Path]:
    """A file in each folder that a run writes to, always in one order."""
    for study in studies:
        places = paths.run_paths(study, run, data_root, output_root)
        yield from (places.runs / ".run.lock", places.figures / ".run.lock")


def _hold(files: Iterator[Path]) -> None:
    """Lock files until this process, whatever it becomes, has ended."""
    for file in files:
        stream = locks.lock(file, f"another run works in {file.parent}")
        os.set_inheritable(os.dup(stream.fileno()), True)


def _warm() -> None:
    """Start the server of warm kernels, if the run is to have one; it ends with this process."""
    if os.environ.get("STRIATE_WARM"):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        subprocess.Popen([sys.executable, "-m", "src.warm", str(os.getpid())], **quiet)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m src.start", description=__doc__.split("\n")[0])
    for name in ("profile", "recording", "study", "data-root", "output-root"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("command", nargs="+", help="after --: what to become")
    return parser.parse_args()


def main() -> int:
    """Check, lock, and become the command; returns 2 where something is wrong."""
    given = _arguments()
    die_with(os.getppid(), signal.SIGTERM)  # bash, which tells nobody that it was told to end
    try:
        studies = chosen_studies(given.profile, given.recording, given.study, given.data_root)
        run = given.recording or given.profile
        if not DRY & set(given.command):
            _hold(lock_files(studies, run, given.data_root, given.output_root))
    except (DataError, OSError) as error:
        print(f"run_all.sh: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # while it waits for another run
        return 128 + signal.SIGINT
    _warm()
    os.execvp(given.command[0], given.command)


if __name__ == "__main__":
    sys.exit(main())
