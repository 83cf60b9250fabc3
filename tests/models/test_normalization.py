"""Batch norm and ELU against PyTorch's own in float64, and finite differences."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import grad, gradcheck

from src.models import separable
from src.models.normalization import BatchNorm, statistics


def norm(channels: int, linear: bool = False, momentum: float = 0.9) -> BatchNorm:
    layer = BatchNorm(channels, momentum, linear)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-0.5, 2, channels))
        layer.bias.copy_(torch.linspace(-1, 1, channels))
    return layer


def maps(*shape: int, seed: int = 3) -> torch.Tensor:
    x = 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + 1
    return x.contiguous(memory_format=torch.channels_last).requires_grad_()


def exact(layer: BatchNorm, x: torch.Tensor) -> list[torch.Tensor]:
    """Output, gradients and running statistics by PyTorch's separate operations in float64."""
    plain = nn.BatchNorm2d(x.shape[1], momentum=layer.momentum).double()
    plain.load_state_dict(layer.state_dict())
    double = x.detach().double().contiguous().requires_grad_()
    y = plain(double)
    return results(plain, double, y if layer.linear else F.elu(y))


def results(layer: nn.Module, x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    gradient = maps(*y.shape, seed=4).detach().to(y) + x.detach()  # no sum of it is near 0
    gradients = grad(y, (x, layer.weight, layer.bias), gradient)
    return [y, *gradients, layer.running_mean, layer.running_var]


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("cached", [3 * 4 * 28 * 56, 2**19])
def test_sums_are_exact_in_float32(monkeypatch, linear, cached):
    monkeypatch.setattr(separable, "CACHED", cached)
    layer, x = norm(4, linear), maps(128, 4, 28, 56)  # the published batch: PyTorch is off by 3e-5
    expected = exact(layer, x)
    for ours, theirs in zip(results(layer, x, layer(x)), expected, strict=True):
        largest = float(theirs.detach().abs().max())
        torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=5e-6 * largest)
    assert layer.num_batches_tracked == 1


@pytest.mark.parametrize("linear", [False, True])
def test_gradients_are_those_of_finite_differences(linear):
    layer, x = norm(3, linear).double(), maps(4, 3, 2, 3).detach().double().requires_grad_()
    assert gradcheck(lambda x, *_: layer(x), (x, layer.weight, layer.bias))


@pytest.mark.parametrize("images", [1, 40])
def test_dropout_within_is_dropout_after(monkeypatch, images):
    monkeypatch.setattr(separable, "CACHED", 4 * 9 * 7 * 8)
    kept = 2.0 * (torch.rand(images, 4, 1, 1, generator=torch.Generator().manual_seed(1)) < 0.5)
    x = maps(images, 4, 9, 7)
    layer, after = norm(4, linear=True), norm(4, linear=True)
    ours, theirs = results(layer, x, layer(x, kept)), results(after, x, after(x) * kept)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * b.abs().max().item())
    torch.testing.assert_close(layer.eval()(x, kept), after.eval()(x) * kept)


def test_evaluation_uses_the_running_statistics():
    layer, x = norm(5), maps(6, 5, 7, 8)
    layer(x)
    expected = F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias)
    torch.testing.assert_close(layer.eval()(x), F.elu(expected))


def test_without_momentum_the_running_statistics_are_a_mean_over_batches():
    layer, plain = norm(4, momentum=None), nn.BatchNorm2d(4, momentum=None)
    for seed in range(3):
        layer(maps(5, 4, 9, 9, seed=seed))
        plain(maps(5, 4, 9, 9, seed=seed))
    torch.testing.assert_close(layer.running_mean, plain.running_mean)
    torch.testing.assert_close(layer.running_var, plain.running_var)


def test_statistics_survive_a_large_mean():
    x = maps(40, 3, 28, 28).detach() + 1000
    mean, variance = statistics(x)
    torch.testing.assert_close(mean, x.double().mean((0, 2, 3)), rtol=1e-7, atol=0)
    torch.testing.assert_close(variance, x.double().var((0, 2, 3), correction=0), rtol=1e-5, atol=0)


def test_any_memory_layout_gives_the_same():
    x = maps(6, 4, 9, 7)
    y, z = norm(4)(x), norm(4)(x.detach().contiguous())
    assert y.is_contiguous(memory_format=torch.channels_last) and z.is_contiguous()
    torch.testing.assert_close(y, z)
