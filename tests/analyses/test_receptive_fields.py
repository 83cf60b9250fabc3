"""Receptive fields of encoders whose filters are known; what models are shown beside the noise."""

import numpy as np
import pytest
import torch

from src.analyses import receptive_fields
from src.analyses.noise_sums import Noise, accumulate
from src.config import (
    BaselineCoreConfig,
    GaussianReadoutConfig,
    InputConfig,
    ModelConfig,
    WideCoreConfig,
)
from src.models.encoder import Encoder, SessionFacts

FREE = GaussianReadoutConfig(position="free")
SIDE = InputConfig(behavior=True, pupil=True, boxes="file", centered=True)


def cosine(a, b):
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


@pytest.fixture(scope="module")
def wide():
    """A small wide encoder that takes everything, with random weights."""
    config = ModelConfig("wide", WideCoreConfig((3, 4, 5, 5, 5)), SIDE, FREE, shifter=True)
    facts = {
        "mouse": SessionFacts(7, (1, 144, 256)),
        "blind": SessionFacts(4, (1, 144, 256), behavior_missing=True, pupil_missing=True),
    }
    return Encoder(config, facts, seed=1).eval()


def test_field_of_a_linear_encoder_is_its_filter(encoder, fields):
    """20,000 images of 36x64. The plain covariance cannot pass 1 / sqrt(1 + pixels / images)."""
    respond = receptive_fields.responses_of([encoder], "mouse")
    noise = Noise((1, 36, 64), seed=0, batch_size=200)
    sums = accumulate(respond, noise, range(100), regression=True)
    assert sums.images == 20_000
    assert cosine(sums.fields(estimate="regression"), fields).min() >= 0.95
    bound = 1 / np.sqrt(1 + 36 * 64 / 20_000)
    np.testing.assert_allclose(cosine(sums.fields(), fields), bound, atol=0.01)


def test_gradient_of_a_linear_encoder_is_its_filter(encoder, fields):
    respond = receptive_fields.responses_of([encoder], "mouse")
    found = receptive_fields.gradients(respond, len(fields), (1, 36, 64))
    np.testing.assert_allclose(found, fields * 12**0.5, atol=1e-5)  # noise has sd 12 ** -0.5


def test_gradient_is_that_of_finite_differences(wide):
    respond = receptive_fields.responses_of([wide], "mouse", upsample=4)
    found = receptive_fields.gradients(respond, 7, (1, 36, 64))
    moved = torch.full((2, 1, 36, 64), 0.5)
    direction = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 36, 64))).float()
    moved += 0.01 * torch.stack([direction, -direction])
    with torch.no_grad():
        up, down = respond(moved)
    slope = (up - down).numpy() / 0.02
    np.testing.assert_allclose(found @ direction.flatten().numpy(), slope, rtol=0.02, atol=1e-4)


def test_units_are_seen_in_order_whatever_the_chunk(wide, monkeypatch):
    respond = receptive_fields.responses_of([wide], "mouse", upsample=4)
    whole = receptive_fields.gradients(respond, 7, (1, 36, 64))
    monkeypatch.setattr(receptive_fields, "UNITS_AT_ONCE", 3)
    np.testing.assert_allclose(
        receptive_fields.gradients(respond, 7, (1, 36, 64)), whole, rtol=1e-4, atol=1e-7
    )


def test_models_are_shown_standard_images_at_rest_and_a_full_frame():
    noise = Noise((3, 6, 8), seed=0, batch_size=500).batch(0)
    batch = receptive_fields.as_seen(noise, upsample=4)
    assert batch.images.shape == (500, 3, 24, 32)
    assert batch.images.mean() == pytest.approx(0, abs=0.02)
    assert batch.images.std() == pytest.approx(1, abs=0.01)
    small = receptive_fields.as_seen(noise).images
    for row, column in ((0, 0), (3, 0), (1, 2)):  # a pixel became a block of 4x4
        assert torch.equal(batch.images[:, :, row::4, column::4], small)
    assert batch.boxes.tolist() == [[0.5, 0.5, 1, 1]] * 500
    assert batch.behavior.shape == (500, 3) and not batch.behavior.any()
    assert batch.pupil.shape == (500, 2) and not batch.pupil.any()


@pytest.mark.parametrize(("session", "units"), [("mouse", 7), ("blind", 4)])
def test_models_with_side_information_have_fields_too(wide, session, units):
    respond = receptive_fields.responses_of([wide], session, upsample=4)
    noise = Noise((1, 36, 64), seed=0, batch_size=8)
    sums = accumulate(receptive_fields.beside_null(respond), noise, range(2))
    assert sums.fields().shape == (2 * units, 36 * 64)
    torch.testing.assert_close(sums.a[:units], sums.a[units:])  # the same responses, elsewhere


def test_ensemble_is_the_mean_after_the_nonlinearity(wide):
    other = Encoder(wide.config, wide.sessions, seed=2).eval()
    noise = Noise((1, 36, 64), seed=0, batch_size=3).batch(0)
    alone = [receptive_fields.responses_of([e], "mouse", 4)(noise) for e in (wide, other)]
    both = receptive_fields.responses_of([wide, other], "mouse", 4)(noise)
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2)
    assert not torch.allclose(alone[0], alone[1], rtol=1e-3)


def test_null_responses_are_to_other_images(encoder, fields):
    respond = receptive_fields.beside_null(receptive_fields.responses_of([encoder], "mouse"))
    sums = accumulate(respond, Noise((1, 36, 64), seed=0), range(40))
    similar = cosine(sums.fields(), np.tile(fields, (2, 1)))
    assert similar[:6].min() > 0.6 and np.abs(similar[6:]).max() < 5 / np.sqrt(36 * 64)


def middle(field, shape):
    """Center of mass of a field's squares: -> x, y."""
    y, x = np.indices(shape).reshape(2, -1)
    return field**2 @ np.column_stack([x, y]) / (field**2).sum()


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize(
    ("core", "scale", "upsample"),
    [
        (BaselineCoreConfig(layers=1, channels=2, linear=True), 1, 1),
        (BaselineCoreConfig(1, 2, input_kernel=7, input_stride=2, pool=2, linear=True), 1, 1),
        (WideCoreConfig((2, 2)), 4, 1),
        (WideCoreConfig((2, 2)), 4, 4),
    ],
    ids=["baseline", "strided", "wide", "wide, upsampled"],
)
def test_units_read_around_the_pixel_that_geometry_says(core, scale, upsample, align):
    """Even kernels of equal weights: the gradient is centered where the unit reads."""
    config = ModelConfig(
        "a", core, readout=GaussianReadoutConfig(position="free", align_corners=align)
    )
    h, w = 36 * scale, 64 * scale
    encoder = Encoder(config, {"mouse": SessionFacts(5, (1, h, w))}, seed=0).eval()
    readout = encoder.readouts["mouse"]
    with torch.no_grad():
        for layer in encoder.core.layers:
            layer.conv.weight.fill_(0.01)
        readout.free_mu.copy_(
            torch.tensor([[0, 0], [-0.7, 0.5], [0.3, 0.6], [0.8, -0.8], [0.1, 0.2]])
        )
    grid = h // upsample, w // upsample
    respond = receptive_fields.responses_of([encoder], "mouse", upsample)
    found = receptive_fields.gradients(respond, 5, (1, *grid))
    expected = receptive_fields.pixels_read(readout.mu.detach(), config, (h, w), upsample)
    np.testing.assert_allclose([middle(f, grid) for f in found], expected, atol=0.75)


def test_shuffled_distances_are_those_to_other_units():
    rng = np.random.default_rng(0)
    places = rng.normal(size=(60, 2))
    null = receptive_fields.shuffled_distances(places, places, rng, 200)
    apart = np.linalg.norm(places - places[rng.permutation(60)], axis=1)
    assert null.shape == (200,) and null.min() > 0
    assert null.mean() == pytest.approx(np.median(apart), rel=0.15)
