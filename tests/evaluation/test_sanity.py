"""What is plain in pictures is read out of their features, and of no others."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from src.data.errors import DataError
from src.evaluation.sanity import plain_properties, plain_readout
from src.models.planted import areas_of
from src.models.pretrained import random_network
from src.models.registry import cornet_record


@pytest.fixture(scope="module")
def shown():
    """120 blurred pictures of their own brightness, and IT of a random CORnet-Z."""
    rng = np.random.default_rng(0)
    noise = gaussian_filter(rng.normal(size=(120, 32, 32)), (0, 6, 6))
    noise *= 40 / noise.std()
    pictures = np.clip(128 + noise + rng.normal(0, 20, (120, 1, 1)), 0, 255).astype(np.uint8)
    network = random_network(cornet_record("z"), 0)
    network = replace(network, record=replace(network.record, input_size=32))
    return pictures, areas_of(network)(pictures)


def test_features_of_pictures_know_what_pictures_are_like(shown):
    pictures, features = shown
    for area in ("V1", "IT"):
        r = plain_readout(features[area], pictures)
        assert (r.drop("contrast") > 0.85).all() and r["contrast"] > 0.35


def test_features_of_other_pictures_do_not(shown):
    pictures, features = shown
    other = np.random.default_rng(1).permutation(features["IT"])
    assert (plain_readout(other, pictures).abs() < 0.35).all()


def test_properties_are_what_they_are_called():
    picture = np.zeros((1, 3, 4, 4))
    picture[..., 2:] = 10
    picture[:, :, 3] += 4
    assert plain_properties(picture)[0] == pytest.approx([6, picture.std(), 10, 2])
    with pytest.raises(DataError, match="give 40 or more"):
        plain_readout(np.zeros((3, 2)), np.zeros((3, 4, 4)))
