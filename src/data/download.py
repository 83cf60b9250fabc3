"""One file over HTTP, continued where it stopped: what pooch is given as its downloader.

pooch checks and places files but begins each anew. Here the bytes so far lie beside, with what the
server said of the file; a later try asks for the rest, on condition that the file is still the same
(RFC 9110, 13.1.5 and 14.2), and takes a whole answer for what it is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from tqdm.auto import tqdm

from src.data.errors import DataError
from src.data.progress import watched

PASSING = (408, 425, 429, 500, 502, 503, 504)  # worth another try
REASONS = {401: "it wants an account (in ~/.netrc)", 403: "access is refused", 404: "no such file"}
BLOCK = 2**16  # bytes; what came of an unfinished one is lost
LONGEST = 60.0  # seconds between two tries


class Unreachable(DataError):
    """A file that could not be had, or not all of it; what came so far is kept."""


class Interrupted(Exception):
    """A try that failed in a way that another may not."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after  # seconds the server asks to wait


@dataclass(frozen=True)
class Resuming:
    """Downloads to `partial`, over as many tries as it takes, then links it to where pooch says.

    A try that brings something does not count, so that only `tries` in a row without a byte end in
    DataError. `size`, where known, has to be what the server says.
    """

    partial: Path
    size: int | None = None
    timeout: float = 30.0  # seconds without a byte
    tries: int = 5
    pause: float = 1.0  # before the second try, doubled before each further one

    @property
    def said(self) -> Path:
        """What the server said of the file the partial one is the beginning of."""
        return self.partial.with_name(f"{self.partial.name}.json")

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """The interface of a downloader of pooch, which passes None where it has no registry."""
        failed, most = 0, self._length()
        with requests.Session() as session:
            while True:
                try:
                    self._try(session, url)
                    break
                except (Interrupted, requests.RequestException) as error:
                    failed = failed + 1 if self._length() <= most else 0
                    most = max(most, self._length())
                    if failed >= self.tries:
                        raise Unreachable(self._given_up(url, error)) from None
                    wait = max(self.pause * 2 ** max(failed - 1, 0), getattr(error, "after", 0.0))
                    time.sleep(min(wait, LONGEST))
        Path(output_file).unlink(missing_ok=True)
        try:  # it stays, so that a process killed while it is checked need not fetch it again
            os.link(self.partial, output_file)
        except OSError:  # disks without links
            self.partial.replace(output_file)

    def _length(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _given_up(self, url: str, error: Exception) -> str:
        kept = f"; {self._length()} bytes are kept" if self._length() else ""
        return (
            f"{url}: {self.tries} tries in a row brought nothing ({error}){kept}: run the same "
            "command again later"
        )

    def _try(self, session: requests.Session, url: str) -> None:
        start, headers = self._length(), {"Accept-Encoding": "identity"}  # as stored
        known = self._known(url) if start else {}
        if start and not known.get("tag"):  # whether it is the same file, nobody could tell
            start = 0
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": known["tag"]}
        answer = session.get(url, headers=headers, stream=True, timeout=self.timeout)
        with answer:
            if answer.status_code == 416 and start and start == known["total"]:
                return  # it was whole before
            self._require_usable(answer, url)
            total, start = self._extent(answer, known, start)
            total = self.size if total is None else total
            if self.size and total != self.size:
                raise Unreachable(
                    f"{url} has {total} bytes, the registry says {self.size}: it is another "
                    "version, correct data/registry.json if that is meant"
                )
            self._require_room(url, (total or 0) - start)
            if not start:
                self.partial.unlink(missing_ok=True)
            said = {"url": url, "tag": _tag(answer), "total": total}
            self.said.write_text(json.dumps(said))
            name = url.rsplit("/", 1)[-1]
            with open(self.partial, "ab") as stream, _bar(name, total, start) as bar:
                for block in answer.iter_content(BLOCK):
                    stream.write(block)
                    bar.update(len(block))
        if total is not None and self._length() != total:
            raise Interrupted(f"it ended after {self._length()} of {total} bytes")

    def _require_room(self, url: str, needed: int) -> None:
        if needed > (free := shutil.disk_usage(self.partial.parent).free):
            raise Unreachable(
                f"{url} needs {needed / 1e9:.1f} GB, {self.partial.parent} has {free / 1e9:.1f} GB "
                "free: make room, or give another --data-root"
            )

    def _known(self, url: str) -> dict[str, Any]:
        """What was said of the file when the partial one was begun; nothing of another address."""
        if not self.said.exists():
            return {}
        try:
            found = json.loads(self.said.read_text())
        except json.JSONDecodeError:  # of a process killed while it wrote
            return {}
        return found if found["url"] == url else {}

    def _require_usable(self, answer: requests.Response, url: str) -> None:
        status = answer.status_code
        if status in (200, 206):
            return
        if status == 416:  # the file became shorter
            self.partial.unlink(missing_ok=True)
            raise Interrupted("it is another file than before")
        if status in PASSING:
            after = answer.headers.get("Retry-After", "0")
            raise Interrupted(f"status {status}", float(after) if after.isdigit() else 0.0)
        raise Unreachable(f"{url}: {REASONS.get(status, 'no download')} (status {status})")

    def _extent(
        self, answer: requests.Response, known: dict[str, Any], start: int
    ) -> tuple[int | None, int]:
        """Bytes of the whole file, and where this answer begins in it."""
        if answer.status_code == 200:  # all of it, whatever was asked for
            length = answer.headers.get("Content-Length")
            return (int(length) if length else None), 0
        told = re.match(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
        same = _tag(answer) in ("", known.get("tag"))
        if not told or not same or (int(told[1]), int(told[2])) != (start, known.get("total")):
            self.partial.unlink(missing_ok=True)
            raise Interrupted("it answers with a part of another file")
        return int(told[2]), start


def _tag(answer: requests.Response) -> str:
    """What the server calls this very version of the file; a weak ETag does not promise bytes."""
    tag = answer.headers.get("ETag", "")
    return answer.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag


@contextmanager
def _bar(name: str, total: int | None, start: int) -> Iterator[tqdm]:
    """Progress where somebody watches; nothing in a log."""
    how = {"unit": "B", "unit_scale": True, "leave": False, "disable": not watched()}
    with tqdm(desc=name, total=total, initial=start, **how) as bar:
        yield bar
