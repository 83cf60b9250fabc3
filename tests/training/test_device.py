"""Devices, threads, memory and bfloat16."""

import platform
import subprocess
import sys

import pytest
import torch

from src.paths import ROOT
from src.training.device import bfloat16, pick_device, threads


def test_auto_picks_an_accelerator_if_there_is_one():
    there = torch.cuda.is_available() or torch.backends.mps.is_available()
    assert (pick_device("auto").type != "cpu") == there
    assert pick_device("cpu") == torch.device("cpu")


def test_an_unknown_or_absent_device_is_an_error(monkeypatch):
    with pytest.raises(ValueError, match="'gpu' is not one of auto, cpu, cuda, mps"):
        pick_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="'cuda' is not available here"):
        pick_device("cuda")


def test_no_other_program_is_asked(monkeypatch):
    """C9: which GPU there is torch knows."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    assert pick_device("auto").type in ("cpu", "cuda", "mps")


def test_threads_come_back_also_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before


FRESH_PAGES = """
import resource, torch
from src.training.device import keep_memory
keep_memory()
for _ in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.zeros(30 * 2**20, dtype=torch.uint8) for _ in range(8)]  # 61440 pages
    del blocks
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not platform.libc_ver()[0].startswith("glibc"), reason="only for glibc")
def test_kept_memory_needs_no_fresh_pages():
    """In a process of its own; the first rounds find the places that later ones use again."""
    command = [sys.executable, "-c", FRESH_PAGES]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    rounds = [int(line) for line in done.stdout.split()]
    assert sum(rounds[3:]) < 1000 < rounds[0]


def test_bfloat16_rounds_the_core_and_nothing_else():
    core, images = torch.nn.Conv2d(1, 2, 3), torch.randn(4, 1, 8, 8)
    exact = core(images)
    with bfloat16(core, enabled=True):
        rounded = core(images)
        assert (images[:, 0] @ images[:, 0]).dtype == torch.float32
    assert rounded.dtype == torch.float32
    assert torch.equal(rounded, rounded.bfloat16().float())
    torch.testing.assert_close(rounded, exact, atol=0.05, rtol=0.02)
    assert torch.equal(core(images), exact)


def test_bfloat16_switched_off_changes_nothing():
    core, images = torch.nn.Conv2d(1, 2, 3), torch.randn(4, 1, 8, 8)
    with bfloat16(core, enabled=False):
        inside = core(images)
    assert torch.equal(inside, core(images))
