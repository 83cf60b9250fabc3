"""Of two processes that want one folder, the second waits or is told who has it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from src import locks
from src.paths import ROOT
from src.training.launch import PARENT
from src.training.parallel import sole
from tests.waiting import said_until_it_waits

HOLD = """
import sys, time
from pathlib import Path
from src.locks import lock
held = lock(Path(sys.argv[1]), "busy")
print("has it", flush=True)
time.sleep(60)
"""


def holder(file):
    """A process that holds a lock until it is killed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"has it\n"
    return process


def test_who_has_a_lock_is_said_and_a_kill_frees_it(tmp_path):
    with holder(tmp_path / ".lock") as first:
        try:
            says = rf"^busy \(process {first.pid} on .+\)$"
            with pytest.raises(locks.Busy, match=says):
                locks.lock(tmp_path / ".lock", "busy", wait=False)
        finally:
            first.kill()
    with locks.lock(tmp_path / ".lock", "busy", wait=False):
        pass


def test_the_second_waits_until_the_first_is_done(tmp_path, capsys):
    with ThreadPoolExecutor(1) as pool:
        with locks.alone(tmp_path / "made"):
            second = pool.submit(waited, tmp_path / "made")
            said = said_until_it_waits(second, capsys)
            assert said.startswith(f"{tmp_path}/made is in use by another process (process ")
            assert said.rstrip().endswith(": waiting for it") and not second.done()
            (tmp_path / "made").write_text("whole")
        assert second.result() == "whole"
    assert [p.name for p in tmp_path.iterdir()] == ["made"]


def waited(path):
    with locks.alone(path):
        return path.read_text()


def test_other_folders_need_not_wait(tmp_path, capsys):
    with locks.alone(tmp_path / "a"), locks.alone(tmp_path / "b"):
        assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("started", "keeps"),
    [
        ({}, True),
        ({"LOCAL_RANK": "0", "RANK": "0"}, True),  # by a torchrun of one's own
        ({"LOCAL_RANK": "1", "RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "RANK": "0", PARENT: "1"}, False),  # by a process that has the lock
    ],
)
def test_of_a_group_one_process_keeps_others_out(tmp_path, monkeypatch, started, keeps):
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    held = []
    monkeypatch.setattr(locks, "lock", lambda *given: held.append(given) or nullcontext())
    with sole(tmp_path):
        assert len(held) == keeps
