"""Plain convolutional core: the block written out, He weights, sizes, layout, refusals."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from src.config import ConvCoreConfig
from src.models.cores import ConvCore

SMALL = ConvCoreConfig((4, 6))


def make(config, image_channels=3, seed=0):
    return ConvCore(config, image_channels, torch.Generator().manual_seed(seed))


def written_out(core, x):
    """Blocks in the order of the specification: convolution, batch norm, ReLU, max pooling."""
    weights, c = core.state_dict(), core.config
    for i in range(len(c.channels)):
        w = {k.removeprefix(f"blocks.{i}."): v for k, v in weights.items()}
        x = F.conv2d(x, w["0.weight"], w["0.bias"], padding=c.padding)
        if c.batch_norm:
            statistics = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
            mean, var = statistics if core.training else (w["1.running_mean"], w["1.running_var"])
            shape = 1, -1, 1, 1
            x = (x - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt()
            x = x * w["1.weight"].view(shape) + w["1.bias"].view(shape)
        x = F.max_pool2d(F.relu(x), c.pool)
    return x


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "config", [SMALL, replace(SMALL, padding=1, batch_norm=False, pool=3), ConvCoreConfig((5,), 5)]
)
def test_a_core_is_its_blocks_written_out(config, training):
    core, images = make(config).train(training), torch.randn(4, 3, 31, 26)
    expected = written_out(core, images)
    torch.testing.assert_close(core(images), expected, rtol=1e-4, atol=1e-5)
    assert tuple(expected.shape[1:]) == (core.channels, *core.output_shape(31, 26))


def test_the_gradient_is_that_of_the_blocks_written_out():
    core, images = make(SMALL).double(), torch.randn(4, 3, 20, 17, dtype=torch.float64)
    weight, seen = core.blocks[0][0].weight, torch.randn(4, 6, 3, 2, dtype=torch.float64)
    core.train()
    ours = torch.autograd.grad((core(images) * seen).sum(), weight)[0]
    theirs = weight.detach().clone().requires_grad_()

    def reference(w):
        first, second = core.blocks
        x = F.max_pool2d(F.relu(first[1](F.conv2d(images, w, first[0].bias))), 2)
        return F.max_pool2d(F.relu(second[1](second[0](x))), 2)

    (reference(theirs) * seen).sum().backward()
    torch.testing.assert_close(ours, theirs.grad, rtol=1e-9, atol=1e-10)


def test_the_maps_of_224_pixels_are_the_published_ones():
    core = make(ConvCoreConfig())
    assert core.output_shape(224, 224) == (26, 26) and core.channels == 128
    sizes = [make(ConvCoreConfig((2,) * n)).output_shape(224, 224)[0] for n in (1, 2, 3)]
    assert sizes == [111, 54, 26]


def test_convolutions_start_as_he_et_al():
    weight = make(ConvCoreConfig()).blocks[2][0].weight  # (128, 64, 3, 3)
    assert weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert weight.abs().max() > 3.5 * weight.std()  # uniform: 1.7
    bias = make(ConvCoreConfig()).blocks[2][0].bias
    assert 0.9 / 24 < bias.abs().max() <= 1 / 24


def test_weights_come_from_the_generator_alone():
    torch.manual_seed(1)
    one = make(SMALL).state_dict()
    torch.manual_seed(2)
    same, other = make(SMALL).state_dict(), make(SMALL, seed=1).state_dict()
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not torch.equal(one["blocks.1.0.weight"], other["blocks.1.0.weight"])


def test_maps_and_kernels_are_channels_last_and_nothing_is_penalized():
    core = make(SMALL)
    kernels = [p for p in core.parameters() if p.dim() == 4]
    for x in (core(torch.randn(2, 3, 20, 20)), *kernels):
        assert x.is_contiguous(memory_format=torch.channels_last)
    assert core.penalty() == 0


def test_small_images_and_side_scalars_are_refused():
    with pytest.raises(ValueError, match=r"too small for this core: its 3x3 window gets \(2, 9\)"):
        make(SMALL).output_shape(6, 20)
    with pytest.raises(ValueError, match=r"side scalars are \(2, 1\), a plain core takes none"):
        make(SMALL)(torch.randn(2, 3, 20, 20), torch.zeros(2, 1))
