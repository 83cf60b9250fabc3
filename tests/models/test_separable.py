"""The separable block against the three convolutions it stands for, and finite differences."""

import pytest
import torch
from torch.autograd import grad, gradcheck

from src.models import separable
from src.models.separable import Separable, _Separable


def block(c: int, f: int, kernel: int) -> Separable:
    layer = Separable(c, f, kernel)
    for i, weight in enumerate(layer.parameters()):
        torch.nn.init.xavier_normal_(weight, generator=torch.Generator().manual_seed(i))
    return layer


def maps(*shape: int, seed: int = 9, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last).requires_grad_()


def convolutions(layer: Separable, x: torch.Tensor) -> torch.Tensor:
    return layer.out_depth_conv(layer.spatial_conv(layer.in_depth_conv(x)))


def test_gradients_are_those_of_finite_differences():
    layer = block(3, 4, 3).double()
    x = maps(2, 3, 4, 5, dtype=torch.float64)
    assert gradcheck(_Separable.apply, (x, *layer.parameters()))


@pytest.mark.parametrize("cached", [1, 2**14, 2**19], ids=["single images", "parts", "whole"])
@pytest.mark.parametrize(("c", "f", "kernel"), [(6, 6, 7), (3, 10, 5), (10, 3, 3)])
def test_equals_three_convolutions(monkeypatch, c, f, kernel, cached):
    monkeypatch.setattr(separable, "CACHED", cached)
    layer, x = block(c, f, kernel), maps(7, c, 28, 20)
    ours, theirs = layer(x), convolutions(layer, x)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    inputs, gradient = (x, *layer.parameters()), maps(*ours.shape, seed=1).detach()
    for a, b in zip(grad(ours, inputs, gradient), grad(theirs, inputs, gradient), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6 * float(b.abs().max()))


def test_any_memory_layout_is_accepted_and_channels_come_last():
    layer, x = block(5, 8, 7), maps(3, 5, 12, 9)
    plain = x.detach().contiguous().requires_grad_()
    y = layer(plain)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(y, layer(x))
    gradient = maps(*y.shape, seed=1).detach()
    (ours,) = grad(y, plain, gradient.contiguous())
    (again,) = grad(layer(x), x, gradient)
    assert torch.equal(ours, again)


def test_keeps_nothing_but_its_inputs_for_backward():
    layer, x, kept = block(4, 8, 7), maps(6, 4, 10, 10), []
    with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda t: t):
        layer(x)
    assert sum(t.numel() for t in kept) == x.numel() + sum(p.numel() for p in layer.parameters())


def test_two_runs_give_the_same_bits():
    layer, x = block(16, 16, 7), maps(5, 16, 28, 56)
    runs = [grad(layer(x).square().sum(), (x, *layer.parameters())) for _ in range(2)]
    assert all(map(torch.equal, *runs))


def test_autocast_computes_the_convolutions_in_bfloat16():
    layer, x = block(4, 4, 3), maps(2, 4, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="an odd kernel, not 4"):
        Separable(3, 3, 4)
