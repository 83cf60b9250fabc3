"""Records of notebook runs: where they lie, whether they still hold, and the manifest made of them.

`python -m src.records TITLE MANIFEST RECORD...` merges the records of one run into its manifest.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from src import manifest, paths

NAMING = (
    "model",
    "member",
    "network",
    "probe",
    "subjects",
    "areas",
)  # parameters that tell the jobs of one notebook apart within a run
HOW = ("processes",)  # parameters that results do not depend on, but for rounding


def job_name(stem: str, values: Mapping[str, Any]) -> str:
    """Name of a notebook with these parameters within a run, for example 02_train_wide_3."""
    named = " ".join(str(values[name]) for name in NAMING if values.get(name))
    return "_".join([stem, *named.split()])


def short(path: str | Path) -> str:
    """A path as records hold it: from the repository's root if it lies there."""
    path = Path(path)
    return str(path.relative_to(paths.ROOT) if path.is_relative_to(paths.ROOT) else path)


def outdated(record: Path, given: Mapping[str, Any], code: str) -> str | None:
    """Why an existing record cannot stand for a job with the parameters `given`; None if it can.

    code: sha256 of the notebook and of what it imports, as they are now. A parameter that is not
    given must have had its default, and no artifact may be gone or newer.
    """
    content = json.loads(record.read_text())
    used = content["parameters"]
    if any(used.get(name) != value for name, value in given.items()):
        return "made with other parameters"
    if extra := set(content["changed"]) - set(given) - set(HOW):
        return f"made with its own {', '.join(sorted(extra))}"
    if content.get("code") != code:
        return "its notebook changed, or what it imports"
    for name in content["outputs"]:
        file = paths.ROOT / name
        if not file.exists():
            return f"{name} is gone"
        if file.stat().st_mtime_ns > record.stat().st_mtime_ns:
            return f"{name} was changed"
    return None


def merge(title: str, target: Path, records: Iterable[Path]) -> None:
    """Write the records of one run, in order of notebook, as its manifest."""
    content = [json.loads(path.read_text()) for path in sorted(records)]
    manifest.save_json({"title": title, "notebooks": content}, target)


if __name__ == "__main__":
    merge(sys.argv[1], Path(sys.argv[2]), map(Path, sys.argv[3:]))
