"""GNet against the outputs stored with its specification, and its parts against plain sums."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.config import GNetCoreConfig, InputConfig, ModelConfig, PoolingReadoutConfig
from src.data.batch import Batch
from src.data.gaussian_fields import field_weights
from src.models.activations import activations, prepare
from src.models.encoder import Encoder, SessionFacts
from src.models.gnet import GNetCore, layer_channels, prefilter_network
from src.models.pooling_readout import PoolingReadout, act, area_matrix
from src.seeds import stream
from src.training.losses import batch_weights, squares_loss
from tests.models.gnet_fixture import our_name, recorded

SMALL = GNetCoreConfig("stored", width=8)


@pytest.fixture(scope="module")
def fixture(shared):
    return recorded(shared / "fixtures" / "nsd_gnet")


def test_maps_predictions_and_loss_are_those_stored(fixture):
    encoder = fixture.encoder().eval()
    with torch.no_grad():
        fine, coarse = encoder.core(fixture.pixels)
        found = encoder(Batch(fixture.pixels), "a").numpy()
    np.testing.assert_allclose(fine, fixture.arrays["fmap0_eval"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(coarse, fixture.arrays["fmap1_eval"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(coarse[:, -64:], fixture.arrays["h_eval"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found, fixture.arrays["pred_eval"], rtol=0, atol=1e-5)


def test_gradients_of_every_tensor_are_those_stored(fixture):
    encoder = fixture.encoder().eval()
    target = torch.from_numpy(fixture.arrays["targets"])
    predicted = encoder(Batch(fixture.pixels), "a")
    loss = squares_loss(predicted, target, batch_weights(predicted, target))
    loss = loss + encoder.penalty("a")
    assert loss.item() == pytest.approx(float(fixture.arrays["loss"]), rel=1e-5)
    loss.backward()
    grads = {name: p.grad.norm().item() for name, p in encoder.named_parameters()}
    names = [our_name(name) for name in fixture.arrays["grad_names"]]
    assert set(names) == set(grads)
    np.testing.assert_allclose([grads[n] for n in names], fixture.arrays["grad_norms"], rtol=1e-4)


def test_sizes_are_those_published(fixture):
    encoder = fixture.encoder()
    parts = encoder.core.prefilter, encoder.core.layers, encoder.readouts["a"]
    counts = [sum(p.numel() for p in part.parameters()) for part in parts]
    assert counts == fixture.arrays["n_params"].tolist()
    assert encoder.core.map_shapes(227, 227) == ((256, 25, 25), (256, 13, 13))


def test_stored_maps_of_the_prefilter_in_half_precision_do(fixture):
    whole = fixture.encoder("frozen").eval()
    assert not any(p.requires_grad for p in whole.core.prefilter.parameters())
    with torch.no_grad():
        maps = whole.core.prefilter(fixture.pixels / 255 - whole.core.mean).half().float()
        expected = whole(Batch(fixture.pixels), "a")
        found = fixture.encoder("stored").eval()(Batch(maps), "a")
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_the_prefilter_is_a_network_whose_maps_can_be_stored(fixture):
    encoder = fixture.encoder("frozen").eval()
    network = prefilter_network(encoder.core.config.mean, 227, seed=1)
    assert "random" in network.weights
    images = fixture.arrays["images_u8"]
    maps = activations(network, prepare(images, network.record), network.record.layers)["conv2"]
    encoder.core.start_from(network)
    mine = encoder.core.prefilter(fixture.pixels / 255 - encoder.core.mean)
    torch.testing.assert_close(mine, maps)


def test_alexnet_gives_the_prefilter(shared):
    weights = shared / "data" / "weights" / "alexnet_conv_imagenet.pt"
    if not weights.exists():
        pytest.skip(f"{weights.name} is not here")
    network = prefilter_network((0.5, 0.5, 0.5), 227, 0, "file", weights)
    given = torch.load(weights, weights_only=True)
    assert torch.equal(network.module.conv2[0].weight, given["features.3.weight"].float())
    assert "random" not in network.weights and network.file_sha256


def test_units_read_what_the_specification_says():
    core = GNetCore(SMALL, (192, 13, 13), stream(0)).eval()
    x = torch.randn(2, 192, 13, 13, generator=stream(1))
    seen, y = [], x
    for i, layer in enumerate(core.layers):
        y = F.max_pool2d(y, 3, 2, 1) if i == 3 else y
        y = F.relu(layer.conv(layer.norm(y)))
        seen.append(y)
    fine, coarse = core(x)
    torch.testing.assert_close(fine, torch.cat([seen[0], seen[1][:, :4], seen[2][:, :4]], 1))
    high = [*(s[:, :4] for s in seen[3:6]), seen[6]]
    torch.testing.assert_close(coarse, torch.cat(high, 1))
    assert core.map_shapes(13, 13) == (tuple(fine.shape[1:]), tuple(coarse.shape[1:]))
    slices = layer_channels(128)
    assert [s.start for s in slices.values()] == [0, 128, 192, 256, 320, 384, 448]
    assert slices["L7"].stop == 512


def test_dropout_leaves_out_whole_channels():
    core = GNetCore(SMALL, (192, 13, 13), stream(0)).train()
    seen = []
    core.layers[1].conv.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    x = torch.randn(3, 192, 13, 13, generator=stream(1))
    maps = [core(x, None, stream(k)) for k in (1, 1, 2)]
    torch.testing.assert_close(*(m[0] for m in maps[:2]))
    gone = (seen[0] == 0).flatten(2)
    assert torch.equal(gone.all(2), gone.any(2)) and 0.4 < gone.float().mean() < 0.6
    assert not torch.equal(seen[0], seen[2])


@pytest.mark.parametrize("training", [True, False])
def test_maps_without_a_gradient_take_a_shorter_way_to_the_same_gradients(training):
    x = torch.randn(5, 192, 7, 7, generator=stream(1)).add_(0.5)
    found = []
    for needs in (False, True):
        layer = GNetCore(SMALL, (192, 7, 7), stream(0)).train(training).layers[0]
        with torch.no_grad():
            layer.norm.weight.copy_(torch.linspace(-1, 2, 192))
            layer.norm.bias.copy_(torch.linspace(2, -1, 192))
            layer.norm.running_var.fill_(0.7)
        y = layer(x.clone().requires_grad_(needs), stream(2))
        (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
        norm = layer.norm
        moved = norm.running_mean, norm.running_var, norm.num_batches_tracked.float()
        found.append((y.detach(), *(p.grad for p in layer.parameters()), *moved))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


def plain(readout, maps):
    """The readout's formula, all at once."""
    pooled = [
        torch.einsum("uhw,nfhw->nuf", g, act(m)) for g, m in zip(readout.fields, maps, strict=True)
    ]
    return (act(torch.cat(pooled, 2)) * readout.weights).sum(2) + readout.bias


def maps_and_readout(units=7, chunk=3):
    shapes = (4, 5, 6), (3, 2, 2), (2, 1, 1)
    readout = PoolingReadout(
        PoolingReadoutConfig(chunk, init_std=1), shapes, units, stream(0)
    ).double()
    for logits in readout.logits:
        torch.nn.init.normal_(logits, generator=stream(3))
    maps = [
        torch.randn(3, *s, generator=stream(5), dtype=torch.float64, requires_grad=True)
        for s in shapes
    ]
    return readout, tuple(maps)


@pytest.mark.parametrize(("units", "chunk"), [(7, 3), (7, 512), (1, 1)])
def test_units_pooled_in_blocks_are_the_formula_and_its_gradients(units, chunk):
    readout, maps = maps_and_readout(units, chunk)
    given = [*maps, *readout.parameters()]
    target = torch.randn(3, units, generator=stream(9), dtype=torch.float64)
    values = [f(maps) for f in (readout, lambda m: plain(readout, m))]
    torch.testing.assert_close(*values)
    ours, theirs = (torch.autograd.grad((v - target).square().sum(), given) for v in values)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)
    still = readout([m.detach() for m in maps])  # maps of a frozen trunk get none
    alone = torch.autograd.grad((still - target).square().sum(), list(readout.parameters()))
    for a, b in zip(alone, theirs[len(maps) :], strict=True):
        torch.testing.assert_close(a, b)


def test_act_is_the_published_one_and_has_its_slope():
    x = torch.tensor([-2.0, 0.5, 10.0], dtype=torch.float64, requires_grad=True)
    expected = torch.tensor([-1.059093, 0.187372, 2.397895], dtype=torch.float64)
    torch.testing.assert_close(act(x), expected, rtol=0, atol=1e-6)
    assert torch.autograd.gradcheck(act, x)


def test_fields_sum_to_one_and_start_even():
    readout, maps = maps_and_readout()
    assert all(torch.allclose(f.sum((1, 2)), torch.ones(7).double()) for f in readout.fields)
    fresh = PoolingReadout(PoolingReadoutConfig(), ((2, 4, 4),), 5, stream(0))
    assert (fresh.fields[0] == 1 / 16).all()
    torch.testing.assert_close(readout(maps, units=[4, 0]), readout(maps)[:, [4, 0]])
    assert readout.penalty().item() == pytest.approx(0.1 * readout.weights.abs().sum().item())


def test_areas_overlap_as_in_the_specification():
    expected = torch.tensor([[1, 1, 0.5, 0, 0], [0, 0, 0.5, 1, 1]], dtype=torch.float64)
    torch.testing.assert_close(area_matrix(5, 2), expected)
    torch.testing.assert_close(area_matrix(4, 4), torch.eye(4, dtype=torch.float64))


def test_one_field_is_averaged_on_large_maps_and_summed_on_small_ones():
    config = PoolingReadoutConfig(field="one", places=3)
    readout = PoolingReadout(config, [(2, 6, 6), (2, 3, 3), (2, 1, 1)], 2, stream(0))
    with torch.no_grad():
        readout.logits[0].normal_(generator=stream(1))
    large, same, small = readout.fields
    one = readout.logits[0].flatten(1).softmax(1).view(2, 3, 3)
    torch.testing.assert_close(same, one)
    torch.testing.assert_close(large, one.repeat_interleave(2, 1).repeat_interleave(2, 2) / 4)
    torch.testing.assert_close(small, torch.ones(2, 1, 1))
    uneven = PoolingReadout(config, [(1, 5, 7)], 2, stream(0)).fields[0]
    torch.testing.assert_close(uneven.sum((1, 2)), torch.ones(2))


def test_a_gaussian_field_is_that_of_the_house_and_learns():
    config = PoolingReadoutConfig(field="gaussian", init_std=1.0)
    readout = PoolingReadout(config, [(3, 25, 25), (2, 13, 13)], 1, stream(0))
    with torch.no_grad():
        readout.gaussians.copy_(torch.tensor([[0.2, 0.1, np.log(0.1)]]))
    for found in readout.fields:
        theirs = torch.from_numpy(field_weights(np.array([[0.2, 0.1, 0.1]]), *found.shape[1:]))
        torch.testing.assert_close(found, theirs / theirs.sum(), atol=2e-5, rtol=1e-3)
    readout(tuple(torch.rand(2, *shape) for shape in readout.map_shapes)).sum().backward()
    assert (readout.gaussians.grad != 0).all()
    assert sum(p.numel() for p in readout.parameters()) == 3 + 5 + 1


def test_any_core_can_be_pooled():
    model = ModelConfig("m", inputs=InputConfig(scale="full"), readout=PoolingReadoutConfig())
    encoder = Encoder(model, {"a": SessionFacts(5, (1, 36, 64))}, 0).eval()
    assert encoder(Batch(torch.randn(2, 1, 36, 64)), "a").shape == (2, 5)


def test_what_cannot_be_built_or_read():
    model = ModelConfig("m", SMALL, InputConfig(scale="full"), PoolingReadoutConfig())
    facts = {"a": SessionFacts(5, (192, 13, 13))}
    with pytest.raises(ValueError, match=r"needs inputs\.maps"):
        Encoder(model, facts, 0)
    maps = replace(model, inputs=InputConfig(scale="full", maps="p/conv2"))
    with pytest.raises(ValueError, match="192 channels are needed"):
        Encoder(maps, {"a": SessionFacts(5, (3, 13, 13))}, 0)
    with pytest.raises(ValueError, match="needs a pooling readout"):
        Encoder(replace(maps, readout=ModelConfig("x").readout), facts, 0)
    with pytest.raises(ValueError, match=r"needs inputs\.raw"):
        Encoder(replace(maps, core=GNetCoreConfig()), {"a": SessionFacts(5, (3, 64, 64))}, 0)
    readout, some = maps_and_readout()
    with pytest.raises(ValueError, match="no positions"):
        readout(some, torch.zeros(3, 2))
    with pytest.raises(ValueError, match="the readout is built for"):
        readout(some[:2])
