"""Downloads from a server of our own that truncates, corrupts, stalls, refuses, and has ranges."""

import hashlib
import http.server
import io
import json
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import namedtuple

import numpy as np
import pytest

from src.data import download
from src.data import fetch as module
from src.data.download import Unreachable
from src.data.errors import DataError
from src.data.fetch import alone, fetch, ledger, mirrored
from src.data.registry import REGISTRY, RemoteFile, remote_files, require_raw
from src.paths import ROOT
from src.studies import STUDIES
from src.studies.nsd_gnet import SIZES

CONTENT = np.random.default_rng(3).bytes(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = {"timeout": 0.3, "pause": 0.01, "tries": 3}


def zipped(content: bytes, name: str = "a/b.bin") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        opened.writestr(name, content)
    return stream.getvalue()


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` under any name; `script` says how it answers the next requests.

    A number: that status. ("cut", n): n bytes, then the connection ends. ("stall", n): n bytes,
    then nothing. "flip": one byte is another. Nothing left: as it should.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.script, self.asked, self.sent = CONTENT, [], [], 0
        self.ranges, self.tagged, self.lengths = True, True, True
        self.stalling, self.met, self.over = 0, 0, threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/some/file.bin"

    @property
    def tag(self):
        return f'"{hashlib.md5(self.content).hexdigest()}"'


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, range_ = self.server, self.headers.get("Range")
        server.asked.append((self.path, range_))
        server.met += bool(server.stalling)  # asked again while an answer stalls
        act = server.script.pop(0) if server.script else None
        if isinstance(act, int):
            self.send_response(act)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content, start = server.content, 0
        same = self.headers.get("If-Range") == server.tag or not server.tagged
        if range_ and server.ranges and same:
            start = int(re.fullmatch(r"bytes=(\d+)-", range_)[1])
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            end = f"{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", f"bytes {start}-{end}")
        if server.tagged:
            self.send_header("ETag", server.tag)
        if server.lengths:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = bytearray(content[start:])
        if act == "flip":
            body[len(body) // 2] ^= 1
        kind, n = act if isinstance(act, tuple) else ("", len(body))
        self.wfile.write(body[:n])
        self.wfile.flush()
        server.sent += min(n, len(body))
        if kind == "stall":
            server.stalling += 1
            server.over.wait(20)
            server.stalling -= 1
        self.close_connection = True


@pytest.fixture
def server():
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.over.set()
    made.shutdown()
    thread.join()
    made.server_close()


class Place:
    """A data folder, and one file that belongs into it."""

    def __init__(self, root, server):
        self.root, self.server, self.folder = root / "data", server, root / "data/raw/s/full"

    def file(self, path="sub/file.bin", **more):
        return RemoteFile("e", path, self.server.url, note="ask for it", **more)

    def fetch(self, path="sub/file.bin", **more):
        return fetch(self.file(path, **more), self.folder, self.root, **QUICK)

    @property
    def found(self):
        return {p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file()}


WHOLE = {"fetched.json", "raw/s/full/sub/file.bin"}
PARTIAL = "raw/s/full/sub/.file.bin.fetch/partial"


@pytest.fixture
def place(tmp_path, server):
    return Place(tmp_path, server)


def test_a_file_comes_whole_and_alone(place, capfd):
    path = place.fetch(sha256=SHA256, bytes=len(CONTENT))
    assert path.read_bytes() == CONTENT and place.found == WHOLE
    entry = ledger(place.root)["raw/s/full/sub/file.bin"]
    assert (entry["sha256"], entry["url"]) == (SHA256, place.server.url)
    assert place.fetch(sha256=SHA256) == path and len(place.server.asked) == 1
    assert capfd.readouterr() == ("", "")  # no bar, no words of pooch, in a log


@pytest.mark.parametrize("act", ["cut", "stall"])
def test_what_ends_early_is_continued(place, act):
    place.server.script = [(act, 300_000), (act, 200_000)]
    assert place.fetch(sha256=SHA256).read_bytes() == CONTENT
    first, *others = [range_ for _, range_ in place.server.asked]
    starts = [int(re.fullmatch(r"bytes=(\d+)-", r)[1]) for r in others]
    assert first is None and len(starts) == 2 and 200_000 < starts[0] < starts[1]
    assert place.server.met == (2 if act == "stall" else 0)
    assert place.server.sent < len(CONTENT) + 2 * 65_536  # what came is not sent again


def test_a_server_that_brings_nothing_is_given_up_and_continued_later(place):
    place.server.script = [("cut", 300_000), 503, 502, 503]
    with pytest.raises(Unreachable, match=r"3 tries in a row.*status 503.*bytes are kept"):
        place.fetch()
    assert len(place.server.asked) == 4 and PARTIAL in place.found
    assert place.fetch().read_bytes() == CONTENT and place.found == WHOLE
    assert place.server.asked[-1][1] is not None


def test_a_bar_shows_progress_where_somebody_watches(place, monkeypatch, capfd):
    monkeypatch.setattr(download, "watched", lambda: True)
    place.server.script = [("cut", 300_000)]
    place.fetch()
    told = capfd.readouterr().err
    assert "file.bin: " in told and "/700k" in told


def test_a_busy_server_is_asked_again(place):
    place.server.script = [503, 503]
    assert place.fetch().read_bytes() == CONTENT and len(place.server.asked) == 3


@pytest.mark.parametrize(
    ("status", "word"), [(404, "no such file"), (401, "account"), (403, "ref")]
)
def test_what_is_not_there_or_not_for_all_is_said_once(place, status, word):
    place.server.script = [status]
    with pytest.raises(Unreachable, match=rf"{word}.*status {status}.*By hand: .*ask for it; put"):
        place.fetch()
    assert len(place.server.asked) == 1


def test_a_corrupted_file_is_refused_and_removed(place):
    place.server.script = ["flip"]
    with pytest.raises(DataError, match="SHA256 hash of downloaded file"):
        place.fetch(sha256=SHA256)
    assert place.found == set()
    assert place.fetch(sha256=SHA256).read_bytes() == CONTENT


def test_the_beginning_of_a_hash_is_compared(place):
    with pytest.raises(DataError, match="the registry says 01234567"):
        place.fetch(sha256="01234567")
    assert place.found == set()
    assert place.fetch(sha256=SHA256[:8]).read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["x.zip", "x.h5", "x.nii.gz"])
def test_without_a_hash_a_file_has_to_be_whole_of_its_kind(place, name):
    place.server.content = b"<html>Please sign in</html>"
    with pytest.raises(DataError, match="is not what its name says"):
        place.fetch(name)
    place.server.content = zipped(CONTENT)
    place.server.script = ["flip"]
    with pytest.raises(DataError, match="is not what its name says"):
        place.fetch("x.zip")
    assert place.found == set()
    assert place.fetch("x.zip").read_bytes() == place.server.content


def test_a_file_of_another_size_is_another_version(place):
    with pytest.raises(Unreachable, match="has 700000 bytes, the registry says 700001"):
        place.fetch(bytes=700_001)
    assert place.found == set()


def test_a_file_that_changed_meanwhile_is_begun_anew(place):
    place.server.script = [("cut", 300_000), 404]
    with pytest.raises(Unreachable):
        place.fetch()
    place.server.content = CONTENT[::-1]
    assert place.fetch().read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("lacks", ["ranges", "tagged"])
def test_a_server_that_cannot_continue_sends_all_again(place, lacks):
    setattr(place.server, lacks, False)
    place.server.script = [("cut", 300_000)]
    assert place.fetch(sha256=SHA256).read_bytes() == CONTENT
    assert place.server.sent == 300_000 + len(CONTENT)


def test_an_end_that_only_the_registry_s_size_tells_is_found(place):
    place.server.lengths = place.server.ranges = False
    place.server.script = [("cut", 300_000)]
    assert place.fetch(bytes=len(CONTENT)).read_bytes() == CONTENT
    assert len(place.server.asked) == 2


def test_one_that_never_gets_further_is_given_up(place):
    place.server.ranges = False
    place.server.script = [("cut", 300_000)] * 9
    with pytest.raises(Unreachable, match="3 tries"):
        place.fetch()
    assert len(place.server.asked) == 4


CHILD = """
import sys
from pathlib import Path
from src.data.fetch import fetch
from src.data.registry import RemoteFile
root = Path(sys.argv[2])
fetch(RemoteFile("e", "sub/file.bin", sys.argv[1]), root / "raw/s/full", root)
"""


def test_a_killed_process_is_continued_to_the_same_bytes(place):
    place.server.script = [("stall", 400_000)]
    command = [sys.executable, "-c", CHILD, place.server.url, str(place.root)]
    child = subprocess.Popen(command, cwd=ROOT)
    partial = place.root / PARTIAL
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (partial.exists() and partial.stat().st_size):
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    kept = partial.stat().st_size
    assert 0 < kept <= 400_000 and not (place.folder / "sub/file.bin").exists()
    assert place.fetch(sha256=SHA256).read_bytes() == CONTENT and place.found == WHOLE
    assert place.server.asked[-1][1] == f"bytes={kept}-"


def test_one_killed_while_it_checked_fetches_nothing_again(place, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_require_checked", killed)
    with pytest.raises(KeyboardInterrupt):
        place.fetch()
    monkeypatch.undo()
    (place.root / PARTIAL).with_name("tmp123").write_bytes(b"of pooch")
    (place.root / PARTIAL).with_name("whole_file.bin").unlink()
    place.server.script = [404]
    with pytest.raises(Unreachable):
        place.fetch()
    assert place.found == {PARTIAL, f"{PARTIAL}.json"}
    assert place.fetch().read_bytes() == CONTENT and place.found == WHOLE
    assert place.server.sent == len(CONTENT)


def test_an_archive_becomes_a_folder(place):
    place.server.content = zipped(CONTENT)
    path = place.fetch("mouse.zip", unpack=True)
    assert path == place.folder / "mouse" and (path / "a/b.bin").read_bytes() == CONTENT
    assert place.found == {"fetched.json", "raw/s/full/mouse/a/b.bin"}
    assert place.fetch("mouse.zip", unpack=True) == path and len(place.server.asked) == 1


def test_a_hostile_archive_leaves_nothing(place):
    place.server.content = zipped(CONTENT, "../../evil")
    for _ in range(2):
        with pytest.raises(DataError, match="hostile"):
            place.fetch("mouse.zip", unpack=True)
        assert place.found == set()
    assert len(place.server.asked) == 2


def test_what_lies_there_is_compared_and_hashed_once(place, monkeypatch):
    path = place.folder / "sub/file.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match=r"is not the registry's.*remove it first"):
        place.fetch(sha256=SHA256)
    path.write_bytes(CONTENT)
    place.fetch(sha256=SHA256)
    monkeypatch.setattr(module, "_require_checked", None)
    assert place.fetch(sha256=SHA256) == path and not place.server.asked


def test_two_do_not_fetch_at_once(place):
    with (
        alone(place.root),
        pytest.raises(DataError, match="another process fetches"),
        alone(place.root),
    ):
        pass
    with alone(place.root):
        pass


def test_a_full_disk_is_told_before(place, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage(699_999))
    with pytest.raises(DataError, match=r"needs 0\.0 GB, .* has 0\.0 GB free: make room"):
        place.fetch()
    assert place.found == set()
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage(700_000))
    assert place.fetch().read_bytes() == CONTENT


def test_without_an_address_the_error_says_what_to_do(place):
    file = RemoteFile("e", "a.h5", page="https://page", note="agree first", instead="b.h5")
    with pytest.raises(DataError, match=r"page https://page; agree first; put it at .*/full/a\.h5"):
        fetch(file, place.folder, place.root)
    place.folder.mkdir(parents=True)
    (place.folder / "b.h5").touch()
    assert fetch(file, place.folder, place.root).name == "b.h5"


def test_a_mirror_has_the_same_paths(place):
    base = place.server.url.removesuffix("/some/file.bin")
    file = mirrored(RemoteFile("e", "sub/file.bin", note="x"), f"{base}/mirror/")
    assert fetch(file, place.folder, place.root).read_bytes() == CONTENT
    assert place.server.asked == [("/mirror/sub/file.bin", None)]


# The registry --------------------------------------------------------------------------------


def registry(tmp_path, **entry):
    path = tmp_path / "registry.json"
    study = {"disk": [], "gpu": [], "note": "ask", "files": [{"entry": "e", **entry}]}
    path.write_text(json.dumps({"s": study}))
    return path


def test_entries_unfold(tmp_path):
    each = {"k": ["x", "y"], "n": "08..10"}
    path = registry(tmp_path, path="{k}/{n}.zip", url="https://h/{path}?{n}", each=each)
    found = [(f.path, f.url, f.note) for f in remote_files("s", path)]
    names = [f"{k}/{n}" for k in "xy" for n in ("08", "09", "10")]
    assert found == [(f"{n}.zip", f"https://h/{n}.zip?{n[2:]}", "ask") for n in names]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"path": "../a"}, "leaves its folder"),
        ({"path": "/a"}, "leaves its folder"),
        ({"path": "a", "url": "ftp://h/a"}, "no http"),
        ({"path": "a", "sha256": "guess"}, "no sha256"),
        ({"path": "a", "note": ""}, "needs a note or a page"),
        ({"path": "a", "licence": "MIT"}, "unknown field licence"),
    ],
)
def test_mistakes_in_the_registry_are_told(tmp_path, wrong, said):
    with pytest.raises(DataError, match=said):
        remote_files("s", registry(tmp_path, **wrong))


def test_the_registry_says_what_the_specifications_say():
    studies = [name for name, study in STUDIES.items() if "full" in study.profiles]
    every = {name: remote_files(name) for name in {*json.loads(REGISTRY.read_text()), *studies}}
    for name, files in every.items():
        assert len({f.path for f in files}) == len(files) and all(f.citation for f in files), name
        assert all(f.license for f in files), name
    mice = [f.path for f in every["sensorium2022"] if f.entry == "mice"]
    assert sorted(re.match(r"static([\d-]+)-Gray", m)[1] for m in mice) == sorted(
        STUDIES["sensorium2022"].sessions
    )
    scans = [f for f in every["nsd_gnet"] if "/betas_session" in f.path]
    counts = {s: sum(f.entry == s for f in scans) for s in SIZES}
    assert counts == {subject: sizes[-1] for subject, sizes in SIZES.items()}
    assert round(sum(f.about for f in scans) / 1e9) == 289  # as the specification sums up
    urls = [f.url for f in every["sensorium2023"]]
    assert len(urls) == 10 and all(
        re.fullmatch(
            r"https://gin\.g-node\.org/pollytur/\w+/raw/master/dynamic[\d-]+-Video-\w{32}\.zip", u
        )
        for u in urls
    )


def test_missing_recordings_point_to_the_command(tmp_path):
    raw = tmp_path / "data root/raw/nsd_gnet/full"
    with pytest.raises(DataError, match=r"`python -m src\.fetch nsd_gnet --data-root '.*root'`"):
        require_raw("nsd_gnet", raw)
    raw.mkdir(parents=True)
    (raw / ".hidden").touch()
    with pytest.raises(DataError, match="holds no recording"):
        require_raw("nsd_gnet", raw)
    (raw / "nsddata").mkdir()
    require_raw("nsd_gnet", raw)
    with pytest.raises(DataError, match=r"src\.fetch macaque_it --profile extended`"):
        require_raw("macaque_it", ROOT / "data/raw/macaque_it/extended")
