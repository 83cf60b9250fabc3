"""A network as a core: the layer it was built for, the weights it starts from, what is left out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from src.config import (
    DenseReadoutConfig,
    GaussianReadoutConfig,
    InputConfig,
    ModelConfig,
    NetworkCoreConfig,
)
from src.data.batch import Batch
from src.data.errors import DataError
from src.models.activations import activations, evaluating, prepare
from src.models.encoder import Encoder, SessionFacts
from src.models.frozen import frozen_network
from src.models.network_core import NetworkCore
from src.seeds import stream
from src.studies.records import FrozenNetwork

SIZE = 32
OBJECTS = NetworkCoreConfig("objects", "object_network")
RAW = InputConfig(scale="full", raw=True)
PICTURES = np.random.default_rng(0).integers(0, 256, (5, 3, SIZE, SIZE), np.uint8)


def network(draw=1):
    plan = FrozenNetwork("objects", "object_network", start="random", draw=draw)
    return frozen_network(plan, SIZE, seed=3)


def core(config=OBJECTS, shape=(3, SIZE, SIZE)):
    return NetworkCore(config, shape, seed=0)


def tuned(name, network, weights, units=168, size=224):
    """A whole network with a linear layer to `units` in place of its own last."""
    model = ModelConfig(
        name,
        NetworkCoreConfig(network, network, weights),
        RAW,
        DenseReadoutConfig(hidden=0),
        output="identity",
    )
    return Encoder(model, {"a": SessionFacts(units, (3, size, size))}, seed=0)


@pytest.mark.parametrize(("name", "last"), [("block2", "block2"), ("", "pool")])
def test_it_gives_what_the_network_has_at_that_layer(name, last):
    theirs, ours = network(), core(replace(OBJECTS, layer=name)).eval()
    layer = theirs.layer(last)
    expected = activations(theirs, prepare(PICTURES, theirs.record), [layer])[last]
    expected = expected.reshape(len(PICTURES), ours.channels, *ours.output_shape(SIZE, SIZE))
    pixels = torch.from_numpy(PICTURES).float()
    assert not torch.allclose(ours(pixels), expected)
    ours.start_from(theirs)
    torch.testing.assert_close(ours(pixels), expected)


def test_it_has_the_channels_of_the_network_it_starts_from():
    plan = FrozenNetwork("objects", "object_network", start="random", draw=1, channels=(2, 4))
    narrow, config = frozen_network(plan, SIZE, seed=3), replace(OBJECTS, channels=(2, 4))
    ours = core(config)
    ours.start_from(narrow)
    assert ours.channels == 4
    with pytest.raises(DataError, match="start from the same network"):
        core().start_from(narrow)


def test_only_what_is_reached_is_kept():
    names = {
        name.split(".")[1] for name, _ in core(replace(OBJECTS, layer="block2")).named_parameters()
    }
    assert names == {"block1", "block2"}
    assert not any("classifier" in name for name, _ in core().named_parameters())


def test_maps_can_be_made_coarser():
    fine, coarse = (
        core(replace(OBJECTS, layer="block1")),
        core(replace(OBJECTS, layer="block1", pool=4)),
    )
    coarse.start_from(network())
    fine.start_from(network())
    pixels = torch.from_numpy(PICTURES).float()
    with evaluating(fine), evaluating(coarse):
        expected = fine(pixels).unflatten(3, (4, 4)).unflatten(2, (4, 4)).mean((3, 5))
        torch.testing.assert_close(coarse(pixels), expected)
    assert coarse.output_shape(SIZE, SIZE) == (4, 4)


def test_images_are_resized_and_gray_ones_copied():
    bigger = core(replace(OBJECTS, layer="block1", size=2 * SIZE), (1, SIZE, SIZE))
    assert bigger(torch.zeros(1, 1, SIZE, SIZE)).shape == (1, 16, SIZE, SIZE)


def test_published_networks_keep_their_size():
    counts = {"densenet201": 18_415_656, "resnet50": 23_508_032 + 2048 * 168 + 168}
    for name, expected in counts.items():
        encoder = tuned(name, name, "IMAGENET1K_V1", size=64)
        assert sum(p.numel() for p in encoder.parameters()) == expected, name


def test_a_transformer_can_be_a_core():
    encoder = tuned("vit", "vit_b_16", "IMAGENET1K_V1")
    assert encoder.core.channels == 768
    assert encoder.core.output_shape(224, 224) == (1, 1)
    encoder(Batch(torch.rand(1, 3, 224, 224)), "a").sum().backward()
    first = encoder.core.network.encoder.layers[0].self_attention
    assert first.out_proj.weight.grad.abs().sum() > 0


def test_dropout_draws_from_the_generator_alone():
    dropping = core()
    dropping.network.pool.append(torch.nn.Dropout(0.5))
    pixels, before = torch.from_numpy(PICTURES).float(), torch.random.get_rng_state()
    first, again, other = (dropping(pixels, None, stream(s, "sample")) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())
    generator = stream(1, "sample")
    assert not torch.equal(*(dropping(pixels, None, generator) for _ in range(2)))


def test_units_can_have_places_on_its_maps():
    maps = replace(OBJECTS, layer="block2")
    free = GaussianReadoutConfig(position="free")
    model = ModelConfig("m", maps, RAW, free, output="identity")
    encoder = Encoder(model, {"a": SessionFacts(6, (3, SIZE, SIZE))}, seed=0)
    pixels = torch.from_numpy(PICTURES).float()
    assert encoder.eval()(Batch(pixels), "a").shape == (5, 6)


def test_refusals():
    with pytest.raises(DataError, match=r"block1.0.weight is .* the core 'objects' has"):
        core().start_from(frozen_network(FrozenNetwork("m", "random_map"), SIZE, 0))
    with pytest.raises(ValueError, match=r"needs inputs\.raw"):
        model = ModelConfig("m", OBJECTS, InputConfig(scale="full"), DenseReadoutConfig())
        Encoder(model, {"a": SessionFacts(6, (3, SIZE, SIZE))}, seed=0)
    with pytest.raises(ValueError, match="wants squares"):
        core().output_shape(32, 64)
    with pytest.raises(ValueError, match="takes none"):
        core()(torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="one scale"):
        InputConfig(raw=True)
    with pytest.raises(DataError, match="no linear layer"):
        core(NetworkCoreConfig("alexnet", "alexnet"), (3, 64, 64))
