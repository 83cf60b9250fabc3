"""Weights in a file of one's own: the forms such files have, and what does not fit."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from src.data.errors import DataError
from src.data.hashes import image_sha256
from src.models.activations import prepare
from src.models.extraction import extract
from src.models.feature_files import layer_names, open_features
from src.models.pretrained import load_network, random_network
from src.models.registry import network_record

RECORD = network_record("shufflenet_v2_x0_5", "given.pth")
STATE = random_network(RECORD, 5).module.state_dict()
BODY = {name: value for name, value in STATE.items() if not name.startswith("fc.")}
MORE = {"projector.0.weight": torch.ones(3), "bn.weight": torch.ones(2)}
MOMENTUM = {"module.encoder_k.conv1.0.weight": torch.ones(1), "module.queue": torch.ones(2)}


def under(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def loaded(tmp_path, content):
    torch.save(content, tmp_path / "given.pth")
    return load_network(RECORD, tmp_path)


FORMS = {
    "plain": STATE,
    "half": {k: v.half() if v.is_floating_point() else v for k, v in STATE.items()},
    "parallel": under("module.", STATE),
    "run": {"epoch": 3, "arch": "x", "state_dict": under("module.", STATE), "optimizer": {"a": 1}},
    "twice": {"model": {"state_dict": under("encoder.", STATE)}},
    "backbone": {"model": under("module.", under("backbone.", STATE) | MORE)},
    "momentum": {"state_dict": under("module.encoder_q.", STATE) | MOMENTUM},
    "teacher": {"student": MORE, "teacher": under("backbone.", STATE)},
    "heads": under("module.", STATE | under("projection_head.", MORE)),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_network_is_found_in_every_form_of_file(tmp_path, form):
    network = loaded(tmp_path, FORMS[form])
    found, exact = network.module.state_dict(), form != "half"
    for name, value in STATE.items():
        tolerance = {"rtol": 0, "atol": 0} if exact else {"rtol": 1e-3, "atol": 1e-4}
        torch.testing.assert_close(found[name], value, **tolerance)
    assert network.weights == "given.pth" and not network.module.training


@pytest.mark.parametrize(
    "head",
    [{}, {"fc.0.weight": torch.ones(3, 3)}, {"fc.weight": STATE["fc.weight"][:7]}],
    ids=["none", "of more layers", "of other classes"],
)
def test_only_the_classifier_may_be_missing_or_another(tmp_path, head):
    network = loaded(tmp_path, {"state_dict": under("module.", BODY | head)})
    found = network.module.state_dict()
    assert all(torch.equal(found[name], value) for name, value in BODY.items())
    assert network.weights == "given.pth, without fc"
    assert found["fc.weight"].shape == (1000, 1024)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: s.pop("conv5.0.weight"), "missing conv5.0.weight"),
        (lambda s: s.update(other=torch.ones(1)), "unexpected other"),
        (
            lambda s: s.update({"conv1.0.weight": torch.ones(24, 1, 3, 3)}),
            "conv1.0.weight is (24, 1, 3, 3), expected (24, 3, 3, 3)",
        ),
    ],
    ids=["missing", "unexpected", "shape"],
)
def test_what_does_not_fit_is_refused_by_file_name_and_shapes(tmp_path, change, text):
    state = dict(BODY)
    change(state)
    with pytest.raises(
        DataError, match=re.escape(f"{tmp_path / 'given.pth'} does not fit: {text}")
    ):
        loaded(tmp_path, {"state_dict": under("module.backbone.", state)})


def test_two_networks_in_a_file_are_not_chosen_between(tmp_path):
    with pytest.raises(DataError, match=r"several networks, backbone\., encoder\.: save one"):
        loaded(tmp_path, under("backbone.", BODY) | under("encoder.", BODY))


@pytest.mark.parametrize(
    ("file", "citation"),
    [
        ("barlow_twins_resnet50.pth", "Zbontar et al. 2021, arXiv:2103.03230"),
        ("dino_resnet50_pretrain.pth", "Caron et al. 2021, arXiv:2104.14294"),
        ("dinov2.pth", "Oquab et al. 2023, arXiv:2304.07193"),
        ("VICReg-resnet50.pth", "Bardes et al. 2022, arXiv:2105.04906"),
        ("swav_800ep_pretrain.pth.tar", "Caron et al. 2020, arXiv:2006.09882"),
        ("moco_v2_800ep.pth.tar", "He et al. 2020, arXiv:1911.05722"),
        ("moco-v3.pth", "Chen et al. 2021, arXiv:2104.02057"),
        ("mine.pt", "unknown"),
    ],
)
def test_a_record_says_whose_work_a_file_is_and_which(file, citation):
    record = network_record("resnet18", file)
    assert (record.citation, record.license, record.weights) == (citation, "unknown", file)
    assert [layer.name for layer in record.layers][:2] == ["conv1", "layer1"]
    json.dumps(record.plain())


def test_a_missing_file_is_asked_for_by_its_place(tmp_path):
    with pytest.raises(DataError, match=f"at {tmp_path / 'given.pth'}: put given.pth there"):
        load_network(RECORD, tmp_path)


def test_a_transformer_has_an_encoder_of_its_own(tmp_path):
    """Whose name is also that of a wrapper."""
    record = network_record("vit_b_16", "given.pth")
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in record.build().state_dict().items()}
    small = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}
    torch.save(small, tmp_path / "given.pth")
    assert load_network(record, tmp_path).weights == "given.pth"


def test_any_module_may_be_a_layer(tmp_path):
    """By its path, beside the layers of the record; its features are those of a hook."""
    network = loaded(tmp_path, BODY)
    network = replace(network, record=replace(RECORD, input_size=32))
    images, hooked = np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8), []
    extract(network, images, tmp_path / "features" / "a", ("stage2", "stage3.1", "stage3"))
    assert layer_names(tmp_path / "features") == ("stage2", "stage3.1", "stage3")
    stored = open_features(tmp_path / "features" / "a", "stage3.1", image_sha256(images))
    network.module.stage3[1].register_forward_hook(lambda *a: hooked.append(a[2].clone()))
    with torch.no_grad():
        network.module(prepare(images, network.record))
    np.testing.assert_array_equal(stored, hooked[0])
    with pytest.raises(DataError, match=r"no layer 'stage9': choose of conv1, .* path of a module"):
        network.layer("stage9")
