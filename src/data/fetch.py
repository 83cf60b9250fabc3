"""Large files fetched one by one: continued where they broke off, checked, whole or not there."""

from __future__ import annotations

import hashlib
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError

from src.data.errors import DataError
from src.data.movie_mouse import SUFFIXES
from src.data.movie_tables import MICE

BLOCK = 2**20
TIMEOUT = 60  # seconds without an answer
# Sensorium 2023: terms CC BY-NC-ND 4.0; the host offers one zip a mouse, and no archive of all.
HOST = "https://gin.g-node.org/pollytur"
REPOSITORIES = {"public": "Sensorium2023Data", "scored": "sensorium_2023_dataset"}


def mouse_urls() -> dict[str, str]:
    """Address of the zip of each of the ten mice, by the name of the file."""
    found = {}
    for key, mouse in MICE.items():
        role = "public" if mouse.letter in "ABCDE" else "scored"
        ending = next(ending for ending, known in SUFFIXES.items() if known == role)
        name = f"dynamic{key}-Video-{ending}.zip"
        found[name] = f"{HOST}/{REPOSITORIES[role]}/raw/master/{name}"
    return found


def fetch(url: str, path: Path, sha256: str = "", n_bytes: int = 0) -> Path:
    """Fetch `url` to `path` unless it is there; what a broken run left in `.part` is continued.

    The size is checked against what the server says and, where given, against `n_bytes`; the
    content against `sha256`. DataError, in one line, where they differ or nothing answers; a file
    of wrong content is removed.
    """
    path = Path(path)
    if path.is_file():
        return path
    part = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        total = _receive(url, part)
    except (URLError, HTTPException, OSError) as error:
        there = part.stat().st_size if part.exists() else 0
        raise DataError(
            f"{url} broke off after {there} bytes ({error}): run it again to go on from there"
        ) from None
    wanted = n_bytes or total
    if wanted and (size := part.stat().st_size) != wanted:
        part.unlink() if size > wanted else None
        raise DataError(f"{url}: {size} bytes of {wanted} came: run it again to go on from there")
    if sha256 and (found := _sha256(part)) != sha256:
        part.unlink()
        raise DataError(f"{url}: sha256 is {found}, not {sha256}: the file is another one")
    part.replace(path)
    return path


def _receive(url: str, part: Path) -> int:
    """Append what is missing to `part`; returns the size the server promises, 0 if it does not."""
    start = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == 416:  # nothing is left to send
            return start
        raise
    with answer:
        continued = answer.status == 206
        length = int(answer.headers.get("Content-Length") or 0)
        with open(part, "ab" if continued else "wb") as stream:
            while block := answer.read(BLOCK):
                stream.write(block)
        return length + (start if continued else 0) if length else 0


def _sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
