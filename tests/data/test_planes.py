"""Quarter scale and winner planes against published arrays and torch's own interpolation."""

import numpy as np
import pytest
import torch

from src.data.errors import DataError
from src.data.planes import rescale_quarter, winner_planes
from src.data.sensorium import FULL_FRAME


@pytest.fixture(scope="module")
def winner(shared):
    return np.load(shared / "fixtures/sensorium2022/winner_pipeline.npz")


def test_rescale_equals_the_published_arrays_exactly(shared):
    stored = np.load(shared / "fixtures/sensorium2022/rescale.npz")
    ours = rescale_quarter(torch.from_numpy(stored["raw"])[None])
    np.testing.assert_array_equal(ours[0].numpy(), stored["out"], strict=True)


@pytest.mark.parametrize("size", [(144, 256), (112, 112), (36, 65), (7, 9)])
@pytest.mark.parametrize("channels", [1, 3])
def test_rescale_is_bilinear_interpolation_for_whole_numbers(size, channels):
    images = torch.randint(0, 256, (2, channels, *size)).float()
    wanted = torch.nn.functional.interpolate(images, scale_factor=0.25, mode="bilinear")
    torch.testing.assert_close(rescale_quarter(images), wanted, rtol=0, atol=0)


def test_rescale_refuses_images_without_a_whole_block():
    with pytest.raises(DataError, match=r"\(3, 9\) pixels are too small.*scale='full'"):
        rescale_quarter(torch.zeros(1, 1, 3, 9))


def test_winner_planes_equal_the_published_input_exactly(winner):
    images = torch.from_numpy(winner["loader/raw_images"])
    images = (images - winner["loader/img_mean"].item()) / winner["loader/img_std"].item()
    ours = winner_planes(images, torch.from_numpy(winner["loader/xywh"][:3]))
    np.testing.assert_array_equal(ours.numpy(), winner["loader/images"], strict=True)


def test_winner_planes_let_gradients_through():
    images = torch.randn(2, 1, 5, 6, requires_grad=True)
    planes = winner_planes(images, torch.tensor([FULL_FRAME] * 2))
    planes[:, 1].pow(2).sum().backward()  # d/dx sum (x - mean)^2 = 2 (x - mean)
    centered = images.detach() - images.detach().mean((2, 3), keepdim=True)
    torch.testing.assert_close(images.grad, 2 * centered)


@pytest.mark.parametrize(("images", "boxes"), [((2, 3, 4, 4), (2, 4)), ((2, 1, 4, 4), (1, 4))])
def test_winner_planes_name_both_shapes(images, boxes):
    with pytest.raises(DataError, match=r"images \(n, 1, h, w\) and boxes \(n, 4\), not"):
        winner_planes(torch.zeros(images), torch.zeros(boxes))
