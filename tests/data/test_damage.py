"""Damaged data sets are refused by name, or read as numpy and h5py read them; no code is run.

STRIATE_EXAMPLES sets how many damages of each data set are tried, STRIATE_SEED which.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from src.data.errors import DataError
from src.seeds import numpy_stream
from tests.data.damage import MARK, damage, restore
from tests.data.damaged_sets import KINDS_OF_SETS, Found, Kind

EXAMPLES = int(os.environ.get("STRIATE_EXAMPLES", "0"))  # 0: as many as a data set asks for
SEED = int(os.environ.get("STRIATE_SEED", "8"))
NEVER_READ = ("min", "max", "median")  # statistics that come with a mouse


def folders_of(root: Path) -> list[list[Path]]:
    """Files that are read, by folder: of many alike, none is damaged more often."""
    files = [p for p in root.rglob("*") if p.is_file() and p.name != "simulation.json"]
    files = sorted(p for p in files if p.stem not in NEVER_READ)
    return [[f for f in files if f.parent == folder] for folder in {f.parent: 0 for f in files}]


def other(found: Found, plain: Found) -> str:
    """The first array that both have, and that differs."""
    for name in sorted(found.keys() & plain.keys()):
        a, b = found[name], plain[name]
        near = a.shape == b.shape and a.dtype.kind == b.dtype.kind == "f"
        close = near and np.allclose(a, b, rtol=1e-5, atol=1e-5, equal_nan=True)
        if not (close or np.array_equal(a, b)):
            return name
    return ""


def verdict(kind: Kind, root: Path, out: Path) -> str:
    """What is wrong with how a damaged data set is read; "" if nothing is."""
    try:
        found = kind.read(root, out)
    except DataError as error:
        left = [str(p) for p in out.rglob("*") if ".partial" in str(p) or p.suffix == ".tmp"]
        names = {root.name, *(p.name for p in root.rglob("*"))}
        named = any(name in str(error) for name in names)
        return f"left {left}" if left else "" if named else f"names no file: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    try:
        changed = other(found, kind.plain(root))
    except Exception as error:
        return f"numpy and h5py could not: {type(error).__name__} {error}"
    return f"{changed} is not what the file holds" if changed else ""


@pytest.mark.parametrize("name", KINDS_OF_SETS)
def test_damaged_files_are_refused_or_read_as_they_are(name, tmp_path):
    kind, root, out = KINDS_OF_SETS[name], tmp_path / "raw", tmp_path / "packed"
    kind.make(root, tmp_path / "truth")
    whole, plain = kind.read(root, out), kind.plain(root)
    assert len(whole.keys() & plain.keys()) >= 3 and other(whole, plain) == ""
    folders, wrong = folders_of(root), []
    for i in range(EXAMPLES or kind.examples):
        shutil.rmtree(out, ignore_errors=True)
        rng = numpy_stream(SEED, "damage", name, i)
        files = folders[rng.integers(len(folders))]
        path = files[rng.integers(len(files))]
        data = path.read_bytes()
        how = damage(path, rng)
        problem = verdict(kind, root, out)
        if ran := path.with_name(MARK).exists():
            path.with_name(MARK).unlink()
        if problem or ran:
            wrong.append(f"{i}: {how} {path.relative_to(root)}: {problem}{' CODE RAN' * ran}")
        restore(path, data)
    assert not wrong, "\n".join(wrong)
