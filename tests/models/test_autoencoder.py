"""An auto-encoder: published sizes, the decoder written out, both signs, pictures and back."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.config import ReconstructionConfig
from src.models.activations import activations, prepare, restored
from src.models.autoencoder import AutoEncoder, redrawn
from src.models.frozen import CENTERED, frozen_network
from src.models.registry import CAFFE
from src.seeds import stream
from src.studies.records import FrozenNetwork
from tests.models.toy_network import RECORD, pictures

PLAN = FrozenNetwork(
    "a", "autoencoder", start="random", training=ReconstructionConfig(), channels=(4, 6)
)


def make(size=32, channels=(4, 6), code=10, seed=0):
    return AutoEncoder((3, size, size), channels, code, generator=stream(seed, "test"))


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def test_the_published_network_has_as_many_weights_as_published():
    with torch.device("meta"):
        network = make(224, (32, 64, 128), 168)
    assert count(network.core, network.code) == 22_288_296
    assert count(network.decoder) == 22_374_275
    assert network.decoder.sizes == [(52, 52), (109, 109), (222, 222)]


@pytest.mark.parametrize("size", [32, 45, 64])
def test_a_picture_comes_back_in_its_size_through_a_code(size):
    network, x = make(size), torch.randn(3, 3, size, size)
    assert network(x).shape == x.shape
    assert network.code(network.core(x)).shape == (3, 10)


@pytest.mark.parametrize("training", [True, False])
def test_the_decoder_is_its_steps_written_out(training):
    network = make(33).train(training)
    w, code = network.decoder.state_dict(), torch.randn(5, 10)
    x = F.relu(code @ w["dense.hidden.weight"].T + w["dense.hidden.bias"])
    x = F.relu(x @ w["dense.out.weight"].T + w["dense.out.bias"]).view(5, 6, 6, 6)
    for i, size in enumerate((13, 31)):  # 33 -> 31 -> 15 -> 13 -> 6
        rows = ((torch.arange(size) + 0.5) * x.shape[-1] / size).long()  # of the nearest pixel
        x = F.conv2d(x[:, :, rows][..., rows], w[f"convolutions.{i}.weight"], padding=2)
        x = x + w[f"convolutions.{i}.bias"].view(1, -1, 1, 1)
        if i == 0:
            x = F.relu(F.batch_norm(x, torch.zeros(4), torch.ones(4), training=training))
    torch.testing.assert_close(network.decoder(code), x, rtol=1e-4, atol=1e-5)


def test_it_learns_values_of_either_sign_and_above_one():
    """D10: no sigmoid between the last weights and the pixels."""
    network = make(16, (8,), 4).train()
    x = torch.full((2, 3, 16, 16), -2.0)
    x[0, :, 8:] = x[1, ..., :8] = 2.0
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        F.mse_loss(network(x), x).backward()
        optimizer.step()
    drawn = network(x)
    assert drawn.min() < -2 and drawn.max() > 2
    assert F.mse_loss(drawn, x) < 0.1 * x.var()


def test_weights_come_from_the_generator_alone():
    torch.manual_seed(1)
    one = make().state_dict()
    torch.manual_seed(2)
    same, other = make().state_dict(), make(seed=1).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["decoder.dense.out.weight"], other["decoder.dense.out.weight"])
    assert not torch.equal(one["core.blocks.0.0.weight"], other["core.blocks.0.0.weight"])


def test_layers_of_the_plan_are_blocks_and_code():
    network = frozen_network(PLAN, 32, 7)
    shown = np.random.default_rng(0).integers(0, 256, (4, 1, 32, 32), np.uint8)
    found = activations(network, prepare(shown, network.record), network.record.layers)
    shapes = {name: tuple(x.shape[1:]) for name, x in found.items()}
    assert shapes == {"block1": (4, 15, 15), "block2": (6, 6, 6), "code": (168,)}
    assert network.weights == "random start 0, trained to draw the training images again"
    network.module.train()
    drawn = redrawn(network, shown)
    assert (drawn.shape, drawn.dtype) == ((4, 3, 32, 32), np.uint8)
    assert network.module.training and not np.array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("how", [CENTERED, CAFFE, RECORD.preprocessing])
def test_prepared_pictures_are_restored(how):
    record = type(RECORD)(**{**vars(RECORD), "preprocessing": how})
    x = prepare(pictures(), record)
    np.testing.assert_array_equal(restored(x, record), pictures())
    assert set(np.unique(restored(torch.stack([x[0] * 0 - 1e3, x[0] * 0 + 1e3]), record))) == {
        0,
        255,
    }
