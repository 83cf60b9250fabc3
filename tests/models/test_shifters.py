"""Shifter against its formula."""

import torch

from src.models.shifters import Shifter


def make(seed=0, still=False):
    return Shifter(torch.Generator().manual_seed(seed), still)


def test_three_layers_with_tanh_after_each():
    shifter, x = make(), torch.randn(7, 2)
    expected = x.double()
    for layer in (0, 2, 4):
        linear = shifter.mlp[layer]
        expected = torch.tanh(expected @ linear.weight.double().T + linear.bias)
    torch.testing.assert_close(shifter(x), expected)
    assert sum(p.numel() for p in shifter.parameters()) == 57


def test_weights_come_from_the_generator():
    one, two, three = (make(s).mlp[2].weight for s in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, three)


def test_a_still_shifter_starts_at_zero_and_learns():
    shifter = make(still=True)
    shift = shifter(torch.randn(7, 2))
    assert torch.equal(shift, torch.zeros(7, 2, dtype=shift.dtype))
    shift.sum().backward()
    assert shifter.mlp[4].weight.grad.abs().sum() > 0


def test_layers_start_as_pytorch_s_linear_does():
    """The published xavier initializer matches no layer, so its models started like this too."""
    for layer, width in ((0, 2), (2, 5), (4, 5)):
        many = torch.cat([make(seed).mlp[layer].weight.flatten() for seed in range(200)])
        bound = width**-0.5
        assert many.abs().max() <= bound
        assert abs(many.std() - bound / 3**0.5) < 0.05 * bound
