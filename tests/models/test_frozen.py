"""Frozen networks: the map that simulated sites read, starts by their numbers, names of layers."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from src.config import ClassifierConfig, ReconstructionConfig
from src.data.errors import DataError
from src.data.objects import CLASSES
from src.models.activations import activations, prepare
from src.models.extraction import CODE, state_sha256
from src.models.feature_files import layer_names
from src.models.frozen import frozen_network
from src.models.pretrained import random_network
from src.models.registry import network_record
from src.seeds import stream
from src.simulate.inferotemporal import random_map
from src.simulate.random_map import RandomMap
from src.studies.records import FrozenNetwork
from src.training.pretraining import pretrain
from src.training.tasks import Pictures

SIZE, SEED = 32, 7
OBJECTS = FrozenNetwork("o", "object_network", start="random", training=ClassifierConfig())


def images(n=20, size=SIZE):
    return np.random.default_rng(0).integers(0, 256, (n, size, size), np.uint8)


def state(plan, seed=SEED):
    return frozen_network(plan, SIZE, seed).module.state_dict()


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_planted_map_is_the_one_that_simulated_sites_read():
    """Up to the simulation's standardization, through the preparation of any other network."""
    network, shown = frozen_network(FrozenNetwork("planted", "random_map"), SIZE, SEED), images()
    found = activations(network, prepare(shown, network.record), network.record.layers)
    assert {name: x.shape[1:] for name, x in found.items()} == {
        "layer1": (16, 14, 14),
        "layer2": (24, 4, 4),
    }
    x = found["layer2"].flatten(1).numpy()
    np.testing.assert_allclose((x - x.mean(0)) / x.std(0), random_map(shown, SEED), atol=1e-4)
    assert network.weights == "those a simulation read" and not network.module.training


@pytest.mark.parametrize("network", ["random_map", "object_network", "autoencoder"])
def test_random_starts_differ_and_repeat_by_seed(network):
    before = torch.get_rng_state()
    starts = [FrozenNetwork(f"r{k}", network, start="random", draw=k) for k in (1, 2)]
    states = [state(start) for start in starts]
    assert torch.equal(before, torch.get_rng_state())
    assert not equal(*states)
    assert equal(states[0], state(starts[0])) and not equal(states[0], state(starts[0], SEED + 9))
    if network == "random_map":
        assert not equal(states[0], state(FrozenNetwork("planted", network)))
    assert frozen_network(starts[1], SIZE, SEED).weights == "random start 2"


def test_random_starts_of_a_registered_network_are_networks_of_their_own():
    before = torch.get_rng_state()
    starts = [
        frozen_network(FrozenNetwork("r", "efficientnet_lite0", start="random", draw=k), SIZE, SEED)
        for k in (1, 1, 2)
    ]
    assert torch.equal(before, torch.get_rng_state())
    one, same, other = (network.module.state_dict() for network in starts)
    assert equal(one, same) and not equal(one, other)
    assert "random" in starts[0].weights and starts[0].weights != starts[2].weights


def test_a_network_that_is_to_name_objects_comes_untrained_with_a_class_an_output():
    network = frozen_network(OBJECTS, SIZE, SEED)
    layers = activations(network, prepare(images(4), network.record), network.record.layers)
    assert list(layers) == ["block1", "block2", "block3", "block4", "pool"]
    assert network.module.classifier.out_features == len(CLASSES)
    assert network.weights == "random start 0, trained to name the objects of the training images"
    untrained = frozen_network(replace(OBJECTS, training=None), SIZE, SEED)
    assert equal(untrained.module.state_dict(), network.module.state_dict())
    assert untrained.weights == "random start 0"


def test_blocks_have_the_channels_of_the_plan():
    network = frozen_network(replace(OBJECTS, channels=(4, 8)), SIZE, SEED)
    layers = activations(network, prepare(images(4), network.record), network.record.layers)
    assert {n: x.shape[1] for n, x in layers.items()} == {"block1": 4, "block2": 8, "pool": 8}


def test_a_calibrated_start_is_the_same_start_with_batch_norm_of_the_images():
    """IT-11, D9: both modes of batch norm, weights the same."""
    plain = replace(OBJECTS, training=None, draw=2)
    shown = images(40)
    one = frozen_network(plain, SIZE, SEED)
    other = frozen_network(replace(plain, calibrated=True), SIZE, SEED, images=shown)
    assert other.weights == "random start 2, batch norm calibrated"
    assert other.batch_norm == "calibrated" and not other.module.training
    for name, value in one.module.state_dict().items():
        same = torch.equal(value, other.module.state_dict()[name])
        assert same == ("running" not in name and "num_batches" not in name), name
    norm = other.module.block1[1]
    x = norm(other.module.block1[0](prepare(shown, other.record)))
    assert x.mean((0, 2, 3)).abs().max() < 0.02 and (x.var((0, 2, 3)) - 1).abs().max() < 0.1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"calibrated": True}, "has batch norm of its training: leave calibrated out"),
        ({"calibrated": True, "training": None}, "images for batch norm are None where calibrated"),
        ({"network": "alexnet"}, "'alexnet' has no linear layer that names objects"),
        ({"network": "random_map"}, r"'o' \(random_map\) cannot be trained to name"),
        ({"network": "autoencoder"}, r"\(autoencoder\) cannot be trained to name"),
        ({"training": ReconstructionConfig()}, r"\(object_network\) cannot be trained to draw"),
        ({"start": "file"}, r"'o' \(object_network\) has no file of weights: give start='random'"),
        ({"network": "alexnet", "channels": (4,)}, r"has its channels: leave \(4,\) out"),
    ],
    ids=str,
)
def test_plans_that_cannot_be_are_refused(changes, says):
    with pytest.raises(DataError, match=says):
        frozen_network(replace(OBJECTS, **changes), SIZE, SEED)


@pytest.fixture
def tuned(tmp_path):
    """A plan to train resnet18 on to name objects, and the folder its weights are in."""
    record = network_record("resnet18", "given.pth")
    torch.save(random_network(record, 3).module.state_dict(), tmp_path / "given.pth")
    training = ClassifierConfig(3, 6, 1e-3, warmup_epochs=0, jitter=0, flip=False)
    return FrozenNetwork("t", "resnet18", "given.pth", training=training), tmp_path


def test_a_registered_network_gets_a_new_classifier_and_goes_on_from_its_weights(tuned):
    plan, folder = tuned
    network = frozen_network(plan, SIZE, SEED, folder)
    given, ours = torch.load(folder / "given.pth"), network.module.state_dict()
    assert all(torch.equal(ours[name], v) for name, v in given.items() if name[:3] != "fc.")
    assert ours["fc.weight"].shape == (len(CLASSES), 512)
    assert network.weights == "given.pth, trained to name the objects of the training images"
    repeated, other = (frozen_network(plan, SIZE, s, folder).module for s in (SEED, SEED + 1))
    assert equal(ours, repeated.state_dict()) and not equal(ours, other.state_dict())


def test_fine_tuning_changes_the_features_that_are_kept(tuned):
    plan, folder = tuned
    network = frozen_network(plan, SIZE, SEED, folder)
    network = replace(network, record=replace(network.record, input_size=SIZE))
    shown, labels = images(12)[:, None], np.arange(12)
    ready = partial(prepare, record=network.record)
    before = state_sha256(network.module)
    (layer,) = (x for x in network.record.layers if x.name == "layer2")
    old = activations(network, ready(shown), [layer])["layer2"]
    parts = Pictures(shown, labels), Pictures(shown[:6], labels[:6])
    history = pretrain(
        network.module, *parts, plan.training, 1, folder / "run", ready, "cpu", False
    )
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] and not network.module.training
    assert state_sha256(network.module) != before
    assert (activations(network, ready(shown), [layer])["layer2"] - old).abs().max() > 1e-3


def test_the_map_is_two_rectified_convolutions_of_filters_without_sum():
    """Written out with unfolded windows; of three equal channels it sees one, at any size."""
    network = RandomMap(SEED)
    x = torch.rand(3, 1, 32, 32, generator=stream(0, "pictures"), dtype=torch.float64)
    seen = x
    for layer, pool in ((network.layer1, torch.nn.MaxPool2d(2)), (network.layer2, None)):
        weight = layer[0].weight
        torch.testing.assert_close(weight.sum((1, 2, 3)), torch.zeros(len(weight)).double())
        k = weight.shape[-1]
        windows = seen.unfold(2, k, 1).unfold(3, k, 1)
        seen = torch.einsum("nchwij,fcij->nfhw", windows, weight).clamp(min=0)
        seen = pool(seen) if pool else seen.unfold(2, 3, 3).unfold(3, 3, 3).mean((4, 5))
    assert seen.shape == (3, 24, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(network(x), seen)
        torch.testing.assert_close(network(x.expand(-1, 3, -1, -1)), seen)
        torch.testing.assert_close(network(x.repeat_interleave(2, 2).repeat_interleave(2, 3)), seen)


def test_layers_are_named_in_the_order_of_their_features(tmp_path):
    with pytest.raises(DataError, match="holds no features"):
        layer_names(tmp_path / "objects")
    for key in ("b", "a"):
        (tmp_path / "objects" / key).mkdir(parents=True)
        shapes = {"stem": [3], "block10": [4, 2, 2], "block2": [5]}
        text = json.dumps({"shapes": shapes if key == "a" else {"other": [1]}})
        (tmp_path / "objects" / key / "manifest.json").write_text(text)
    assert layer_names(tmp_path / "objects") == ("stem", "block10", "block2")


HOUSE = {
    "random_map": {"start": "file"},
    "gabor": {},
    "gnet_prefilter": {"start": "random", "mean": (0.5, 0.5, 0.5), "size": 67},
    "object_network": {"start": "random"},
    "autoencoder": {"start": "random", "training": ReconstructionConfig()},
    **{f"cornet_{letter}": {"start": "random"} for letter in ("z", "r", "rt", "s")},
    "efficientnet_lite0": {"start": "random"},
}


@pytest.mark.parametrize("name", HOUSE)
def test_stored_features_know_the_code_of_their_network(name):
    """Else a mended forward pass would leave features of the broken one in their place."""
    module = frozen_network(FrozenNetwork("any", name, **HOUSE[name]), SIZE, SEED).module
    written = {type(part).__module__ for part in module.modules()}
    ours = {m.removeprefix("src.").replace(".", "/") for m in written if m.startswith("src.")}
    assert ours <= set(CODE)
