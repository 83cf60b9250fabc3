"""A run that is asked to end does so at once and leaves nobody behind.

That it continues from there is that of tests/test_crash.py.
"""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.test_graph import House

HANG = "import os, time; from pathlib import Path; Path({began!r}).touch(); time.sleep(100)"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house whose first notebook never ends."""
    house = House(tmp_path_factory.mktemp("ending") / "copy")
    hang = HANG.format(began=str(house.folder / "began"))
    house.edit(
        "notebooks/sensorium2022/01_preprocess.py", "import pandas", f"{hang}; import pandas"
    )
    return house


def processes(house: House) -> dict[int, str]:
    """Command lines of what works for a house, by process number."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOUSE") == str(house.folder):
                found[process.pid] = " ".join(process.cmdline())
        except psutil.Error:  # it has ended
            pass
    return found


@pytest.fixture
def begun(house):
    """A run, with a process group of its own, whose notebook hangs."""
    (house.folder / "began").unlink(missing_ok=True)
    command = ["bash", str(house.folder / "run_all.sh"), "--profile", "smoke", "--jobs", "2"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    marked = {"env": os.environ | {"HOUSE": str(house.folder)}, "start_new_session": True}
    with subprocess.Popen([*command, "--study", "sensorium2022"], **pipe, **marked) as run:
        while not (house.folder / "began").exists():
            assert run.poll() is None, run.communicate()
            time.sleep(0.05)
        yield run
        for pid in processes(house):
            os.kill(pid, signal.SIGKILL)


def left(house: House, seconds: float = 15) -> dict[int, str]:
    """Who still works for a house after so long."""
    last = time.monotonic() + seconds
    while (found := processes(house)) and time.monotonic() < last:
        time.sleep(0.1)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_the_end_of_run_all_is_the_end_of_everything(house, begun):
    """Told to end, bash does, and tells nobody."""
    begun.terminate()
    assert not left(house)
    out, _ = begun.communicate()
    assert "01_preprocess: failed, interrupted" in out and "Traceback" not in out


def test_two_interrupts_are_as_good_as_one(house, begun):
    """As a terminal does it, to all of its group."""
    for _ in range(2):
        os.killpg(begun.pid, signal.SIGINT)
        time.sleep(0.3)
    assert not left(house)
    out, _ = begun.communicate()
    assert begun.returncode == 128 + signal.SIGINT and "Traceback" not in out
    assert out.rstrip().endswith("Stopped. The same command continues from here.")
