"""Files fetched from a server of our own: whole, continued, refused, checked."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from src.data.errors import DataError
from src.data.fetch import fetch, mouse_urls

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; breaks off after `stop` bytes, and knows ranges unless `plain`."""

    stop, plain, asked = None, False, []

    def do_GET(self):
        """Send the range that is asked for."""
        given = self.headers.get("Range")
        start = int(given[6:-1]) if given and not self.plain else 0
        type(self).asked.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : self.stop])

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server():
    """Address of a server, and its handler to be changed."""
    handler = type("Own", (Handler,), {"asked": []})
    made = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}/mouse.zip", handler
    made.shutdown()
    made.server_close()
    thread.join()


def test_a_file_comes_once(server, tmp_path):
    url, handler = server
    path = fetch(url, tmp_path / "deep/mouse.zip", SHA256, len(CONTENT))
    assert path.read_bytes() == CONTENT and [f.name for f in path.parent.iterdir()] == ["mouse.zip"]
    fetch(url, path)
    assert handler.asked == [0]


@pytest.mark.parametrize("plain", [False, True])
def test_a_broken_file_is_continued_or_begun_anew(server, tmp_path, plain):
    url, handler = server
    handler.stop, handler.plain = 100_000, plain
    with pytest.raises(DataError, match=r"broke off|100000 bytes of 300000 came"):
        fetch(url, tmp_path / "mouse.zip")
    assert not (tmp_path / "mouse.zip").exists()
    handler.stop = None
    assert fetch(url, tmp_path / "mouse.zip", SHA256).read_bytes() == CONTENT
    assert handler.asked == [0, 0 if plain else 100_000]


def test_another_content_or_size_is_refused(server, tmp_path):
    url, _ = server
    with pytest.raises(DataError, match=f"sha256 is {SHA256}, not 00"):
        fetch(url, tmp_path / "mouse.zip", "00")
    with pytest.raises(DataError, match="300000 bytes of 7 came"):
        fetch(url, tmp_path / "mouse.zip", n_bytes=7)
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="run it again"):
        fetch(url.replace("http://127.0.0.1", "http://127.0.0.1:1/x"), tmp_path / "mouse.zip")


def test_each_of_the_ten_mice_has_an_address():
    urls = mouse_urls()
    assert len(urls) == 10
    name = "dynamic29515-10-12-Video-9b4f6a1a067fe51e15306b9628efea20.zip"
    assert urls[name].endswith(f"/sensorium_2023_dataset/raw/master/{name}")
