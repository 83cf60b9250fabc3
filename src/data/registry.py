"""What studies need from elsewhere: `data/registry.json`, unfolded to single files.

What is unknown there is null, or left out: hashes and sizes are never guessed. `about` is a size as
told, `page` and `note` say where a user finds a file that has no address.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from src import paths
from src.data.errors import DataError

REGISTRY = paths.DATA / "registry.json"
SHARED = ("page", "license", "citation", "note")  # of a study, where a file does not say its own
KNOWN = {*SHARED, "entry", "path", "each", "url", "sha256", "bytes", "about", "instead", "unpack"}


@dataclass(frozen=True)
class RemoteFile:
    """One file that is not ours: what it is called below its folder, and what proves it whole."""

    entry: str  # of the registry, which may stand for many files
    path: str  # below the folder; of what is unpacked, the archive's
    url: str | None = None
    sha256: str | None = None  # or its beginning, where no more is known
    bytes: int | None = None
    about: int | None = None  # as told, not to be checked
    license: str = "not stated"
    citation: str = ""
    page: str | None = None
    note: str = ""  # what a user has to do
    instead: str = ""  # another file in the same folder that serves as well
    unpack: bool = False  # zip or tar, to a folder of its name; the archive is removed

    def __post_init__(self) -> None:
        pure = PurePosixPath(self.path)
        if pure.is_absolute() or ".." in pure.parts or "\\" in self.path:
            raise DataError(f"registry, {self.entry}: path '{self.path}' leaves its folder")
        if self.url and not re.match(r"https?://\S+$", self.url):
            raise DataError(f"registry, {self.entry}: url '{self.url}' is no http(s) address")
        if self.sha256 and not re.fullmatch(r"[0-9a-f]{8,64}", self.sha256):
            raise DataError(f"registry, {self.entry}: '{self.sha256}' is no sha256, nor begins one")
        if not (self.url or self.note or self.page):
            raise DataError(f"registry, {self.entry}: without url it needs a note or a page")

    @property
    def size(self) -> int | None:
        """Bytes, exact or as told."""
        return self.bytes or self.about

    def place(self, folder: Path) -> Path:
        """Where it ends: the file, or the folder it is unpacked to."""
        name = re.sub(r"\.(zip|tar(\.\w+)?|tgz)$", "", self.path) if self.unpack else self.path
        return Path(folder) / name

    def here(self, folder: Path) -> bool:
        """Whether it, or what serves as well, lies in the folder; contents are not read."""
        names = (self.place(folder), *((Path(folder) / self.instead,) if self.instead else ()))
        return any(path.exists() for path in names)


@cache
def _content(registry: Path) -> Mapping[str, Any]:
    return json.loads(registry.read_text())


def registered(registry: Path = REGISTRY) -> tuple[str, ...]:
    """Names of the studies in the registry."""
    return tuple(_content(registry))


def costs(study: str, registry: Path = REGISTRY) -> tuple[list[dict[str, Any]], list[str]]:
    """What is known of a study's disk (what, bytes) and GPU time (sentences)."""
    found = _of_study(study, registry)
    return found["disk"], found["gpu"]


def _of_study(study: str, registry: Path) -> Mapping[str, Any]:
    content = _content(registry)
    if study not in content:
        raise DataError(f"{registry.name} has no study '{study}': it has {', '.join(content)}")
    return content[study]


def remote_files(study: str, registry: Path = REGISTRY) -> tuple[RemoteFile, ...]:
    """The files of a study, in order. DataError for a field it does not know."""
    found = _of_study(study, registry)
    shared = {name: found[name] for name in SHARED if name in found}
    return tuple(file for entry in found["files"] for file in _unfolded(shared | entry))


def _unfolded(entry: dict[str, Any]) -> Iterator[RemoteFile]:
    """A file for each combination of the values of `each`, which path and url name in braces."""
    if unknown := set(entry) - KNOWN:
        raise DataError(f"registry, {entry.get('entry')}: unknown field {', '.join(unknown)}")
    each = {name: _values(values) for name, values in entry.pop("each", {}).items()}
    for combination in itertools.product(*each.values()):
        values = dict(zip(each, combination, strict=True)) | {"entry": entry["entry"]}
        path = entry["path"].format(**values)
        url = entry.get("url") and entry["url"].format(path=path, **values)
        yield RemoteFile(**entry | {"path": path, "url": url})


def _values(given: str | Sequence[str]) -> list[str]:
    """A list, or "01..40" for numbers of equal width."""
    if not isinstance(given, str):
        return list(given)
    first, last = given.split("..")
    return [f"{i:0{len(first)}}" for i in range(int(first), int(last) + 1)]


def require_raw(study: str, folder: Path, registry: Path = REGISTRY) -> None:
    """DataError that names the command and what to do by hand, if a folder has no recordings."""
    if any(Path(folder).glob("[!.]*")):
        return
    raise DataError(
        f"{folder} holds no recording: `python -m src.fetch {study}{_options(folder)}` fetches "
        "what has an address, and says how to get the rest"
    )


def _options(folder: Path) -> str:
    """Options of src.fetch that lead to data/raw/<study>/<run>, where defaults do not."""
    run, root = Path(folder).name, Path(folder).parents[2]
    profile = "" if run == "full" else f" --profile {run}"
    return profile + ("" if root == paths.DATA else f" --data-root {shlex.quote(str(root))}")
