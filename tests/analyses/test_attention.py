"""Attention roll-out against the product written out, closed forms, and planted attention."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import zoom
from scipy.stats import pearsonr

from src.analyses import attention
from src.config import InputConfig, ModelConfig, ViTCoreConfig
from src.data.batch import Batch
from src.models.encoder import Encoder, SessionFacts
from src.seeds import stream

CORE = ViTCoreConfig(
    patch=4, stride=2, width=6, blocks=3, heads=2, head_width=5, hidden=7, side_hidden=3
)
MODEL = ModelConfig("vit", CORE, InputConfig(behavior=True, pupil=True), shifter=True)
MODEL = replace(MODEL, pupil_in_core=True)
T = 9


@pytest.fixture
def encoder():
    facts = SessionFacts(4, (1, 12, 16), np.eye(4, 3))
    encoder = Encoder(MODEL, {"mouse": facts}, seed=0).eval()
    with torch.no_grad():
        for p in encoder.core.parameters():
            p.copy_(torch.randn(p.shape, generator=stream(1, p.numel())))
    return encoder


@pytest.fixture
def batch():
    g = stream(3)
    images, behavior, pupil = (torch.randn(5, *s, generator=g) for s in ((1, 12, 16), (3,), (2,)))
    return Batch(images, behavior=behavior, pupil=pupil)


def random_weights(blocks=3, n=2, heads=4):
    draw = torch.randn(blocks, n, heads, T, T, dtype=torch.float64, generator=stream(0))
    return torch.softmax(3 * draw, -1)


def test_rollout_is_the_product_of_matrices():
    weights = random_weights()
    for n in range(2):
        product = np.eye(T)
        for block in weights[:, n].numpy():
            mixed = block.max(axis=0) + np.eye(T)
            product = np.diag(1 / mixed.sum(axis=1)) @ mixed @ product
        np.testing.assert_allclose(attention.rollout(weights)[n], product[0, 1:], rtol=1e-12)


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_uniform_attention_gives_a_uniform_map(blocks):
    """(1/2 + U/2)^L = 1/2^L + (1 - 1/2^L) U for U with all entries 1/t."""
    flow = attention.rollout(torch.full((blocks, 1, 3, T, T), 1 / T))
    np.testing.assert_allclose(flow[0], np.full(T - 1, (1 - 0.5**blocks) / T), rtol=1e-5)
    assert not attention.displayed(flow.numpy().reshape(1, 2, 4), (6, 8)).any()


def test_attention_to_one_patch_leads_there():
    """CLS attends to patch 3 in the last block, patch 3 to patch 5 in the first."""
    weights = torch.eye(T).repeat(2, 1, 1, 1, 1)
    weights[1, 0, 0, 0] = torch.nn.functional.one_hot(torch.tensor(3), T)
    weights[0, 0, 0, 3] = torch.nn.functional.one_hot(torch.tensor(5), T)
    flow = attention.rollout(weights)[0]
    assert flow[3 - 1] == 0.25 and flow[5 - 1] == 0.25 and flow.sum() == 0.5


def test_maps_of_an_encoder_are_those_of_its_weights(encoder, batch):
    maps = attention.attention_maps(encoder, batch, "mouse")
    assert maps.shape == (5, 5, 7)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1, rtol=1e-5)
    side = torch.cat([batch.behavior, batch.pupil], 1)
    flow = attention.rollout(encoder.core.attention(batch.images, side)).detach().numpy()
    np.testing.assert_allclose(maps.reshape(5, -1), flow / flow.sum(1, keepdims=True), rtol=1e-4)


def test_displayed_maps_reach_from_0_to_1_over_the_image():
    maps = np.random.default_rng(0).random((2, 4, 5))
    shown = attention.displayed(maps, (4, 5))
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(shown, (maps - low) / (high - low), atol=1e-6)
    large = attention.displayed(maps, (12, 15))
    expected = [zoom(m, 3, order=1, mode="nearest", grid_mode=True) for m in shown]
    np.testing.assert_allclose(large, expected, atol=1e-6)


def test_shuffled_positions_are_the_same_ones_elsewhere(encoder):
    before = encoder.core.positions.detach().clone()
    shuffled = attention.with_shuffled_positions(encoder, stream(0)).core.positions
    assert torch.equal(encoder.core.positions, before) and torch.equal(shuffled[0], before[0])
    assert not torch.equal(shuffled, before)
    assert torch.equal(shuffled.sort(0).values, before.sort(0).values)


def test_behaving_as_another_trial(batch):
    low = Batch(batch.images[:2], behavior=torch.ones(2, 3), pupil=torch.tensor([[1.0, 2], [3, 4]]))
    given = attention.behaving_as(batch, low)
    assert torch.equal(given.images, batch.images)
    assert torch.equal(given.behavior, torch.ones(5, 3))
    assert torch.equal(given.pupil, torch.tensor([[2.0, 3]]).expand(5, -1))
    given = attention.behaving_as(batch, low, np.array([1]))
    assert torch.equal(given.pupil, low.pupil[1:].expand(5, -1))


def test_statistics_are_those_within_a_patch(batch):
    found = attention.patch_statistics(batch.images, 4, 2)
    assert {name: x.shape for name, x in found.items()} == dict.fromkeys(
        ("brightness", "contrast"), (5, 5, 7)
    )
    part = batch.images[3, 0].numpy()[4:8, 12:16]
    assert found["brightness"][3, 2, 6] == pytest.approx(part.mean(), rel=1e-5)
    assert found["contrast"][3, 2, 6] == pytest.approx(part.std(), rel=1e-5)


def test_correlations_of_maps_are_those_of_scipy():
    maps, others = np.random.default_rng(0).normal(size=(2, 3, 4, 5)) * 1e-4
    others -= 1e-4
    found = attention.map_correlations(maps, others)
    for i in range(3):
        for j in range(3):
            expected = pearsonr(maps[i].ravel(), others[j].ravel()).statistic
            assert found[i, j] == pytest.approx(expected, abs=1e-6)
    own, other = attention.own_and_other(found)[1]
    assert own == found[1, 1] and other == pytest.approx((found[1, 0] + found[1, 2]) / 2)


def test_attention_planted_on_contrast_is_found_and_shuffled_images_are_not():
    """Maps that follow each image's own contrast, with noise."""
    images = torch.randn(12, 1, 12, 16, generator=stream(0)) * torch.linspace(0.5, 2, 16)
    contrast = attention.patch_statistics(images, 4, 2)["contrast"]
    maps = contrast * np.random.default_rng(0).uniform(0.9, 1.1, contrast.shape)
    own, other = attention.own_and_other(attention.map_correlations(maps, contrast)).mean(0)
    assert own > 0.9 and own > other + 0.1
    maps = np.roll(maps, 1, axis=0)
    own, other = attention.own_and_other(attention.map_correlations(maps, contrast)).mean(0)
    assert abs(own - other) < 0.1


def test_agreement_of_each_network_with_each_feature():
    rng = np.random.default_rng(0)
    found = {name: rng.random((4, 3, 5)) for name in ("one", "two")}
    features = {"f": rng.random((4, 3, 5)), "g": found["two"]}
    table = attention.agreement_table(found, features, np.eye(4) * 4)
    assert list(table["kind"]) == ["own image", "other images", "difference"] * 4
    kinds = table.set_index(["feature", "network", "kind"])
    assert kinds.loc[("g", "two", "own image"), "mean"] == pytest.approx(1, abs=1e-6)
    r = [
        pearsonr(a.ravel(), b.ravel()).statistic
        for a, b in zip(found["one"], features["f"], strict=True)
    ]
    own = kinds.loc[("f", "one", "own image")]
    assert own["mean"] == pytest.approx(np.mean(r), abs=1e-6)
    assert [own["low"], own["high"]] == pytest.approx(
        list(np.quantile(r, [0.025, 0.975])), abs=1e-6
    )
    means = kinds["mean"].unstack()
    np.testing.assert_allclose(
        means["difference"], means["own image"] - means["other images"], atol=1e-12
    )


def test_maps_of_outer_thirds(encoder, batch):
    order = np.array([4, 0, 2, 1, 3])  # thirds: 4 0, 2 1, 3
    small, large = attention.of_outer_thirds(encoder, batch, "mouse", batch, order)
    for maps, rows in ((small, [4, 0]), (large, [3])):
        given = replace(
            batch,
            behavior=batch.behavior[rows].mean(0).expand(5, -1),
            pupil=batch.pupil[rows].mean(0).expand(5, -1),
        )
        np.testing.assert_array_equal(maps, attention.attention_maps(encoder, given, "mouse"))


def test_moved_attention_is_total_variation():
    a, b = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    a[:, 0, 0], b[0, 0, 0], b[0, 1, 1], b[1, 1, 1] = 1, 0.75, 0.25, 1
    np.testing.assert_allclose(attention.moved(a, b), [0.25, 1])
