"""Workers of benchmarks that compare forms of one model: what they time is one function."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch

from src.paths import ROOT
from src.seeds import stream


@pytest.fixture
def winner_step(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests/benchmarks")
    yield importlib.import_module("winner_step")
    for name in ("winner_step", "our_step", "serving"):
        sys.modules.pop(name, None)


def test_forms_of_the_winners_core_agree_and_can_be_trained(winner_step):
    forms = {f: winner_step.winner(f, 2, 10) for f in ("folded", "plane", "published")}
    rates = {f: m.encoder(m.batch, winner_step.KEY, stream(0, "rates")) for f, m in forms.items()}
    for form in ("plane", "published"):
        torch.testing.assert_close(rates[form], rates["folded"], atol=2e-6, rtol=0)
    for model in forms.values():
        model.step()
