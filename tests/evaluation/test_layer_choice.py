"""The planted layer is chosen, by training images alone."""

import numpy as np
import pytest

from src.evaluation.folds import brain_score_splits
from src.evaluation.layer_choice import choose_layer
from src.evaluation.mapping import cross_validated


@pytest.fixture(scope="module")
def layers():
    """Three layers of 160 images; responses come from the second, of which there are more."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(160, 12))
    found = {
        name: np.tanh(base @ rng.normal(size=(12, 70)) * g)
        for name, g in zip("abc", (3, 1, 3), strict=True)
    }
    y = found["b"] @ rng.normal(size=(70, 10)) + rng.normal(size=(160, 10))
    return found, y, np.arange(160) % 8


@pytest.mark.parametrize("components", [None, 20])
def test_the_planted_layer_is_chosen(layers, components):
    features, y, objects = layers
    found = choose_layer(features, y, objects, "ridge_cv", components)
    assert found.layer == "b" and found.chosen == ["b"] * 10
    table = found.table().set_index("layer")
    assert table["chosen"].tolist() == [0, 1, 0]
    assert table["training"].idxmax() == table["test"].idxmax() == "b"


def test_the_nested_score_is_that_of_the_layer_chosen(layers):
    features, y, objects = layers
    found = choose_layer(features, y, objects, "ridge_cv")
    whole = cross_validated(features["b"], y, brain_score_splits(objects), "ridge_cv")
    np.testing.assert_allclose(found.nested.raw, whole.raw, atol=1e-9)
    np.testing.assert_allclose(found.outer[:, 1], np.median(whole.raw, axis=1), atol=1e-9)


def test_test_images_have_no_say(layers):
    """Responses of one split's test images are replaced: its choice and inner scores stay."""
    features, y, objects = layers
    before = choose_layer(features, y, objects, "ridge_cv", 20, inner=1)
    test = brain_score_splits(objects)[0][1]
    changed = y.copy()
    changed[test] = features["a"][test, :10] * 100
    after = choose_layer(features, changed, objects, "ridge_cv", 20, inner=1)
    np.testing.assert_array_equal(after.inner[0], before.inner[0])
    assert (after.outer[0] != before.outer[0]).all() and (after.inner[1] != before.inner[1]).any()
