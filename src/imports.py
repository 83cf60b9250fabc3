"""Which files of `src` a notebook or module needs, read from its import statements."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from src import paths
from src.manifest import file_sha256, fingerprint

FROM = re.compile(r"^[ \t]*from (src(?:\.\w+)*) import (?:\(([^)]*)\)|([^\n#]*))", re.MULTILINE)
IMPORT = re.compile(r"^[ \t]*import (src(?:\.\w+)*)", re.MULTILINE)


def _names(text: str) -> set[str]:
    """Dotted names that may be modules: `from src.data import splits` may mean src.data.splits."""
    found = set(IMPORT.findall(text))
    for module, *lists in FROM.findall(text):
        words = (part.split() for part in re.sub("#.*", "", "".join(lists)).split(","))
        found |= {module, *(f"{module}.{word[0]}" for word in words if word)}
    return found


@cache
def imported(file: Path) -> frozenset[Path]:
    """Files of `src` that one Python file imports itself, inside functions too."""
    bases = [paths.ROOT.joinpath(*name.split(".")) for name in _names(file.read_text())]
    files = {f for b in bases for f in (b.with_suffix(".py"), b / "__init__.py")}
    return frozenset(f for f in files if f.is_file())


def sources(file: Path) -> list[Path]:
    """All files of `src` behind one Python file, sorted."""
    found: set[Path] = set()
    waiting = {file}
    while waiting:
        new = imported(waiting.pop()) - found
        found |= new
        waiting |= new
    return sorted(found)


_sha256 = cache(file_sha256)


def code_sha256(notebook: Path) -> str:
    """sha256 of a notebook and of the files of `src` behind it.

    Without those whose values a job is given: src/config.py, src/parts.py, src/studies. Of a
    pair of twins the script counts.
    """
    script = notebook.with_suffix(".py")
    configs = (paths.ROOT / f"src/{name}.py" for name in ("config", "parts"))
    by_value = {*configs, *(paths.ROOT / "src/studies").glob("*.py")}
    behind = sources(script) if script.exists() else []
    files = [script if script.exists() else notebook, *(f for f in behind if f not in by_value)]
    return fingerprint([_sha256(file) for file in files])
