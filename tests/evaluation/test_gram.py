"""Streamed Grams against one product, for mapped files of any float type."""

import numpy as np
import pytest

from src.data.errors import DataError
from src.evaluation import gram as gram_module
from src.evaluation.decomposition import decompose
from src.evaluation.gram import streamed_gram


def centered(gram):
    return gram - gram.mean(0) - gram.mean(1)[:, None] + gram.mean()


@pytest.fixture
def features():
    return np.random.default_rng(0).gamma(1.0, size=(20, 103))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("chunk", [1, 25, 103, 1000])
def test_of_a_mapped_file(tmp_path, monkeypatch, features, kind, chunk):
    monkeypatch.setattr(gram_module, "ROWS", 7)
    np.save(tmp_path / "x.npy", features.astype(kind))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    x = features.astype(kind).astype(np.float64)
    expected = centered(x @ x.T)
    gram = streamed_gram(mapped, chunk=chunk)
    assert gram.dtype == np.float64
    np.testing.assert_allclose(centered(gram), expected, atol=1e-11)
    np.testing.assert_allclose(
        centered(streamed_gram(mapped[:, :40], chunk=chunk)),
        centered(x[:, :40] @ x[:, :40].T),
        atol=1e-11,
    )
    np.testing.assert_array_equal(mapped, features.astype(kind))  # the file is left as it was


def test_others_join_the_same_gram(features):
    whole = streamed_gram(features)
    train, rest = features[:14], features[14:]
    square, cross = streamed_gram(train, chunk=10), streamed_gram(train, rest, chunk=30)
    assert cross.shape == (6, 14)
    by_parts = decompose(square).project(cross)
    by_rows = decompose(whole, np.arange(14)).project(whole[14:])
    np.testing.assert_allclose(by_parts @ by_parts.T, by_rows @ by_rows.T, atol=1e-9)


def test_digits_survive_an_offset(features):
    """A plain product in float64 loses half its digits when features are a million from 0."""
    expected = centered(features @ features.T)
    far = features + 1e6
    np.testing.assert_allclose(centered(streamed_gram(far)), expected, atol=1e-6)
    assert np.abs(centered(far @ far.T) - expected).max() > 1e-3


def test_changes_to_a_private_copy_are_kept(tmp_path, features):
    np.save(tmp_path / "x.npy", features)
    private = np.load(tmp_path / "x.npy", mmap_mode="c")
    private[:] *= 2
    streamed_gram(private)
    np.testing.assert_array_equal(private, 2 * features)


def test_refusals(features):
    with pytest.raises(DataError, match=r"\(20, 103, 1\).*flatten"):
        streamed_gram(features[..., None])
    with pytest.raises(DataError, match=r"\(20, 103\) and \(20, 50\)"):
        streamed_gram(features, features[:, :50])
    features[3, 7] = np.inf
    with pytest.raises(DataError, match="not all finite"), np.errstate(invalid="ignore"):
        streamed_gram(features)
