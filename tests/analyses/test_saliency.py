"""Gradients at pixels against finite differences, and of the voxels asked for."""

import numpy as np
import pytest
import torch

from src.analyses.saliency import saliency
from src.config import GNetCoreConfig, InputConfig, ModelConfig, PoolingReadoutConfig
from src.data.batch import Batch
from src.data.errors import DataError
from src.models.encoder import Encoder, SessionFacts
from src.models.gnet import prefilter_network
from src.models.gnet_pixels import respond, with_pixels

MEAN = (0.4, 0.5, 0.45)
MODEL = ModelConfig(
    "gnet",
    GNetCoreConfig("stored", MEAN, 8),
    InputConfig(scale="full", maps="prefilter/conv2"),
    PoolingReadoutConfig(),
    output="identity",
)
RNG = np.random.default_rng(0)
IMAGES, RESPONSES = RNG.uniform(0, 255, (3, 3, 67, 67)), RNG.normal(size=(3, 5))


@pytest.fixture(scope="module")
def prefilter():
    return prefilter_network(MEAN, 67, seed=3)


@pytest.fixture(scope="module")
def trained():
    encoder = Encoder(MODEL, {"a": SessionFacts(5, (192, 7, 7))}, seed=1)
    for weights in encoder.readouts.parameters():  # so that predictions are not near 0
        torch.nn.init.normal_(weights, generator=torch.Generator().manual_seed(2))
    return encoder.eval()


def test_pixels_give_what_maps_of_the_prefilter_give(trained, prefilter):
    seen = with_pixels(trained, prefilter, 67)
    pixels = torch.from_numpy(IMAGES).float()
    with torch.no_grad():
        mean = torch.tensor(MEAN)[:, None, None]
        maps = prefilter.module.eval()(pixels / 255 - mean)
        stored = trained(Batch(maps), "a")
    found = respond(seen, "a", np.tile(IMAGES, (7, 1, 1, 1)))  # in more than one batch
    np.testing.assert_allclose(found, np.tile(stored, (7, 1)), rtol=1e-4, atol=1e-5)


def test_gradient_is_that_of_finite_differences(trained, prefilter):
    seen, units = with_pixels(trained, prefilter, 67).double(), np.array([4, 1])
    found = saliency(with_pixels(trained, prefilter, 67), "a", IMAGES, RESPONSES, units)
    assert found.shape == (3, 67, 67)

    def error(images):
        with torch.no_grad():
            predicted = seen(Batch(torch.from_numpy(images)), "a").numpy()
        return ((predicted - RESPONSES) ** 2)[:, units].sum()

    strongest = np.argsort(-np.abs(found).ravel())[:3]
    for n, y, x in zip(*np.unravel_index(strongest, found.shape), strict=True):
        moved = np.zeros_like(IMAGES)
        moved[n, :, y, x] = 1e-3
        slope = (error(IMAGES + moved) - error(IMAGES - moved)) / 2e-3
        assert 3 * found[n, y, x] == pytest.approx(slope, rel=1e-3)


def test_what_does_not_fit_is_refused(trained, prefilter):
    with pytest.raises(DataError, match="the size that 02_extract had"):
        with_pixels(trained, prefilter, 113)
    with pytest.raises(DataError, match="a row an image"):
        saliency(with_pixels(trained, prefilter, 67), "a", IMAGES, RESPONSES[:2], np.arange(5))
