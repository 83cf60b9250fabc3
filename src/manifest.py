"""Provenance, and the one way to write a file: atomic, and noted for the running notebook's record.

A process started by `src.run` finds in the variable `STRIATE_RECORD` the file its notes go to, one
JSON line each. Without it (a notebook open in JupyterLab) artefacts are written just the same and
nothing is noted.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Note a finished artefact: just written, or found to be current by its recorded inputs."""
    if os.environ.get(RECORD_VARIABLE):
        _note("output", path, sha256=file_sha256(path))
    return path


def _clear_leftovers(path: Path) -> None:
    """Remove temporary files of `path` whose process was killed while it wrote."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        try:
            os.kill(int(leftover.name.split(".")[-2]), 0)
        except ProcessLookupError:
            leftover.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path, note: bool = True) -> Iterator[Path]:
    """A temporary file beside `path`; whole and on disk, it takes its place if the block ends well.

    `note=False` for files that do not outlive the run, such as the state a killed run resumes from.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
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
