"""A packed session in the making: files filled block by block, marked, and finished last.

A killed build continues at its last whole block and ends in the same bytes.
"""

from __future__ import annotations

import json
import os
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from src import manifest
from src.data.errors import DataError
from src.data.rows import Rows
from src.data.sources import Source, current_stamp

SCHEMA = 1  # raise when the layout changes: older caches are then refused and packed again
REMEDY = "re-run 01_preprocess"


class Build(ABC):
    """A build in progress: the files of a packed session and how far they are filled."""

    def __init__(self, mouse: Source, folder: Path, **settings: Any) -> None:
        self.mouse, self.folder = mouse, folder
        fresh = {"stamp": mouse.stamp, "key": mouse.key, "schema": SCHEMA, **settings}
        self.state = self._continued(fresh) or {**fresh, "trials": 0}

    def settled(self, fresh: dict[str, Any]) -> tuple[str, ...]:
        """Names of what must be equal for a build to continue another."""
        return tuple(fresh)

    def _continued(self, fresh: dict[str, Any]) -> dict[str, Any] | None:
        """The state at the last completion mark, if it belongs to this very source."""
        mark = self.folder / "progress.json"
        state = json.loads(mark.read_text()) if mark.exists() else {}
        if state and all(state[name] == fresh[name] for name in self.settled(fresh)):
            return state
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return None

    def rows(self, name: str, row: tuple[int, ...], dtype: Any) -> Rows:
        """The npy file `name` of the session."""
        return Rows(self.folder / f"{name}.npy", row, dtype)

    @property
    @abstractmethod
    def block(self) -> int:
        """Trials between two completion marks."""

    @abstractmethod
    def add(self, trials: range) -> dict[str, Any]:
        """Write some trials; returns what the state then holds."""

    @abstractmethod
    def close(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Finish the files; returns the arrays of meta.npz and a part of the manifest."""

    def run(self) -> None:
        """Fill the files from where they are to the last trial."""
        n = self.mouse.n_trials
        for first in range(self.state["trials"], n, self.block):
            trials = range(first, min(first + self.block, n))
            self.state = {**self.state, **self.add(trials), "trials": trials.stop}
            write_whole(json.dumps(self.state), self.folder / "progress.json")

    def finish(self) -> None:
        """Headers, tables, statistics and, last, the manifest."""
        tables, own = self.close()
        np.savez(self.folder / "meta.npz", allow_pickle=False, **tables)
        if current_stamp(self.mouse.path) != self.mouse.stamp:
            raise DataError(f"{self.mouse.path} changed while it was packed: {REMEDY}")
        path = os.path.relpath(self.mouse.path, self.folder)
        source = json.dumps({"path": path, "stamp": self.mouse.stamp}, indent=2)
        write_whole(source + "\n", self.folder / "source.json")
        text = json.dumps(self._manifest(own), indent=2, allow_nan=False)
        (self.folder / "progress.json").unlink(missing_ok=True)
        write_whole(text + "\n", self.folder / "manifest.json")

    def _manifest(self, own: dict[str, Any]) -> dict[str, Any]:
        mouse, files = self.mouse, sorted(self.folder.glob("*.np[yz]"))
        blocks = {f.name: manifest.file_sha256(f) for f in files}
        return {
            "schema": SCHEMA,
            "key": mouse.key,
            "role": mouse.role,
            "trials": mouse.n_trials,
            "units": len(mouse.unit_ids),
            **own,
            "boxes_filled": mouse.boxes_filled,
            "response_dtype": mouse.response_dtype,
            "sha256": blocks,
            "fingerprint": manifest.fingerprint([SCHEMA, mouse.key, blocks]),
        }


def write_whole(text: str, path: Path) -> None:
    """Write a file that is there in full or not at all, and on disk."""
    temporary = path.with_name("unfinished")  # one name: the last write leaves none behind
    with open(temporary, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
