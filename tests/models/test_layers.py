"""First convolution against planes put together by hand, Laplace penalty against scipy."""

import pytest
import torch
from scipy.ndimage import convolve

from src.models.layers import (
    FirstConvolution,
    Layer,
    along_time,
    convolution3d,
    dropout,
    laplace_penalty,
    linear,
    within_frames,
)
from src.seeds import stream


def first(seed=0, **options):
    conv = FirstConvolution(out_channels=5, **options)
    generator = torch.Generator().manual_seed(seed)
    torch.nn.init.normal_(conv.weight, generator=generator)
    return conv


def test_laplace_penalty_is_that_of_scipy():
    weight = torch.randn(4, 3, 6, 5, dtype=torch.float64)
    kernel = [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]
    rough = [convolve(w, kernel, mode="constant") for f in weight.numpy() for w in f]
    expected = sum((r**2).sum() for r in rough) / (weight.numpy() ** 2).sum()
    assert laplace_penalty(weight).item() == pytest.approx(expected, rel=1e-12)


def test_laplace_penalty_takes_channels_last_weights():
    weight = torch.randn(4, 3, 5, 5)
    last = weight.contiguous(memory_format=torch.channels_last)
    assert laplace_penalty(last).item() == pytest.approx(laplace_penalty(weight).item(), rel=1e-6)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [0, 3, 7])
@pytest.mark.parametrize(("kernel", "stride"), [(4, 4), (9, 1), (4, 3)])
def test_folded_form_equals_appended_planes(channels, side, centered, kernel, stride):
    sizes = {"kernel": kernel, "stride": stride, "centered": centered}
    conv = first(image_channels=channels, side=side, **sizes).double()
    images = torch.randn(6, channels, 18, 23, dtype=torch.float64) + 2
    scalars = torch.randn(6, side, dtype=torch.float64) if side else None
    planes = [images, images - images.mean((2, 3), keepdim=True)][: 1 + centered]
    for k in range(side):
        planes.append(torch.ones(6, 1, 18, 23) * scalars[:, k].reshape(6, 1, 1, 1))
    by_hand = torch.nn.functional.conv2d(torch.cat(planes, 1), conv.weight, stride=stride)
    gradients = []
    for form in ("folded", "plane"):
        conv.form = form
        y = conv(images, scalars)
        torch.testing.assert_close(y, by_hand, rtol=0, atol=1e-11)
        gradients.append(torch.autograd.grad(y.square().sum(), conv.weight)[0])
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize("given", [None, torch.zeros(2, 3), torch.zeros(1, 4)])
def test_wrong_number_of_scalars_is_refused(given):
    conv = first(image_channels=1, side=4, kernel=4)
    with pytest.raises(ValueError, match=r"side scalars are \(.*\(2, 4\)"):
        conv(torch.zeros(2, 1, 8, 8), given)


def test_linear_starts_as_pytorch_does_but_seeded():
    layers = [linear(400, 300, torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(layers[0].weight, layers[1].weight)
    ours, reference = layers[0].weight, torch.nn.Linear(400, 300).weight
    assert ours.abs().max().item() == pytest.approx(reference.abs().max().item(), rel=1e-3)
    assert ours.std().item() == pytest.approx(reference.std().item(), rel=0.01)
    assert layers[0].bias.abs().max() <= 400**-0.5


def test_batch_norm_keeps_a_tenth_of_the_old_statistics():
    layer = Layer(torch.nn.Identity(), 2, momentum=0.9, linear=True)
    x = torch.randn(50, 2, 4, 4) * 3 + 5
    y = layer(x)
    torch.testing.assert_close(layer.norm.running_mean, 0.9 * x.mean((0, 2, 3)))
    expected = (x - x.mean((0, 2, 3), keepdim=True)) / (
        x.var((0, 2, 3), keepdim=True, correction=0) + 1e-5
    ).sqrt()
    torch.testing.assert_close(y, expected)
    layer.norm.linear = False
    torch.testing.assert_close(layer(x), torch.where(y > 0, y, y.expm1()))


@pytest.mark.parametrize("share", [0.0229, 0.2544, 0.5])
def test_dropout_is_that_of_torch(share):
    """A value is dropped or scaled as by torch, as often, and independently of its neighbors."""
    x = torch.rand(301, 333, dtype=torch.float64) + 1
    before = torch.get_rng_state()
    y = dropout(x, share, stream(0))
    assert torch.equal(torch.get_rng_state(), before)
    zero = y == 0
    torch.testing.assert_close(y[~zero], x[~zero] / (1 - share), rtol=2e-5, atol=0)
    spread = (share * (1 - share) / x.numel()) ** 0.5
    assert zero.double().mean().item() == pytest.approx(share, abs=4 * spread)
    for step in (1, 2, 3, 4):  # four values share a draw
        both = (zero.flatten()[step:] & zero.flatten()[:-step]).double().mean().item()
        assert both == pytest.approx(share**2, abs=4 * share / x.numel() ** 0.5)
    assert torch.equal(dropout(x, share, stream(0)), y)
    assert not torch.equal(dropout(x, share, stream(1)), y)
    assert dropout(x, 0.0, None) is x


@pytest.mark.parametrize("groups", [1, 4])
def test_convolutions_over_space_and_over_time_are_those_of_volumes(groups):
    draw, options = torch.Generator().manual_seed(0), {"stride": (1, 2, 3), "padding": (0, 1, 2)}
    space = convolution3d(4, 8, (1, 3, 5), draw, groups=groups, **options).double()
    time = convolution3d(8, 8, (3, 1, 1), draw, groups=groups, bias=False).double()
    x = torch.randn(2, 4, 6, 9, 8, generator=draw).double()
    found, expected = along_time(time, within_frames(space, x)), time(space(x))
    torch.testing.assert_close(found, expected)
    weights = [*space.parameters(), *time.parameters()]
    grown = (torch.autograd.grad(y.square().sum(), weights) for y in (found, expected))
    for ours, theirs in zip(*grown, strict=True):
        torch.testing.assert_close(ours, theirs)
