"""Reading feature maps at points, against `grid_sample` and finite differences."""

import pytest
import torch
import torch.nn.functional as F

from src.models import sampling
from src.models.sampling import _grid_sample_dot, sample_dot

OPTIONS = [(a, p) for a in (True, False) for p in ("zeros", "border")]


def inputs(n=5, u=40, shared=False, spread=0.8, dtype=torch.float64, shape=(3, 6, 9)):
    g = torch.Generator().manual_seed(n + u)
    x = torch.randn(n, *shape, generator=g, dtype=dtype)
    positions = spread * torch.randn(1 if shared else n, u, 2, generator=g, dtype=dtype)
    weights = torch.randn(u, shape[0], generator=g, dtype=dtype)
    return [t.requires_grad_() for t in (x, positions, weights)]


def reference(x, positions, weights, align_corners=True, padding="zeros"):
    grid = positions.expand(len(x), -1, -1)[:, None]
    read = F.grid_sample(x, grid, padding_mode=padding, align_corners=align_corners)
    return (read[:, :, 0] * weights.T).sum(1)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("block", [1, 100, 10**6])
@pytest.mark.parametrize("function", [sample_dot, _grid_sample_dot])
def test_values_and_gradients_are_those_of_grid_sample(
    monkeypatch, options, shared, block, function
):
    monkeypatch.setattr(sampling, "BLOCK", block)
    monkeypatch.setattr(sampling, "FEATURES", 400)
    tensors = inputs(shared=shared)
    ours, theirs = function(*tensors, *options), reference(*tensors, *options)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    upstream = torch.randn_like(theirs)
    for a, b in zip(
        torch.autograd.grad(ours, tensors, upstream),
        torch.autograd.grad(theirs, tensors, upstream),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


@pytest.mark.parametrize("options", OPTIONS)
def test_finite_differences(options):
    tensors = inputs(n=2, u=5, shape=(2, 4, 5))
    assert torch.autograd.gradcheck(lambda *t: sample_dot(*t, *options), tensors)


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 2)])
@pytest.mark.parametrize("n", [1, 6])
def test_maps_of_few_pixels(n, size):
    """A unit then has more neighbors than there are pixels."""
    tensors = inputs(n=n, u=1, shape=(3, *size))
    ours, theirs = sample_dot(*tensors), reference(*tensors)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    for a, b in zip(
        torch.autograd.grad(ours.sum(), tensors),
        torch.autograd.grad(theirs.sum(), tensors),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


def test_the_edges_belong_to_the_map():
    x = torch.arange(20.0).reshape(1, 1, 4, 5)
    corners = torch.tensor([[[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]])
    y = sample_dot(x, corners, torch.ones(5, 1))
    assert y.tolist() == [[0.0, 4.0, 15.0, 19.0, 9.5]]
    outside = torch.tensor([[[1.25, 0.0], [1.3, 1.3], [3.0, 0.0]]])  # by 0.5, (0.6, 0.45), 4 pixels
    y = sample_dot(x + 1, outside, torch.ones(3, 1))
    assert y[0].tolist() == pytest.approx([0.5 * (10 + 15) / 2, 0.4 * 0.55 * 20, 0.0])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_float32_in_either_layout(layout):
    x, positions, weights = inputs(dtype=torch.float32, shape=(64, 28, 56), spread=0.3)
    y = sample_dot(x.contiguous(memory_format=layout), positions, weights).double()
    exact = reference(x.double(), positions.double(), weights.double())
    torch.testing.assert_close(y, exact, rtol=0, atol=1e-5)


def test_the_same_bits_every_time():
    tensors = inputs(n=9, u=300, dtype=torch.float32)
    runs = [torch.autograd.grad(sample_dot(*tensors).sum(), tensors) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
