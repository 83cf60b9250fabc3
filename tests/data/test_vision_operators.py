"""Non-maximum suppression in plain PyTorch, and torchvision imported whatever it was built for."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from src.data import vision_operators
from src.data.vision_operators import nms, overlap
from src.paths import ROOT


def by_hand(boxes, scores, threshold):
    """The definition, with loops over numbers."""

    def shared(a, b):
        w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
        h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
        areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
        return w * h / (sum(areas) - w * h)

    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if all(shared(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7])
def test_nms_is_the_definition(threshold):
    draw = np.random.default_rng(1)
    low = draw.uniform(0, 50, (60, 2))
    boxes, scores = np.hstack([low, low + draw.uniform(5, 30, (60, 2))]), draw.random(60)
    kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold)
    assert kept.tolist() == by_hand(boxes, scores, threshold)
    assert 1 < len(kept) < 60


def test_nms_of_nothing_is_nothing():
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []


def test_overlap_of_known_boxes():
    others = torch.tensor([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30.0]])
    assert overlap(others[0], others).tolist() == pytest.approx([1, 1 / 3, 0])


SCRIPT = """
from src.data import vision_operators
repaired = vision_operators.ensure()
import torch, torchvision
boxes = torch.tensor([[0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30.0]])
kept = torchvision.ops.nms(boxes, torch.tensor([0.5, 0.9, 0.3]), 0.5)
assert kept.tolist() == [1, 2], kept
assert repaired == vision_operators.ensure()
print(repaired)
"""


def test_torchvision_imports_and_suppresses():
    """In a fresh process, without a warning; repaired where its operators do not load."""
    loads = vision_operators._compiled_operators_load()
    command = [sys.executable, "-W", "error", "-c", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(not loads), "")
