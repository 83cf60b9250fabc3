"""Provenance, and the one way to write a file: atomic, and noted for the running notebook's record.

A process started by `src.run` finds in the variable `STRIATE_RECORD` the file its notes go to, one
JSON line each. Without it (a notebook open in JupyterLab) artifacts are written just the same and
nothing is noted.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from src import paths

RECORD_VARIABLE = "STRIATE_RECORD"
PACKAGES = (
    *("torch", "numpy", "scipy", "pandas", "scikit-learn"),
    *("matplotlib", "papermill", "snakemake"),
)


FULL = os.strerror(errno.ENOSPC)
OF_DISKS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EIO, errno.ENOENT),
)


def fingerprint(value: Any) -> str:
    """sha256 of a plain value (numbers, strings, lists, dictionaries), independent of key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def source_sha256(*packages: str) -> str:
    """sha256 of the Python sources of `src/<package>`, each a folder or a module."""
    files = (f for p in packages for f in (paths.ROOT / "src" / p).rglob("*.py"))
    modules = (paths.ROOT / "src" / f"{p}.py" for p in packages)
    found = sorted({*files, *(m for m in modules if m.is_file())})
    return fingerprint({f.relative_to(paths.ROOT).as_posix(): file_sha256(f) for f in found})


def environment() -> dict[str, Any]:
    """Commit, versions and machine, for manifests and checkpoints."""
    git = ["git", "-C", str(paths.ROOT)]
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    changed = subprocess.run(
        [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True
    )
    return {
        "commit": commit.stdout.strip() or None,
        "uncommitted_changes": bool(changed.stdout.strip()),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def _note(kind: str, path: Path, **more: Any) -> None:
    if record := os.environ.get(RECORD_VARIABLE):
        line = json.dumps({"kind": kind, "path": str(Path(path).resolve()), **more})
        with open(record, "a") as stream:
            stream.write(line + "\n")


def declare(*outputs: Path) -> None:
    """Say at a notebook's start what it will write; `src.run` fails if any of it was not."""
    for path in outputs:
        _note("declared", path)


def note_input(path: Path) -> Path:
    """Note a file this notebook reads; returns the path, so that it can be used in place."""
    if os.environ.get(RECORD_VARIABLE):
        _note("input", path, sha256=file_sha256(path))
    return path


def note_output(path: Path) -> Path:
    """Note a finished artifact: just written, or found to be current by its recorded inputs."""
    if os.environ.get(RECORD_VARIABLE):
        _note("output", path, sha256=file_sha256(path))
    return path


class WriteError(OSError):
    """A file that could not be written: which, why, and what helps."""

    def __str__(self) -> str:
        return str(self.strerror)


def remedy(number: int | None) -> str:
    """What helps where a file cannot be written, by the system's error number."""
    match number:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "free some space, or choose another data_root or output_root"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "choose a data_root and an output_root that can be written"
        case errno.ENOTDIR | errno.EEXIST | errno.EISDIR:
            return "a file is where a folder should be, or the reverse: move it away"
    return "check the disk"


def _full(error: OSError) -> bool:
    """Whether a disk is full, in the words of the system or HDF5, or in those of numpy."""
    return FULL in str(error) or bool(re.search(r"\d requested and \d+ written", str(error)))


def write_error(error: OSError, path: Path) -> WriteError:
    """The same error with the file and the remedy in it."""
    if isinstance(error, WriteError):
        return error
    error = OSError(errno.ENOSPC, FULL) if _full(error) else error
    elsewhere = error.filename and Path(error.filename).parent != path.parent
    at = f" ({error.filename})" if elsewhere else ""
    text = f"{path} was not written: {error.strerror or error}{at}: {remedy(error.errno)}"
    return WriteError(error.errno, text)


def clear_leftovers(folder: Path, name: str = "*") -> None:
    """Remove temporary files and folders of processes that were killed while they wrote `name`."""
    for leftover in folder.glob(f".{name}.*.tmp"):
        if not _runs(leftover.name.split(".")[-2]):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)


def _runs(process: str) -> bool:
    """Whether there is a process of that number, on this machine."""
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:  # somebody else's
        pass
    return True


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Have an error of the disk name `path` and what helps."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__  # torch hides it there
        if isinstance(cause, OSError) and (cause.errno in OF_DISKS or _full(cause)):
            raise write_error(cause, path) from None
        raise


@contextmanager
def replacing(path: Path, note: bool = True) -> Iterator[Path]:
    """A temporary file beside `path`; whole and on disk, it takes its place if the block ends well.

    `note=False` for files that do not outlive the run, such as the state a killed run resumes from.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            clear_leftovers(path.parent, path.name)
            yield temporary
            with open(temporary, "rb") as stream:
                os.fsync(stream.fileno())
            temporary.replace(path)
    finally:
        with suppress(OSError):  # of a folder that is none
            temporary.unlink(missing_ok=True)
    if note:
        note_output(path)


def save_json(value: Any, path: Path) -> Path:
    """Write a plain value as indented JSON."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")
    return path


def save_arrays(path: Path, **arrays: Any) -> Path:
    """Write named numpy arrays as one npz whose bytes depend on the values only."""
    import numpy as np

    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    return path


def save_table(table: Any, path: Path) -> Path:
    """Write a pandas table as CSV without its index, numbers to nine significant digits."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n")
    return path


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG (`path`) and PDF beside it; the same figure gives the same bytes."""
    path = Path(path).with_suffix(".png")
    _settle(figure)
    with replacing(path.with_suffix(".pdf")) as temporary:
        figure.savefig(temporary, format="pdf", metadata={"CreationDate": None})
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _settle(figure: Any) -> None:
    """Lay a figure out once and for all, its axes on a grid of a millionth of its size.

    The solver behind matplotlib's layout sums in the order of memory addresses, so that the last
    bit of a position differs between runs, and now and then a digit of the PDF with it.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axis in figure.axes:
        bounds = axis.get_position(original=True).bounds
        axis.set_position([round(x, 6) for x in bounds], which="original")
