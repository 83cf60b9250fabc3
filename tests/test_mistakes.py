"""The ten most likely mistakes: one message that says what, where and what helps; nothing is left.

Wrong Python, full disk, no GPU, missing data, wrong folder, typing error, old checkpoint,
interrupted run, read-only folder, two runs at once.
"""

import os
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from src import locks, manifest
from src.data.errors import DataError
from src.data.registry import require_raw
from src.paths import ROOT
from src.simulate.config import PRESETS
from src.simulate.mice import simulate_mice
from src.start import chosen_studies, lock_files
from src.studies import STUDIES
from src.training import checkpoint
from src.training.device import pick_device
from tests.disks import disk

BIG = np.random.default_rng(0).normal(size=100_000)


# 1 Wrong Python (and tests/test_environment.py, of setup.sh) --------------------------------------


def test_an_old_python_is_told_which_one_to_use(monkeypatch):
    version = namedtuple("version_info", "major minor micro")
    monkeypatch.setattr(sys, "version_info", version(3, 9, 1))
    monkeypatch.setattr(sys, "version", "3.9.1 (main)")
    text = (ROOT / "src/__init__.py").read_text()
    with pytest.raises(ImportError, match=r"3\.11 or newer, this is 3\.9\.1: use \.venv/bin"):
        exec(compile(text, "src/__init__.py", "exec"), {})


# 2 No disk ----------------------------------------------------------------------------------------


def write_hdf5(path):
    with manifest.replacing(path) as temporary, h5py.File(temporary, "w"):
        raise OSError("Write failed (errno = 28, error message = 'No space left on device')")


def draw(path):
    figure, axis = plt.subplots()
    axis.imshow(BIG.reshape(250, 400), interpolation="none")
    manifest.save_figure(figure, path)


WRITERS = {
    "table.csv": lambda path: manifest.save_table(pd.DataFrame({"x": BIG}), path),
    "record.json": lambda path: manifest.save_json(BIG.tolist(), path),
    "prediction.npz": lambda path: manifest.save_arrays(path, x=BIG),
    "weights.pt": lambda path: checkpoint.write(path, {"x": torch.tensor(BIG)}),
    "figure.png": draw,
    "assembly.h5": write_hdf5,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_named_and_nothing_is_half_there(name, tmp_path):
    with disk(tmp_path / "small", "size=40k") as small:
        says = rf"small/{Path(name).stem}\.\w+ was not written: No space left.*: free some space"
        with pytest.raises(manifest.WriteError, match=says):
            WRITERS[name](small / name)
        assert not [p.name for p in small.iterdir()]


def test_a_simulation_on_a_full_disk_goes_on_elsewhere_from_nothing(tmp_path):
    with disk(tmp_path / "small", "size=200k") as small:
        with pytest.raises(manifest.WriteError, match=r"small/raw.* No space left.*: free some"):
            simulate_mice(small / "raw", tmp_path / "truth", PRESETS["tiny"], 1)
        assert [p.name for p in (small / "raw").iterdir()] == ["simulation.json"]


# 3 No GPU -----------------------------------------------------------------------------------------


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="'cuda' is not available here: use device='auto' or"):
        pick_device("cuda")
    with pytest.raises(ValueError, match="device 'gpu' is not one of auto, cpu, cuda, mps"):
        pick_device("gpu")


# 4 Missing data -----------------------------------------------------------------------------------


def test_recordings_that_are_not_there_can_be_fetched(tmp_path):
    with pytest.raises(DataError, match=r"holds no recording: `python -m src\.fetch sensorium2022"):
        require_raw("sensorium2022", tmp_path / "raw/sensorium2022/full")


def test_a_recording_that_was_never_imported_is_no_reason_to_run_all_studies(tmp_path):
    with pytest.raises(DataError, match=r"no recording 'mine' was imported under .*00_import_rec"):
        chosen_studies("recording", "mine", "", str(tmp_path))
    (tmp_path / "raw/sensorium2023/mines").mkdir(parents=True)
    with pytest.raises(DataError, match=r"which has mines \(did you mean 'mines'\?\): import it"):
        chosen_studies("recording", "mine", "sensorium2023", str(tmp_path))
    assert chosen_studies("recording", "mines", "", str(tmp_path)) == ["sensorium2023"]


# 5 Wrong folder -----------------------------------------------------------------------------------


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "data").write_text("not a folder\n")
    says = r"data/runs.* was not written: Not a directory.*: a file is where a folder should be"
    with pytest.raises(manifest.WriteError, match=says):
        locks.lock(next(lock_files(["cornet"], "demo", str(tmp_path / "data"), "")), "")


def test_a_notebook_is_looked_for_where_one_stands(tmp_path):
    command = [sys.executable, "-m", "src.run", "notebooks/cornet/01_preproces.py"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = [
        subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
        for cwd in (tmp_path, ROOT)
    ]
    assert [d.returncode for d in done] == [2, 2]
    assert f"no notebook {tmp_path}/notebooks/cornet/01_preproces.py: they" in done[0].stderr
    assert "(did you mean '01_preprocess.py'?)" in done[1].stderr


# 6 Typing errors (and tests/test_parameters.py, of names of parameters) ---------------------------


def test_names_that_are_much_like_others():
    with pytest.raises(DataError, match=r"no study 'cornett' \(did you mean 'cornet'\?\): use "):
        chosen_studies("demo", "", "cornett")
    with pytest.raises(DataError, match=r"cornet has no profile 'dmo' \(did you mean 'demo'\?\)"):
        chosen_studies("dmo", "", "cornet")
    profile = STUDIES["sensorium2022"].profile("demo")
    with pytest.raises(KeyError, match=r"^profile 'demo' trains no model 'wid' \(did you mean"):
        profile.plan("wid")


# 7 Old checkpoint: tests/training/test_checkpoint.py, and tests/test_untrusted.py -----------------
# 8 Interrupted run (and tests/test_crash.py) ------------------------------------------------------


def test_what_a_killed_process_left_goes_and_a_running_one_keeps_its_own(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    for process in (dead.pid, os.getpid()):
        (tmp_path / f".a.csv.{process}.tmp").write_text("half")
        (tmp_path / f".mouse.{process}.tmp/data").mkdir(parents=True)
    manifest.clear_leftovers(tmp_path)
    mine = {f".a.csv.{os.getpid()}.tmp", f".mouse.{os.getpid()}.tmp"}
    assert {p.name for p in tmp_path.iterdir()} == mine


# 9 Read-only folder -------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written(tmp_path):
    with disk(tmp_path / "fixed", "ro") as fixed:
        says = r"fixed/table\.csv was not written: Read-only.*: choose a data_root and an output"
        with pytest.raises(manifest.WriteError, match=says):
            manifest.save_table(pd.DataFrame({"x": [1]}), fixed / "table.csv")
        with pytest.raises(manifest.WriteError, match=r"Read-only.*: choose a data_root and an"):
            locks.lock(next(lock_files(["cornet"], "demo", str(fixed), "")), "")


# 10 Two runs at once (and tests/test_run.py, of one notebook) -------------------------------------


def start(folder: Path, figures: str, *command: str, study: str = "cornet") -> subprocess.Popen:
    """What run_all.sh starts, with another command than Snakemake."""
    places = ["--data-root", str(folder / "data"), "--output-root", str(folder / figures)]
    whole = [sys.executable, "-m", "src.start", "--profile", "smoke", "--study", study, *places]
    environment = {k: v for k, v in os.environ.items() if k != "STRIATE_WARM"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*whole, "--", *command], cwd=ROOT, env=environment, **pipes)


def test_a_second_run_waits_for_the_first_even_if_that_is_killed(tmp_path):
    first = start(tmp_path, "one", "bash", "-c", "echo began; exec sleep 60")
    assert first.stdout.readline() == "began\n"
    second = start(tmp_path, "two", "echo", "ran")  # shares the data
    other = start(tmp_path, "one", "echo", "ran", study="nsd_gnet")  # shares no folder
    assert other.communicate(timeout=60) == ("ran\n", "")
    said = second.stdout.readline()
    assert said.startswith("another run works in ") and f"(process {first.pid} on " in said
    time.sleep(0.2)
    assert second.poll() is None
    first.kill()
    first.communicate()
    assert second.communicate(timeout=60) == ("ran\n", "") and second.returncode == 0


def test_a_run_that_cannot_begin_says_why_in_one_line(tmp_path):
    done = start(tmp_path, "one", "echo", "ran", study="cornett")
    out, err = done.communicate(timeout=60)
    assert (done.returncode, out) == (2, "") and not list(tmp_path.iterdir())
    assert err.startswith("run_all.sh: there is no study 'cornett'") and err.count("\n") == 1
