"""The small object network: shapes, names, initial weights and a pass written out."""

import pytest
import torch
import torch.nn.functional as F

from src.data.errors import DataError
from src.models.object_network import ObjectNetwork
from src.seeds import stream


def network(seed=1, **changes):
    return ObjectNetwork(5, (4, 8), generator=stream(seed, "init"), **changes)


@pytest.mark.parametrize("size", [(64, 64), (33, 18), (2, 3)])
def test_pictures_of_any_size_go_through_named_blocks(size):
    module, shapes = ObjectNetwork(7, generator=stream(1, "init")).eval(), {}
    for name in ("block1", "block4", "pool", "classifier"):
        module.get_submodule(name).register_forward_hook(
            lambda _, inputs, output, name=name: shapes.update({name: tuple(output.shape)})
        )
    module(torch.zeros(2, 3, *size))
    halved = tuple(-(-s // 2) for s in size)
    least = tuple(-(-s // 16) for s in size)
    assert shapes["block1"] == (2, 16, *halved)
    assert shapes["block4"] == (2, 128, *least)
    assert (shapes["pool"], shapes["classifier"]) == ((2, 128), (2, 7))


def test_the_pass_is_the_one_written_out():
    module, x = network().train(), torch.randn(6, 3, 12, 10)
    expected = x
    for block in (module.block1, module.block2):
        for conv in (block[0], block[3]):
            expected = F.conv2d(expected, conv.weight, padding=1)
            mean = expected.mean((0, 2, 3), keepdim=True)
            variance = expected.var((0, 2, 3), unbiased=False, keepdim=True)
            expected = ((expected - mean) / (variance + 1e-5).sqrt()).clamp(min=0)
        h, w = expected.shape[2:]
        padded = F.pad(expected, (0, w % 2, 0, h % 2), value=-torch.inf)
        expected = padded.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
    expected = expected.mean((2, 3)) @ module.classifier.weight.T + module.classifier.bias
    torch.testing.assert_close(module(x), expected, rtol=1e-3, atol=1e-4)


def test_weights_are_he_normal_and_come_from_the_generator_alone():
    before = torch.get_rng_state()
    one, same, other = (ObjectNetwork(22, generator=stream(s, "init")) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(one.parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.block1[0].weight, other.block1[0].weight)
    for i in range(1, 5):
        for weight in (p for p in one.get_submodule(f"block{i}").parameters() if p.dim() == 4):
            deviation = (2 / weight[0].numel()) ** 0.5  # sqrt(2 / fan_in)
            chance = 5 / (2 * weight.numel()) ** 0.5
            assert weight.std().item() == pytest.approx(deviation, rel=chance)
            assert abs(weight.mean().item()) < 5 * deviation / weight.numel() ** 0.5


def test_its_size_is_the_one_counted_by_hand():
    """Two convolutions a block and two numbers a channel for each of their norms."""
    sizes = [(3, 16), (16, 32), (32, 64), (64, 128)]
    expected = sum(9 * (a * b + b * b) + 4 * b for a, b in sizes) + 128 * 22 + 22
    module = ObjectNetwork(22, generator=stream(1, "init"))
    assert sum(p.numel() for p in module.parameters()) == expected


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (3, 8, 8)])
def test_images_of_other_channels_are_refused_with_both_shapes(shape):
    with pytest.raises(DataError) as error:
        network()(torch.zeros(shape))
    assert str(shape) in str(error.value)
    assert "(n, 3, h, w)" in str(error.value)
    assert network(image_channels=1)(torch.zeros(2, 1, 8, 8)).shape == (2, 5)
