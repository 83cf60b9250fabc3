"""Execute one notebook safely and record it: `python -m src.run NOTEBOOK -p member 3`.

papermill alone exits 0 on a misspelled parameter and on a notebook that swallowed its own error and
wrote nothing. This exits 2 on a parameter the notebook does not have or a value of another type;
and 1 on a cell that raised or did not complete, a killed kernel, and a declared output not written.
The executed notebook is saved, also a failed one, and beside it a JSON record, the manifest's part.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src import locks, manifest, paths
from src.imports import code_sha256
from src.kernel import USAGE
from src.kernel_manager import kernel_manager, short_folder
from src.names import nearest
from src.parameters import ParameterError, Value, parameters_of, parse_values
from src.records import job_name, short

if TYPE_CHECKING:
    from nbformat import NotebookNode

# What jsonschema, papermill and jupytext import where they find it, and nothing here uses: half the
# time this takes to start.
UNUSED = ("rfc3987_syntax", "isoduration", "fqdn", "pyarrow", "jupyter_server", "markdown_it")


class RunError(RuntimeError):
    """A notebook that did not do what it promised; `detail` holds the last lines of a traceback."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True)
class Job:
    """One execution of one notebook."""

    notebook: Path
    values: dict[str, Value]  # all parameters
    given: dict[str, Value]  # those of them set from outside
    changed: list[str]  # those of them that differ from their default
    executed: Path
    record: Path
    outputs: tuple[Path, ...] = ()  # expected beside those the notebook declares
    code: str = ""  # sha256 of the notebook and of what it imports, as it starts
    source: NotebookNode | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The record's name, for example 02_train_wide_3."""
        return self.record.stem

    @property
    def failed_record(self) -> Path:
        """Where a failed run is recorded, so that it is never taken for a finished one."""
        return self.record.with_suffix(".failed.json")


def places_of(notebook: Path, values: dict[str, Value]) -> paths.RunPaths:
    """Folders of the run of a notebook of `notebooks/<study>` with these parameters."""
    roots = (str(values.get(root, "")) for root in ("data_root", "output_root"))
    run = str(values.get("recording") or values.get("profile") or "default")
    return paths.run_paths(notebook.parent.name, run, *roots)


def make_job(
    notebook: Path,
    given: list[tuple[str, str]],
    executed: Path | None = None,
    record: Path | None = None,
    outputs: list[Path] | None = None,
) -> Job:
    """Read a notebook (.py in percent format, or .ipynb) and check the parameters given for it."""
    import jupytext

    source = jupytext.read(notebook)
    try:
        known = parameters_of(source)
        values = parse_values(known, given)
    except ParameterError as error:
        raise ParameterError(f"{notebook.name}: {error}") from None
    notebook = notebook.resolve()
    base = places_of(notebook, values).records / job_name(notebook.stem, values)
    return Job(
        notebook=notebook,
        values=values,
        given={name: values[name] for name, _ in given},
        changed=[name for name, value in values.items() if value != known[name].default],
        executed=(executed or base.with_name(f"{base.name}.ipynb")).resolve(),
        record=(record or base.with_name(f"{base.name}.json")).resolve(),
        outputs=tuple(path.resolve() for path in outputs or ()),
        code=code_sha256(notebook),
        source=source,
    )


# Execution --------------------------------------------------------------------------------------


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    """Wait while another process, perhaps orphaned by a kill, still runs the same job.

    Two runs may share the data and write their figures to two folders: each of both has a lock.
    """
    places = {job.record.parent / f".{job.name}.lock"}
    if "data_root" in job.values:
        runs = places_of(job.notebook, job.values).runs
        places.add(runs / f".{job_name(job.notebook.stem, job.values)}.lock")
    with ExitStack() as held:
        with redirect_stdout(sys.stderr):
            for place in sorted(places):
                held.enter_context(locks.lock(place, f"{job.name} runs in another process"))
        yield


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _execute(job: Job, notes: Path, runtime: Path) -> NotebookNode:
    """Execute all cells in a kernel of this interpreter; raises RunError."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    manager = kernel_manager(runtime, {manifest.RECORD_VARIABLE: str(notes)})
    try:
        return papermill.execute_notebook(
            job.source,
            job.executed,
            parameters=job.given,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            km=manager,
        )
    except papermill.PapermillExecutionError as error:
        last = _plain("\n".join(error.traceback)).splitlines()[-8:]
        message = f"cell {error.exec_count} raised {error.ename}: {_plain(error.evalue)}"
        raise RunError(message, "\n".join(last)) from None
    except DeadKernelError:
        raise RunError(
            "the kernel ended early: killed, out of memory, or exit() in a cell"
        ) from None
    except KeyboardInterrupt:
        raise RunError("interrupted") from None
    except OSError as error:
        raise RunError(str(manifest.write_error(error, job.executed))) from None
    finally:
        if manager.has_kernel:
            asyncio.run(manager.shutdown_kernel(now=True))


def _check_cells(notebook: NotebookNode) -> None:
    """Every code cell ran to its end without an error output; raises RunError."""
    code = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    for cell in code:
        errors = [o.ename for o in cell.outputs if o.output_type == "error"]
        if errors or cell.execution_count is None:
            first = cell.source.strip().splitlines()[0]
            what = f"ended with {errors[0]}" if errors else "did not complete"
            raise RunError(f"the cell {first!r} {what}")


def _check_outputs(job: Job, notes: dict[str, dict[str, Any]]) -> None:
    """What was declared was written or confirmed during this run, and is there; raises RunError."""
    expected = {*notes["declared"], *map(str, job.outputs)}
    if not expected | set(notes["output"]):
        raise RunError("declared no output and wrote none: call src.manifest.declare(...)")
    lost = sorted(p for p in expected if p not in notes["output"] or not Path(p).exists())
    if lost:
        raise RunError(f"declared but not written: {', '.join(map(short, lost))}")


def read_notes(path: Path) -> dict[str, dict[str, Any]]:
    """What a notebook noted of its files, {kind: {path: sha256 or None}}; the last note counts."""
    notes: dict[str, dict[str, Any]] = {"declared": {}, "input": {}, "output": {}}
    for line in path.read_text().splitlines():
        note = json.loads(line)
        notes[note["kind"]][note["path"]] = note.get("sha256")
    return notes


# Record -----------------------------------------------------------------------------------------


def _used(runtime: Path) -> dict[str, float]:
    """CPU time of the kernel that ran in the folder `runtime`, and its largest resident memory."""
    usage, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    seconds, size = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
    if (told := runtime / USAGE).exists():  # the kernel is no child of ours, see src.warm
        while not (text := told.read_text()) and time.monotonic() < began + 2:
            time.sleep(0.01)
        seconds, size = json.loads(text or "[0, 0]")
    unit = 1 if sys.platform == "darwin" else 1024
    return {"cpu_seconds": round(seconds, 1), "peak_memory_mb": round(size * unit / 1e6, 1)}


def execute(job: Job) -> dict[str, Any]:
    """Execute, judge and record one notebook; returns its record, raises RunError."""
    with manifest.explained(job.record):
        for path in (job.executed, job.record):
            path.parent.mkdir(parents=True, exist_ok=True)
    with (
        _alone(job),
        tempfile.TemporaryDirectory(prefix="striate-", dir=short_folder()) as runtime,
    ):
        notes_file = Path(runtime) / "notes.jsonl"
        notes_file.touch()
        began = time.monotonic()
        error: RunError | None = None
        try:
            _check_cells(_execute(job, notes_file, Path(runtime)))
            _check_outputs(job, read_notes(notes_file))
        except RunError as caught:
            error = caught
        seconds, used = time.monotonic() - began, _used(Path(runtime))
        record = _record(job, error, read_notes(notes_file), {"seconds": round(seconds, 1), **used})
        manifest.save_json(record, job.failed_record if error else job.record)
        (job.record if error else job.failed_record).unlink(missing_ok=True)
    if error:
        raise error
    return record


def _files(notes: dict[str, str]) -> dict[str, str]:
    """Files and their sha256, without those that served only while the notebook ran."""
    return {short(path): notes[path] for path in sorted(notes) if Path(path).exists()}


def _record(job: Job, error: RunError | None, notes: dict[str, Any], used: dict) -> dict:
    return {
        "notebook": short(job.notebook),
        "status": "failed" if error else "finished",
        "error": str(error) if error else None,
        "code": job.code,
        "parameters": job.values,
        "changed": job.changed,
        "seeds": {n: v for n, v in job.values.items() if n in ("seed", "member")},
        **used,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "executed": short(job.executed),
        "inputs": _files(notes["input"]),
        "outputs": _files(notes["output"]),
        **manifest.environment(),
    }


# Command line -----------------------------------------------------------------------------------


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m src.run", description=__doc__.split("\n")[0])
    parser.add_argument("notebook", type=Path, help=".py in percent format, or .ipynb")
    pair = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
    parser.add_argument("-p", "--parameter", **pair, help="set a parameter")
    more = "a file it must write, beside those it declares"
    parser.add_argument("--output", type=Path, action="append", metavar="FILE", help=more)
    where = "default: in figures/<study>/<run>/records"
    parser.add_argument("--executed", type=Path, metavar="FILE", help=f"notebook, {where}")
    parser.add_argument("--record", type=Path, metavar="FILE", help=f"JSON record, {where}")
    return parser.parse_args(arguments)


def _no_notebook(path: Path) -> str:
    """What to say of a notebook that is not there."""
    near = nearest(path.name, [p.name for p in path.parent.glob("*.py")])
    where = paths.ROOT / "notebooks"
    return f"there is no notebook {path.absolute()}{near}: they are in {where}"


def _say(job: Job, line: str) -> None:
    """One line on the terminal and, with the time, in the run's log."""
    print(line, flush=True)
    with suppress(OSError), open(job.record.parent.parent / "run.log", "a") as log:
        log.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')}  {line}\n")


def _stop(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    given = _arguments(arguments)
    sys.modules.update(dict.fromkeys(UNUSED))  # None: not to be imported
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # we say it ourselves
    signal.signal(signal.SIGTERM, _stop)
    if not given.notebook.is_file():
        print(_no_notebook(given.notebook), file=sys.stderr)
        return 2
    try:
        job = make_job(given.notebook, given.parameter, given.executed, given.record, given.output)
    except (ParameterError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        record = execute(job)
    except RunError as error:
        if error.detail:
            print(error.detail, file=sys.stderr)
        _say(job, f"{job.name}: failed, {error} (see {short(job.executed)})")
        return 1
    except (manifest.WriteError, KeyboardInterrupt) as error:
        _say(job, f"{job.name}: failed, {str(error) or 'interrupted'}")
        return 1
    seconds, memory = record["seconds"], record["peak_memory_mb"]
    _say(job, f"{job.name:<32} {seconds:7.1f} s {memory:7.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
