"""Two processes train as one: same weights, whatever began them; a killed one ends the job."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from src import locks
from src.manifest import RECORD_VARIABLE
from src.models.encoder import Encoder
from src.models.sharing import Share, drawn, sharing
from src.paths import ROOT
from src.training import checkpoint
from src.training.device import require_devices
from src.training.launch import ProcessError, in_processes
from src.training.parallel import Group
from src.training.torchrun import cause
from src.training.trainer import train
from tests.training.one_is_killed import wait_for_a_killed_one
from tests.training.shared_cases import CASES, case, fit, name_pictures, split


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Folder in which two processes trained every case."""
    return in_two(tmp_path_factory.mktemp("two"), "cpu")


def in_two(folder, device):
    """The folder, where two processes have trained every case on a device."""
    with torchrun_of_ones_own(folder, device) as both:
        _, said = both.communicate()
    assert both.returncode == 0, said
    return folder


def torchrun_of_ones_own(folder, device, *names):
    """Two processes that train cases together, all or those named."""
    script = Path(__file__).with_name("shared_cases.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, script, folder, device, *names]
    return subprocess.Popen(command, env=environment, **pipes)


def same(one, two):
    """Weights within rounding of one another, relative to the largest of each tensor."""
    assert set(one) == set(two)
    for name, value in one.items():
        largest = float(value.double().abs().max())
        torch.testing.assert_close(two[name], value, rtol=0, atol=2e-5 * largest + 2e-5, msg=name)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_give_what_one_gives(two, tmp_path, name):
    """Noise, batch norm, losses that see a batch, jitter, mixing, the last short batch and all."""
    encoder, history = fit(name, tmp_path)
    same(encoder.state_dict(), checkpoint.read(two / name / "weights.pt")["state"])
    again = pd.read_csv(two / name / "history.csv")
    assert len(again) == 2
    np.testing.assert_allclose(again, history, rtol=1e-4, atol=1e-5)
    losses = (pd.read_csv(folder / name / "steps.csv").loss for folder in (two, tmp_path))
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert sorted(f.name for f in (two / name).iterdir()) == [
        *(["epochs.npz"] if name == "gnet" else []),
        "history.csv",
        "steps.csv",
        "weights.pt",
    ]


def test_what_another_run_makes_meanwhile_all_processes_find(two, tmp_path):
    """The first waits for its lock; the others wait for it, and only then look."""
    with locks.alone(tmp_path / "wide"):
        both = torchrun_of_ones_own(tmp_path, "cpu", "wide")
        assert "waiting for it" in both.stdout.readline()
        time.sleep(3)  # the second could have looked by now
        shutil.copytree(two / "wide", tmp_path / "wide")
    with both:
        ranks = psutil.Process(both.pid).children()
        psutil.wait_procs(ranks, timeout=60)
        for late in (rank for rank in ranks if rank.is_running()):
            late.kill()
        _, said = both.communicate()
    assert both.returncode == 0, said


def test_batch_norm_of_a_recognizer_sees_the_whole_batch(two, tmp_path):
    """As in CORnet-S, which is large."""
    module, history = name_pictures(tmp_path)
    same(module.state_dict(), checkpoint.read(two / "named/weights.pt")["state"])
    np.testing.assert_allclose(pd.read_csv(two / "named/history.csv"), history, rtol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_two_processes_on_one_gpu_give_what_one_gives(tmp_path, monkeypatch):
    """Sums on a GPU have no fixed order, which a GNet of few values makes much of in ten steps."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    folder = in_two(tmp_path / "two", "cuda")
    for name in CASES:
        fit(name, tmp_path, "cuda")
        losses = (pd.read_csv(place / name / "steps.csv").loss[:4] for place in (folder, tmp_path))
        np.testing.assert_allclose(*losses, rtol=1e-3, err_msg=name)
    _, history = name_pictures(tmp_path, "cuda")
    np.testing.assert_allclose(pd.read_csv(folder / "named/history.csv"), history, rtol=1e-3)


def given(name, epochs=2):
    """Arguments of `train` for a case, and its encoder."""
    model, sessions, recipe = case(name)
    splits = {key: split(session) for key, session in sessions.items()}
    encoder = Encoder(model, sessions, seed=1)
    return encoder, sessions, splits, replace(recipe, max_epochs=epochs), 3


def test_what_one_process_began_two_continue(tmp_path, capsys, monkeypatch):
    """By torchrun, as from a notebook, which prints what the first of them says."""

    def stop(row):
        if row["epoch"] == 1:
            raise KeyboardInterrupt

    whole, *rest = given("wide", 3)
    train(whole, *rest, tmp_path / "whole", "cpu", False)
    with pytest.raises(KeyboardInterrupt):
        train(*given("wide", 3), tmp_path / "two", "cpu", False, stop)
    capsys.readouterr()
    notes = tmp_path / "notes"
    monkeypatch.setenv(RECORD_VARIABLE, str(notes))
    continued, *rest = given("wide", 3)
    train(continued, *rest, tmp_path / "two", "cpu", True, processes=2)
    same(whole.state_dict(), continued.state_dict())
    told = capsys.readouterr()
    lines = [line.split(",")[0] for line in told.out.splitlines()]
    assert lines == ["two: epoch 2", "two: epoch 3"] and told.err == ""
    noted = [Path(json.loads(line)["path"]).name for line in notes.read_text().splitlines()]
    assert noted == ["weights.pt", "history.csv", "steps.csv"]


def test_a_killed_process_ends_the_job_and_is_named(tmp_path):
    """Within seconds, and nothing is left of it; resuming is that of one process."""
    with pytest.raises(ProcessError, match=r"^process 1 was killed \(SIGKILL.*run it again"):
        in_processes(2, wait_for_a_killed_one, tmp_path)
    pids = [int(path.stem) for path in tmp_path.iterdir()]
    assert len(pids) == 2 and not any(map(psutil.pid_exists, pids))


def test_what_an_exception_says_is_told():
    """The process that raised it, not those that missed it or were ended."""

    def failed(code, text, timestamp=0):
        message = {"message": text} if code > 0 else text
        names = {"signal_name": lambda: signal.Signals(-code).name}
        return SimpleNamespace(exitcode=code, message=message, timestamp=timestamp, **names)

    missed = failed(1, "RuntimeError: [gloo/pair.cc:1] Connection closed by peer")
    ended = failed(-signal.SIGTERM, "Signal 15")
    out = failed(1, "OutOfMemoryError:\n2 GiB", 1)
    assert cause({0: missed, 1: ended, 2: out}) == "process 2 failed with OutOfMemoryError: 2 GiB"
    killed = failed(-signal.SIGKILL, "Signal 9", 1)
    assert cause({0: missed, 1: killed}).startswith("process 1 was killed (SIGKILL")


def test_a_gpu_each(monkeypatch):
    require_devices("cpu", 64)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    require_devices("auto", 2)
    with pytest.raises(ValueError, match="there are 2: use processes=2, or device='cpu'"):
        require_devices("auto", 3)
    with pytest.raises(ValueError, match="at least 1"):
        require_devices("cpu", 0)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8])
def test_rows_of_a_batch_are_dealt_out(n):
    """Each once; a batch of fewer trials than processes goes to all, at a third of its weight."""
    groups = [Group(torch.device("cpu"), rank, 3) for rank in range(3)]
    found = np.concatenate([np.arange(n)[group.rows(n)] for group in groups])
    np.testing.assert_array_equal(found, np.tile(np.arange(n), 3) if n < 3 else np.arange(n))
    assert sum(group.weight(n) * len(range(n)[group.rows(n)]) for group in groups) == n


def test_noise_is_that_of_the_whole_batch():
    """Two draws one after another, of three rows a trial."""

    def draw(generator, rows):
        return [drawn(rows, lambda n: torch.rand(n, 2, generator=generator)) for _ in "ab"]

    whole = draw(torch.Generator().manual_seed(1), 15)
    with sharing(Share(slice(1, 3), 5, lambda x: x)):
        own = draw(torch.Generator().manual_seed(1), 6)
    for a, b in zip(own, whole, strict=True):
        torch.testing.assert_close(a, b[3:9], rtol=0, atol=0)
