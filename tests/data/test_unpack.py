"""Archives of others, honest, damaged and hostile."""

import io
import stat
import tarfile
import zipfile
from collections import namedtuple

import pytest

from src.data import unpack as module
from src.data.errors import DataError
from src.data.unpack import require_intact, unpack

HONEST = {"a.txt": b"one", "sub/b.txt": b"two" * 1000}


def make_zip(path, members, **info):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            member = zipfile.ZipInfo(name)
            member.orig_filename = member.filename = name  # as given, without tidying
            for key, value in info.items():
                setattr(member, key, value)
            opened.writestr(member, content)
    return path


def make_tar(path, members, **info):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as opened:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in info.items():
                setattr(member, key, value)
            opened.addfile(member, io.BytesIO(content))
    return path


MAKERS = {"x.zip": make_zip, "x.tar": make_tar, "x.tar.gz": make_tar}


def everything(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*")}


@pytest.mark.parametrize("name", MAKERS)
def test_an_honest_archive_is_unpacked_whole(tmp_path, name):
    archive = MAKERS[name](tmp_path / name, HONEST.items())
    folder = unpack(archive, tmp_path / "here" / "x")
    assert {n: (folder / n).read_bytes() for n in HONEST} == HONEST
    assert everything(tmp_path) == {name, "here", "here/x", *(f"here/x/{n}" for n in HONEST)} | {
        "here/x/sub"
    }
    with pytest.raises(DataError, match="x exists: remove it"):
        unpack(archive, folder)


OUTSIDE = ["../evil.txt", "sub/../../evil.txt", "/evil.txt", "..\\evil.txt", "C:\\evil.txt"]


@pytest.mark.parametrize("member", OUTSIDE)
@pytest.mark.parametrize("name", MAKERS)
def test_nothing_lands_outside(tmp_path, name, member):
    archive = MAKERS[name](tmp_path / name, [("good.txt", b"x"), (member, b"evil")])
    with pytest.raises(DataError, match=r"hostile.*leads out of it"):
        unpack(archive, tmp_path / "deep/x")
    assert everything(tmp_path) <= {name, "deep"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../..", "good.txt"])
def test_links_and_devices_of_a_tar_are_refused(tmp_path, kind, target):
    archive = make_tar(tmp_path / "x.tar", [("link", b"")], type=kind, linkname=target)
    with pytest.raises(DataError, match="'link' is a link or device"):
        unpack(archive, tmp_path / "x")
    assert everything(tmp_path) == {"x.tar"}


def test_links_of_a_zip_are_refused(tmp_path):
    link = {"external_attr": (stat.S_IFLNK | 0o777) << 16}
    archive = make_zip(tmp_path / "x.zip", [("link", b"/etc")], **link)
    with pytest.raises(DataError, match="'link' is a link or device"):
        unpack(archive, tmp_path / "x")


@pytest.mark.parametrize("names", [("a", "a"), ("a", "A"), ("a", "./a")])
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(tmp_path, name, names):
    archive = MAKERS[name](tmp_path / name, [(n, b"x") for n in names])
    with pytest.raises(DataError, match="twice"):
        unpack(archive, tmp_path / "x")


@pytest.mark.parametrize("name", MAKERS)
def test_a_file_that_is_a_folder_too_leaves_nothing(tmp_path, name):
    archive = MAKERS[name](tmp_path / name, [("a", b"x"), ("a/b", b"y")])
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "x")
    assert everything(tmp_path) == {name}


@pytest.mark.parametrize("name", MAKERS)
def test_a_damaged_archive_leaves_nothing(tmp_path, name):
    archive = MAKERS[name](tmp_path / name, HONEST.items())
    content = archive.read_bytes()
    cut = {"x.tar": 1600}.get(name, len(content) // 2)
    archive.write_bytes(content[:cut])
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "x")
    assert everything(tmp_path) == {name}


def test_an_archive_with_a_password_is_told(tmp_path):
    archive = make_zip(tmp_path / "x.zip", HONEST.items())
    content = bytearray(archive.read_bytes())
    for start, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(start) + flags] |= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be unpacked .*password"):
        unpack(archive, tmp_path / "x")
    assert everything(tmp_path) == {"x.zip"}


def test_more_than_the_disk_holds_is_refused_before(tmp_path, monkeypatch):
    archive = make_zip(
        tmp_path / "x.zip", [("zeros", bytes(10**6))], compress_type=zipfile.ZIP_DEFLATED
    )
    assert archive.stat().st_size < 10**4
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage(10**5))
    with pytest.raises(DataError, match="make room, if you trust it"):
        unpack(archive, tmp_path / "x")
    assert everything(tmp_path) == {"x.zip"}


def test_leftovers_of_a_killed_run_do_not_count(tmp_path):
    archive = make_zip(tmp_path / "x.zip", HONEST.items())
    (tmp_path / ".x.unpacking").mkdir()
    (tmp_path / ".x.unpacking/old").write_text("old")
    assert not (unpack(archive, tmp_path / "x") / "old").exists()
    assert everything(tmp_path) >= {"x", "x/a.txt"} and not (tmp_path / ".x.unpacking").exists()


@pytest.mark.parametrize("name", MAKERS)
def test_whole_files_are_told_from_damaged_ones(tmp_path, name):
    archive = MAKERS[name](tmp_path / name, HONEST.items())
    require_intact(archive, name)
    content = bytearray(archive.read_bytes())
    if name == "x.tar":  # which has checksums of its headers only
        content = content[:1600]
    else:
        content[len(content) // 3] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match=f"{name} is not what its name says"):
        require_intact(archive, name)


@pytest.mark.parametrize("name", ["IT_data.h5", "betas.hdf5", "x.zip", "ncsnr.nii.gz", "x.tar"])
def test_a_page_instead_of_a_file_is_found(tmp_path, name):
    (tmp_path / name).write_text("<html>Please sign in</html>" * 100)
    with pytest.raises(DataError, match="is not what its name says"):
        require_intact(tmp_path / name, name)
