"""Files are written whole, and what a killed process left of them goes."""

import os
import subprocess
import sys

from src import manifest


def test_leftovers_of_the_killed_go_and_those_of_the_living_stay(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    leftovers = {pid: tmp_path / f".a.json.{pid}.tmp" for pid in (dead.pid, os.getppid())}
    for path in leftovers.values():
        path.write_text("half")
    manifest.save_json({"a": 1}, tmp_path / "a.json")
    assert not leftovers[dead.pid].exists() and leftovers[os.getppid()].exists()
    assert (tmp_path / "a.json").read_text() == '{\n  "a": 1\n}\n'
