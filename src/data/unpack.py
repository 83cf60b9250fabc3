"""Archives of others, unpacked so that nothing lands outside their folder and nothing half.

Names that leave the folder, links, devices, names that meet on one file, and more than the disk
holds: such an archive is refused whole, before anything of it is written.
"""

from __future__ import annotations

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath

import h5py

from src.data.errors import DataError

BLOCK = 2**20
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, zlib.error)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a zip or tar as `folder`, which appears whole or not at all; -> the folder.

    DataError, and nothing written, for an archive that is damaged or hostile, or a folder that
    exists already.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise DataError(f"{folder} exists: remove it to unpack {archive.name} anew")
    unfinished = folder.with_name(f".{folder.name}.unpacking")  # of a killed run, or ours
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with _opened(archive) as opened:
            members = list(_members(opened))
            _require_harmless(archive, members)
            _require_room(archive, folder, sum(size for _, _, size in members))
            unfinished.mkdir(parents=True)
            if isinstance(opened, tarfile.TarFile):
                opened.extractall(unfinished, filter="data")
            else:
                opened.extractall(unfinished)
        unfinished.replace(folder)
    except (*DAMAGED, RuntimeError) as error:  # RuntimeError: a zip that wants a password
        raise DataError(f"{archive} cannot be unpacked ({error}): get it again") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile | tarfile.TarFile]:
    zipped = zipfile.is_zipfile(archive)
    with zipfile.ZipFile(archive) if zipped else tarfile.open(archive) as opened:
        yield opened


def _members(opened: zipfile.ZipFile | tarfile.TarFile) -> Iterator[tuple[str, str, int]]:
    """Name, kind ("file", "folder", or what it is instead) and bytes of each member."""
    if isinstance(opened, tarfile.TarFile):
        for one in opened:
            kind = "file" if one.isreg() else "folder" if one.isdir() else "link or device"
            yield one.name, kind, one.size
        return
    for info in opened.infolist():
        mode = info.external_attr >> 16
        kind = "folder" if info.is_dir() else "file"
        plain = stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR)
        # as it is written in the archive: zipfile has turned what looks like another system's
        yield info.orig_filename, kind if plain else "link or device", info.file_size


def _require_harmless(archive: Path, members: list[tuple[str, str, int]]) -> None:
    """DataError for the first member that is not a plain file or folder inside."""
    seen: dict[str, str] = {}
    for name, kind, _ in members:
        windows = PureWindowsPath(name)  # whose rules contain the others
        outside = windows.drive or windows.root or ".." in windows.parts
        if outside or "\0" in name or not name:
            raise DataError(f"{archive} is hostile: '{name}' leads out of it; nothing was unpacked")
        if kind not in ("file", "folder"):
            raise DataError(f"{archive} is hostile: '{name}' is a {kind}; nothing was unpacked")
        key = str(windows).casefold()  # as on disks that ignore case
        if key in seen and (seen[key], kind) != ("folder", "folder"):
            raise DataError(f"{archive} is hostile: it has '{name}' twice; nothing was unpacked")
        seen[key] = kind


def _require_room(archive: Path, folder: Path, needed: int) -> None:
    parent = next(p for p in folder.absolute().parents if p.exists())
    if needed > (free := shutil.disk_usage(parent).free):
        raise DataError(
            f"{archive} unpacks to {needed / 1e9:.1f} GB, {parent} has {free / 1e9:.1f} GB free: "
            "make room, if you trust it"
        )


def require_intact(path: Path, name: str) -> None:
    """DataError if a file is not whole, or not what its name says: for one of unknown sha256.

    zip, gz and tar are read to their end, whose checksums tell; of HDF5 the beginning.
    """
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(path) as opened:
                if bad := opened.testzip():
                    raise zipfile.BadZipFile(f"'{bad}' is damaged")
        elif name.endswith((".gz", ".tgz")):
            with gzip.open(path) as stream:
                while stream.read(BLOCK):
                    pass
        elif ".tar" in name:
            with tarfile.open(path) as opened:
                opened.getmembers()
        elif name.endswith((".h5", ".hdf5")) and not h5py.is_hdf5(path):
            raise OSError("it is no HDF5 file")
    except DAMAGED as error:
        raise DataError(f"{name} is not what its name says ({error}): get it again") from None
