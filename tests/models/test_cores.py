"""Cores: parameter counts of the papers, shapes, side information, memory layout, seeds."""

import pytest
import torch

from src.config import BaselineCoreConfig, WideCoreConfig
from src.models.cores import BaselineCore, WideCore

NARROW = WideCoreConfig(channels=(4, 6, 8, 8))


def make(config, image_channels=1, side=0, centered=False, seed=0):
    core = WideCore if isinstance(config, WideCoreConfig) else BaselineCore
    generator = torch.Generator().manual_seed(seed)
    return core(config, image_channels, side, centered, generator)


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts():
    assert count(make(BaselineCoreConfig())) == 39_680
    assert count(make(BaselineCoreConfig(layers=3, linear=True), side=3)) == 43_776
    assert count(make(WideCoreConfig(), side=4, centered=True)) == 734_784


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(36, 64), (17, 9), (40, 33)])
def test_baseline_output_shape(channels, size):
    core = make(BaselineCoreConfig(channels=4), channels)
    h, w = core.output_shape(*size)
    assert (h, w) == (size[0] - 8, size[1] - 8) and core.channels == 4
    assert core(torch.randn(2, channels, *size)).shape == (2, 4, h, w)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(144, 256), (37, 51), (36, 36)])
@pytest.mark.parametrize("form", ["folded", "plane"])
def test_wide_output_shape(channels, size, form):
    config = WideCoreConfig(channels=(4, 6, 8, 8), form=form)
    core = make(config, channels, side=2, centered=True)
    y = core(torch.randn(2, channels, *size), torch.randn(2, 2))
    h, w = core.output_shape(*size)
    assert y.shape == (2, 8, h, w)
    assert (h, w) == (size[0] // 4 - 8, size[1] // 4 - 8)


@pytest.mark.parametrize(("config", "size"), [(BaselineCoreConfig(), (8, 64)), (NARROW, (64, 35))])
def test_small_images_are_refused(config, size):
    with pytest.raises(ValueError, match=r"images are too small.*9x9 window gets \("):
        make(config).output_shape(*size)


@pytest.mark.parametrize(
    "config",
    [
        BaselineCoreConfig(2, channels=4, input_kernel=7, input_stride=2, pool=3, hidden_kernel=3),
        WideCoreConfig((4, 6, 8), stem_kernel=7, stem_stride=2, pool=3, input_kernel=3),
    ],
)
def test_stride_and_pool_thin_out_the_first_map(config):
    core, images = make(config, image_channels=3).eval(), torch.randn(2, 3, 37, 51)
    first = core.layers[0](images)
    assert first.shape[2:] == (16, 23)
    cropped = first[:, :, :15, :21].unflatten(3, (7, 3)).unflatten(2, (5, 3))
    expected = cropped.mean((3, 5))
    for layer in core.layers[1:]:
        expected = layer(expected)
    torch.testing.assert_close(core(images), expected)
    assert tuple(expected.shape[2:]) == core.output_shape(37, 51)
    with pytest.raises(ValueError, match=r"images are too small.*3x3 window gets \("):
        core.output_shape(9, 51)


def test_behavior_of_the_baseline_equals_appended_planes():
    config = BaselineCoreConfig(channels=8)
    core, plain = (make(config, *c, seed=4).double() for c in ((1, 3), (4, 0)))
    assert torch.equal(core.layers[0].conv.weight, plain.layers[0].conv.weight)
    images, behavior = (torch.randn(5, *s, dtype=torch.float64) for s in ((1, 20, 24), (3,)))
    planes = behavior[:, :, None, None].expand(-1, -1, 20, 24)
    expected = plain(torch.cat([images, planes], 1))
    torch.testing.assert_close(core(images, behavior), expected, rtol=0, atol=1e-11)


def test_wide_forms_share_one_state():
    forms = (WideCoreConfig(NARROW.channels, form=form) for form in ("folded", "plane"))
    folded, plane = (make(c, side=7, centered=True, seed=s).double() for s, c in enumerate(forms))
    plane.load_state_dict(folded.state_dict())
    images, side = (torch.randn(3, *s, dtype=torch.float64) for s in ((1, 48, 64), (7,)))
    torch.testing.assert_close(folded(images, side), plane(images, side), rtol=0, atol=1e-11)
    assert folded.penalty().item() == plane.penalty().item()


def test_only_the_first_kernel_is_penalized():
    core = make(NARROW, side=4, centered=True)
    gradients = torch.autograd.grad(core.penalty(), core.parameters(), allow_unused=True)
    names = [
        n for (n, _), g in zip(core.named_parameters(), gradients, strict=True) if g is not None
    ]
    assert names == ["layers.0.conv.weight"]


def test_a_linear_core_is_affine_and_another_is_not():
    a, b = torch.randn(2, 3, 1, 16, 16)
    for linear, same in ((True, True), (False, False)):
        core = make(BaselineCoreConfig(channels=8, layers=3, linear=linear)).eval()
        middle, mean = core((a + b) / 2), (core(a) + core(b)) / 2
        assert torch.allclose(middle, mean, atol=1e-4) is same


def test_feature_maps_and_weights_are_channels_last():
    for config in (BaselineCoreConfig(channels=8), NARROW):
        core = make(config)
        y, kernels = core(torch.randn(2, 1, 48, 64)), (p for p in core.parameters() if p.dim() == 4)
        assert all(t.is_contiguous(memory_format=torch.channels_last) for t in (y, *kernels))


def test_weights_come_from_the_generator_alone():
    one, two, three = (make(BaselineCoreConfig(), seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not torch.equal(one["layers.0.conv.weight"], three["layers.0.conv.weight"])


def test_convolutions_start_xavier_normal():
    weight = make(BaselineCoreConfig()).layers[0].conv.weight  # (64, 1, 9, 9)
    assert weight.std().item() == pytest.approx((2 / (81 + 64 * 81)) ** 0.5, rel=0.05)
    assert weight.abs().max() > 2.5 * weight.std()  # uniform: 1.7
    deep = make(BaselineCoreConfig()).layers[1].conv.spatial_conv.weight  # (64, 1, 7, 7)
    assert deep.std().item() == pytest.approx((2 / (49 + 64 * 49)) ** 0.5, rel=0.05)
