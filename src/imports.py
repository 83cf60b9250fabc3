"""Which files of `src` a notebook or module needs, read from its import statements."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from src import paths


def _names(tree: ast.AST) -> set[str]:
    """Dotted names that may be modules: `from src.data import splits` may mean src.data.splits."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found |= {module, *(f"{module}.{alias.name}" for alias in names)}
    return found


@cache
def imported(file: Path) -> frozenset[Path]:
    """Files of `src` that one Python file imports itself, inside functions too."""
    names = {n for n in _names(ast.parse(file.read_text())) if n.split(".")[0] == "src"}
    bases = [paths.ROOT.joinpath(*name.split(".")) for name in names]
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
