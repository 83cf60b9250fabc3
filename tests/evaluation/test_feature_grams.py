"""Grams of stored features: the inner products themselves, of these very features, or nothing."""

import numpy as np
import pytest

from src.data.errors import DataError
from src.data.hashes import image_sha256
from src.evaluation.feature_grams import open_gram, store_grams
from src.models.extraction import extract
from src.models.feature_files import open_features
from tests.models.toy_network import pictures, toy

LAYERS = ("first", "last")


@pytest.fixture
def stored(tmp_path):
    """A folder of features of ten pictures, and their hashes."""
    return extract(toy(), pictures(), tmp_path / "toy", LAYERS), image_sha256(pictures())


def test_a_gram_is_that_of_the_centered_features(stored):
    folder, hashes = stored
    assert store_grams(*stored) == folder.with_name("toy_grams.npz")
    for layer in LAYERS:
        x = open_features(folder, layer, hashes).reshape(10, -1).astype(float)
        x -= x.mean(0)
        np.testing.assert_allclose(open_gram(folder, layer, hashes), x @ x.T, rtol=1e-6, atol=1e-6)


def test_grams_of_these_features_are_kept_and_others_made_anew(stored):
    folder, hashes = stored
    path = store_grams(*stored)
    before, made = path.read_bytes(), path.stat()
    store_grams(*stored)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (made.st_mtime_ns, made.st_ino)
    other = pictures()[::-1]
    extract(toy(), other, folder, LAYERS)
    with pytest.raises(DataError, match="of other features: run 02_extract again"):
        open_gram(folder, "last", image_sha256(other))
    store_grams(folder, image_sha256(other))
    assert path.read_bytes() != before
    with pytest.raises(DataError, match="in another order"):
        open_gram(folder, "last", hashes)


def test_a_missing_or_foreign_file_is_refused(stored):
    folder, hashes = stored
    with pytest.raises(DataError, match=r"toy_grams\.npz is not there"):
        open_gram(folder, "last", hashes)
    np.savez(folder.with_name("toy_grams.npz"), last=np.eye(10))
    with pytest.raises(DataError, match="of other features"):
        open_gram(folder, "last", hashes)
    with pytest.raises(DataError, match="no layer 'middle': choose of first, last"):
        open_gram(folder, "middle", hashes)
    store_grams(*stored)
    assert open_gram(folder, "last", hashes).shape == (10, 10)
