"""Encoder: one core and the parts of each session, behavior or not, and what it refuses."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.config import (
    BaselineCoreConfig,
    GaussianReadoutConfig,
    InputConfig,
    ModelConfig,
    WideCoreConfig,
)
from src.data.batch import Batch
from src.models.encoder import Encoder, SessionFacts, side_scalars
from src.seeds import stream
from src.studies.sensorium2022 import CNN, CNN_PLUS, WIDE, WIDE_PLUS

SHAPE, N = (1, 20, 24), 5
SMALL = BaselineCoreConfig(layers=2, channels=6)
PLAIN = ModelConfig("plain", SMALL)
PLUS = ModelConfig("plus", SMALL, InputConfig(behavior=True, pupil=True), shifter=True)
GAIN = replace(PLUS, name="gain", modulator="gain", behavior_in_core=False)
EVERYTHING = ModelConfig(
    "wide_plus",
    WideCoreConfig(channels=(4, 6, 8)),
    InputConfig("full", behavior=True, pupil=True, boxes="file", centered=True),
    shifter=True,
    modulator="gain",
)


def facts(n_units=7, image_shape=SHAPE, **options):
    coordinates = np.random.default_rng(n_units).normal(size=(n_units, 3))
    mean_response = np.full(n_units, 0.8)
    return SessionFacts(n_units, image_shape, coordinates, mean_response, **options)


def two_mice(image_shape=SHAPE):
    return {
        "behaving": facts(7, image_shape),
        "still": facts(4, image_shape, behavior_missing=True, pupil_missing=True),
    }


def batch(image_shape=SHAPE, seed=0, n=N):
    g = torch.Generator().manual_seed(seed)
    draw = [torch.randn(n, *s, generator=g) for s in (image_shape, (3,), (2,), (4,))]
    return Batch(draw[0], None, *draw[1:])


@pytest.mark.parametrize(
    ("model", "shape", "n_parameters"),
    [(CNN, (1, 36, 64), 3_806_005), (WIDE, (1, 144, 256), 14_978_357)],
)
def test_seven_mice_have_the_published_number_of_parameters(model, shape, n_parameters):
    units = (7776, 7538, 8372, 7344, 7334, 8107, 8098)
    encoder = Encoder(model, {f"mouse{n}": facts(n, shape) for n in units}, seed=1)
    assert sum(p.numel() for p in encoder.parameters()) == n_parameters


def test_prediction_is_put_together_from_the_parts():
    encoder = Encoder(EVERYTHING, two_mice((1, 48, 56)), seed=3).eval()
    torch.nn.init.normal_(encoder.modulators["behaving"].weight)
    b = batch((1, 48, 56))
    x = encoder.core(b.images, torch.cat([b.boxes, b.behavior], 1))
    y = encoder.readouts["behaving"](x, encoder.shifters["behaving"](b.pupil))
    y = y * encoder.modulators["behaving"](b.behavior)
    assert torch.equal(encoder.linear(b, "behaving"), y)
    torch.testing.assert_close(encoder(b, "behaving"), torch.where(y > 0, y + 1, y.exp()))


@pytest.mark.parametrize("model", [PLAIN, PLUS, GAIN, EVERYTHING])
def test_mice_with_and_without_behavior_train_together(model):
    shape = (1, 48, 56) if model is EVERYTHING else SHAPE
    encoder = Encoder(model, two_mice(shape), seed=0)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
    target, losses = torch.rand(N, 7), []
    for step in range(12):
        optimizer.zero_grad()
        for key in encoder.sessions:
            y = encoder(batch(shape), key, stream(0, "sample", step, key))
            (y - target[:, : y.shape[1]]).square().sum().backward()
            encoder.penalty(key).backward()
        assert all(p.grad is not None for p in encoder.parameters())
        optimizer.step()
        losses.append((y - target[:, : y.shape[1]]).square().sum().item())
    assert losses[-1] < losses[0]
    if model is not PLAIN:
        assert encoder.missing_behavior.abs().min() > 0


@pytest.mark.parametrize("model", [PLUS, GAIN])
def test_what_a_still_mouse_lacks_is_not_looked_at(model):
    encoder = Encoder(model, two_mice(), seed=0).eval()
    with torch.no_grad():
        encoder.missing_behavior += 0.3
    images = batch().images
    assert "still" not in encoder.shifters
    assert torch.equal(encoder(Batch(images), "still"), encoder(batch(), "still"))


def test_the_missing_vector_stands_in_for_behavior():
    encoder = Encoder(PLUS, two_mice(), seed=0).eval()
    with torch.no_grad():
        encoder.missing_behavior.copy_(torch.tensor([0.5, -1.0, 2.0]))
    behavior = torch.tensor([[0.5, -1.0, 2.0]]).expand(N, -1)
    x = encoder.core(batch().images, behavior)
    assert torch.equal(encoder.linear(batch(), "still"), encoder.readouts["still"](x))


def test_pupil_alone_may_be_missing():
    encoder = Encoder(PLUS, {"a": facts(pupil_missing=True)}, seed=0).eval()
    assert not encoder.shifters and not hasattr(encoder, "missing_behavior")
    assert encoder(replace(batch(), pupil=None), "a").shape == (N, 7)


def test_side_scalars_are_box_then_behavior():
    encoder = Encoder(EVERYTHING, two_mice((1, 48, 56)), seed=0)
    b = batch((1, 48, 56))
    conv, seen = encoder.core.layers[0].conv, []
    conv.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1]))
    encoder.core.eval()
    encoder.linear(b, "behaving", stream(0))
    assert torch.equal(seen[0], torch.cat([b.boxes, b.behavior], 1))
    assert conv.weight.shape[1] == 1 + 1 + 4 + 3


def test_modulators_pay_for_their_weights():
    model = replace(GAIN, modulator="affine", modulator_penalty=0.5)
    free, paying = (
        Encoder(m, two_mice(), seed=3) for m in (replace(model, modulator_penalty=0), model)
    )
    for part in (paying.modulators, paying.offsets):
        torch.nn.init.constant_(part["behaving"].weight, 0.2)
    squares = 2 * 0.2**2 * 7 * 10  # gains and offsets of 7 units, 10 weights each
    extra = paying.penalty("behaving") - free.penalty("behaving")
    torch.testing.assert_close(extra.item(), 0.5 * squares, rtol=1e-4, atol=0)


def test_units_can_be_selected():
    encoder = Encoder(GAIN, two_mice(), seed=0).eval()
    torch.nn.init.normal_(encoder.modulators["behaving"].weight)
    units = torch.tensor([5, 0])
    some = encoder(batch(), "behaving", units=units)
    torch.testing.assert_close(some, encoder(batch(), "behaving")[:, units])


def test_penalty_is_that_of_core_and_one_readout():
    encoder = Encoder(PLAIN, two_mice(), seed=0)
    features = encoder.readouts["still"].features.abs().sum().item()
    expected = encoder.core.penalty().item() + 0.0076 * features
    assert encoder.penalty("still").item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", [(1, 36, 64), (3, 20, 24), (1, 24, 20)])
def test_images_of_another_shape_are_refused(shape):
    encoder = Encoder(PLAIN, two_mice(), seed=0)
    expected = (
        r"session 'still': images are \(\d, \d+, \d+\), the encoder .*\(1, 20, 24\).*InputConfig"
    )
    with pytest.raises(ValueError, match=expected):
        encoder(batch(shape), "still")


def test_color_images_and_sessions_of_different_sizes():
    mice = {"a": facts(3, (3, 20, 24)), "b": facts(4, (3, 30, 18))}
    encoder = Encoder(PLAIN, mice, seed=0).eval()
    assert encoder(batch((3, 20, 24)), "a").shape == (N, 3)
    assert encoder(batch((3, 30, 18)), "b").shape == (N, 4)


@pytest.mark.parametrize(
    ("model", "sessions", "message"),
    [
        (PLAIN, {}, "no sessions"),
        (PLAIN, {"a": facts(image_shape=(1, 8, 64))}, "images are too small"),
        (PLAIN, {"a": facts(), "b": facts(image_shape=(3, 20, 24))}, "equal channels.*'b': \\(3"),
        (PLAIN, {"a": SessionFacts(3, SHAPE)}, "position='free'"),
        (replace(PLAIN, shifter=True), {"a": facts()}, "shifter and inputs.pupil"),
        (
            replace(PLAIN, inputs=InputConfig(pupil=True)),
            {"a": facts()},
            "shifter and inputs.pupil",
        ),
        (replace(PLAIN, modulator="gain"), {"a": facts()}, "needs inputs.behavior"),
        (replace(PLAIN, modulator_penalty=1.0), {"a": facts()}, "is for models with a modulator"),
        (replace(PLUS, behavior_in_core=False), {"a": facts()}, "nothing uses inputs.behavior"),
    ],
)
def test_what_cannot_be_built(model, sessions, message):
    with pytest.raises(ValueError, match=message):
        Encoder(model, sessions, seed=0)


@pytest.mark.parametrize("form", ["folded", "plane"])
@pytest.mark.parametrize(
    ("boxes", "scalars"),
    [("none", 0), ("file", 4), ("full_frame", 4), ("shuffled", 4), ("flag", 5)],
)
def test_boxes_bring_four_scalars_and_a_flag_a_fifth(boxes, scalars, form):
    core = WideCoreConfig((4, 6, 8), form=form)
    model = ModelConfig("boxes", core, InputConfig("full", boxes=boxes, centered=True))
    assert side_scalars(model) == scalars
    encoder = Encoder(model, {"a": facts(7, (1, 48, 56))}, seed=0).eval()
    given = torch.rand(N, scalars, generator=torch.Generator().manual_seed(1))
    images = batch((1, 48, 56)).images
    if not scalars:
        assert encoder(Batch(images), "a").shape == (N, 7)
        return
    first = encoder(Batch(images, boxes=given), "a")
    moved = given + torch.eye(scalars)[-1]
    assert (encoder(Batch(images, boxes=moved), "a") != first).any(1).all()
    with pytest.raises(ValueError, match=rf"side scalars are \(5, {scalars + 1}\)"):
        encoder(Batch(images, boxes=torch.rand(N, scalars + 1)), "a")


@pytest.mark.parametrize("name", ["behavior", "pupil", "boxes"])
def test_missing_inputs_are_named(name):
    encoder = Encoder(EVERYTHING, two_mice((1, 48, 56)), seed=0)
    with pytest.raises(ValueError, match=f"'behaving': the batch has no {name}"):
        encoder(replace(batch((1, 48, 56)), **{name: None}), "behaving", stream(0))


def test_an_unknown_session_is_named():
    with pytest.raises(KeyError, match="no session 'c', only behaving, still"):
        Encoder(PLAIN, two_mice(), seed=0)(batch(), "c")


def test_recordings_without_coordinates_get_free_positions():
    model = replace(PLAIN, readout=GaussianReadoutConfig(position="free"))
    encoder = Encoder(model, {"a": SessionFacts(3, SHAPE)}, seed=0).eval()
    assert encoder(batch(), "a").shape == (N, 3)


def test_sessions_of_equal_size_start_differently():
    readouts = Encoder(PLAIN, {"a": facts(), "b": facts()}, seed=0).readouts
    assert not torch.equal(readouts["a"].spread, readouts["b"].spread)


def test_facts_of_a_session():
    values = {"n_units": 3, "image_shape": SHAPE, "coordinates": None, "mean_response": None}
    session = SimpleNamespace(**values, behavior_missing=True, pupil_missing=False, more=1)
    assert SessionFacts.of(session) == SessionFacts(**values, behavior_missing=True)


def test_weights_depend_on_the_seed_and_the_own_name_alone():
    torch.manual_seed(0)
    one = Encoder(PLUS, two_mice(), seed=1).state_dict()
    torch.manual_seed(1)
    same = Encoder(PLUS, dict(reversed(two_mice().items())), seed=1).state_dict()
    other = Encoder(PLUS, two_mice(), seed=2).state_dict()
    assert all(torch.equal(one[k], same[k]) for k in one) and one.keys() == same.keys()
    assert not torch.equal(one["core.layers.0.conv.weight"], other["core.layers.0.conv.weight"])
    assert not torch.equal(one["readouts.still.spread"], other["readouts.still.spread"])
    assert not torch.equal(
        one["shifters.behaving.mlp.0.weight"], other["shifters.behaving.mlp.0.weight"]
    )


@pytest.mark.parametrize("model", [CNN_PLUS, WIDE_PLUS])
def test_training_the_published_models_is_reproducible_to_the_bit(model):
    model = replace(model, core=replace(model.core, channels=8 if model is CNN_PLUS else (4, 6, 8)))
    results = []
    for _ in range(2):
        encoder = Encoder(model, two_mice((1, 48, 56)), seed=5)
        y = encoder(batch((1, 48, 56)), "behaving", stream(5, "sample", 0))
        (F.mse_loss(y, torch.ones_like(y)) + encoder.penalty("behaving")).backward()
        results.append([p.grad for p in encoder.parameters() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
