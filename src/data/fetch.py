"""Files of the registry onto the disk: one at a time, continued, checked, never half there.

pooch retrieves each into a hidden folder beside its place, `src.data.download` for it; what is
whole is moved. A ledger in the data folder says what was fetched, from where, with which sha256.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pooch

from src import locks
from src.data.download import Resuming, Unreachable
from src.data.errors import DataError
from src.data.registry import RemoteFile
from src.data.unpack import require_intact, unpack
from src.manifest import file_sha256, save_json

LEDGER = "fetched.json"


@contextmanager
def alone(data_root: Path) -> Iterator[None]:
    """Nobody else fetches to these folders; DataError if somebody does."""
    busy = f"{data_root}: another process fetches to it"
    try:
        held = locks.lock(data_root / ".fetch.lock", busy, wait=False)
    except locks.Busy as error:
        raise DataError(f"{error}: let it finish") from None
    with held:
        yield


def ledger(data_root: Path) -> dict[str, dict[str, Any]]:
    """What was fetched so far, by path below the data folder."""
    path = data_root / LEDGER
    return json.loads(path.read_text()) if path.exists() else {}


def fetch(file: RemoteFile, folder: Path, data_root: Path, **how: float) -> Path:
    """The place of a file in `folder`, fetched if need be; `how` as in `Resuming`.

    What is there is compared with size and sha256 where they are known. DataError if it cannot be
    had without the user (`by_hand` says what to do), is another file, or there is no room.
    """
    place, instead = file.place(folder), folder / file.instead
    if file.instead and not place.exists() and instead.exists():
        return instead
    if place.exists():
        _require_same(file, place, data_root)
        return place
    if not file.url:
        raise DataError(by_hand(file, folder))
    try:
        archive = _retrieve(file, folder, **how)
    except Unreachable as error:
        raise Unreachable(f"{error}. By hand: {by_hand(file, folder)}") from None
    entry = {"url": file.url, "sha256": file_sha256(archive), "bytes": archive.stat().st_size}
    try:
        if file.unpack:
            unpack(archive, place)
        else:
            archive.replace(place)
    finally:
        shutil.rmtree(archive.parent)
    _note(place, data_root, entry)
    return place


def by_hand(file: RemoteFile, folder: Path) -> str:
    """What a user has to do for a file without an address, in one line."""
    note = f"{file.note}; " if file.note else ""
    page = f"page {file.page}; " if file.page else ""
    other = f" (or {file.instead} beside it)" if file.instead else ""
    return f"{file.path}: {page}{note}put it at {file.place(folder)}{other}"


def mirrored(file: RemoteFile, base: str) -> RemoteFile:
    """The same file from another address, whose folders below `base` are those of the registry."""
    return replace(file, url=f"{base.rstrip('/')}/{file.path}")


def _retrieve(file: RemoteFile, folder: Path, **how: float) -> Path:
    """Download to a hidden folder beside the file's place, and check; -> the whole file."""
    target = folder / file.path
    hidden = target.with_name(f".{target.name}.fetch")
    hidden.mkdir(parents=True, exist_ok=True)
    partial = hidden / "partial"
    for leftover in hidden.glob("tmp*"):
        leftover.unlink()  # pooch's, of a process killed while it checked
    downloader = Resuming(partial, file.bytes, **how)
    sha256 = file.sha256 if len(file.sha256 or "") == 64 else None
    pooch.get_logger().setLevel("WARNING")  # it says how to pin a hash, which is not ours to do
    try:
        name = f"whole_{target.name}"
        pooch.retrieve(file.url, sha256, name, hidden, downloader=downloader)
        _require_checked(file, hidden / name)
    except Unreachable:
        raise
    except ValueError as error:
        shutil.rmtree(hidden)
        raise DataError(f"{file.path} from {file.url}: {error}; it was removed") from None
    return hidden / name


def _require_checked(file: RemoteFile, found: Path) -> None:
    """What pooch does not look at: the size, the beginning of a hash; or whether it is whole."""
    if file.bytes and (size := found.stat().st_size) != file.bytes:
        raise DataError(f"it has {size} bytes, the registry says {file.bytes}")
    if not file.sha256:
        require_intact(found, file.path)
    elif not (sha256 := file_sha256(found)).startswith(file.sha256):
        raise DataError(f"it has sha256 {sha256[:16]}, the registry says {file.sha256[:16]}")


def _require_same(file: RemoteFile, place: Path, data_root: Path) -> None:
    """DataError if a file that is there is another than the registry's.

    Hashed once: the ledger keeps that with the file's date.
    """
    if not place.is_file() or not (file.bytes or file.sha256):
        return
    stat = place.stat()
    known = ledger(data_root).get(_name(place, data_root), {})
    if (known.get("mtime_ns"), known.get("bytes")) == (stat.st_mtime_ns, stat.st_size) and (
        known["sha256"].startswith(file.sha256 or "")
    ):
        return
    try:
        _require_checked(file, place)
    except DataError as error:
        raise DataError(f"{place} is not the registry's: {error}: remove it first") from None
    _note(place, data_root, {"url": None, "sha256": file_sha256(place), "bytes": stat.st_size})


def _note(place: Path, data_root: Path, entry: dict[str, Any]) -> None:
    entry |= {"mtime_ns": place.stat().st_mtime_ns}
    save_json(ledger(data_root) | {_name(place, data_root): entry}, data_root / LEDGER)


def _name(place: Path, data_root: Path) -> str:
    return str(place.relative_to(data_root) if place.is_relative_to(data_root) else place)
