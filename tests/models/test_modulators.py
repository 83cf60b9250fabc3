"""Modulators against their formulas."""

import torch

from src.models.modulators import Modulator


def make(kind="gain", n_units=6):
    modulator = Modulator(n_units, torch.Generator().manual_seed(0), kind)
    return modulator, torch.randn(9, 3)


def test_gains_start_at_one():
    modulator, behavior = make()
    assert torch.equal(modulator(behavior), torch.ones(9, 6))


def test_offsets_start_at_zero_and_are_linear_in_a_relu_network():
    modulator, behavior = make("offset")
    assert torch.equal(modulator(behavior), torch.zeros(9, 6))
    torch.nn.init.normal_(modulator.weight)
    first = modulator.hidden[0]
    hidden = (behavior @ first.weight.T + first.bias).clamp(min=0)
    torch.testing.assert_close(modulator(behavior), hidden @ modulator.weight.T)


def test_gain_is_elu_plus_one_of_a_relu_network():
    modulator, behavior = make()
    torch.nn.init.normal_(modulator.weight)
    torch.nn.init.normal_(modulator.bias)
    first = modulator.hidden[0]
    hidden = (behavior @ first.weight.T + first.bias).clamp(min=0)
    z = hidden @ modulator.weight.T + modulator.bias
    torch.testing.assert_close(modulator(behavior), torch.where(z > 0, z + 1, z.exp()))
    units = torch.tensor([4, 0])
    torch.testing.assert_close(modulator(behavior, units), modulator(behavior)[:, units])


def test_every_parameter_learns():
    modulator, behavior = make()
    torch.nn.init.normal_(modulator.weight)
    modulator(behavior).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in modulator.parameters())
