"""What training is said to need: the published sizes, and the parts that can be counted exactly."""

import pytest
import torch

from src.config import PoolingReadoutConfig
from src.models.encoder import Encoder, SessionFacts
from src.models.gnet import prefilter_network
from src.studies.nsd_gnet import FULL, SIZES
from src.training.gnet_budget import (
    SPEEDS,
    gigabytes,
    map_side,
    packed_disk,
    training_memory,
    training_work,
)

VOXELS = {key: sum(size[:4]) for key, size in SIZES.items()}
MODEL = FULL.plan("gnet8j").model


def memory(voxels=VOXELS, chunk=512):
    return training_memory(voxels, MODEL.core, PoolingReadoutConfig(chunk), (27, 27), 100)


def test_all_eight_subjects_fit_into_a_small_machine():
    parts = memory()
    assert parts["weights and Adam"] == 5 * 4 * 39_718_223
    assert gigabytes(parts)["all"] == pytest.approx(2.61, abs=0.01) and sum(parts.values()) < 8e9


def test_weights_are_counted_as_the_model_has_them():
    facts = {k: SessionFacts(n, (192, 27, 27)) for k, n in (("a", 30), ("b", 20))}
    whole = sum(p.numel() for p in Encoder(MODEL, facts, 0).parameters())
    parts = memory({"a": 30, "b": 20})
    assert parts["weights and Adam"] == 20 * whole
    assert parts["gradients"] == 4 * (whole - 20 * 1307)


def test_what_is_pooled_is_bounded_by_chunk():
    """Per chunk of voxels, not per voxel: the largest subject has 4627."""
    assert memory(chunk=128)["pooled"] * 4 == memory(chunk=512)["pooled"]
    assert memory(chunk=9999)["pooled"] == pytest.approx(memory()["pooled"] * 4627 / 512)


def test_work_is_that_of_the_specification():
    """Multiply-adds by image and voxel, and from them the published and the measured seconds."""
    given = MODEL.core, (27, 27)
    trunk = training_work({"a": 0}, {"a": 1}, *given)
    whole = training_work({"a": 4627}, {"a": 1}, *given)
    assert trunk == pytest.approx(1229e6, rel=1e-3)
    assert whole - trunk == pytest.approx(3 * 943e6, rel=1e-3)
    assert 100 * trunk / SPEEDS["a core"] == pytest.approx(4.2, rel=0.2)
    assert 100 * whole / SPEEDS["a core"] == pytest.approx(18.5, rel=0.2)
    trials = {"1257": 24300, "36": 19466, "48": 18280}
    trials = {f"subj{int(k):02}": n for keys, n in trials.items() for k in keys}
    epoch = 2 * (training_work(VOXELS, trials, *given) + 3 * 296.8e6 * sum(trials.values()))
    assert epoch / SPEEDS["an A100"] == pytest.approx(201.8, rel=0.03)


def test_disk_is_that_of_the_specification():
    trials = {key: 750 * size[4] for key, size in SIZES.items()}
    disk = gigabytes(packed_disk(VOXELS, trials, 70_566, 227))
    assert disk["responses"] == pytest.approx(3.17, abs=0.01)
    assert disk["images"] == pytest.approx(10.9, abs=0.05)
    assert disk["prefilter maps"] == pytest.approx(19.8, abs=0.05)


@pytest.mark.parametrize("size", [67, 113, 128, 227])
def test_maps_have_the_size_that_the_prefilter_gives(size):
    module = prefilter_network((0.5,) * 3, size, seed=0).module
    assert module(torch.zeros(1, 3, size, size)).shape[-1] == map_side(size)
