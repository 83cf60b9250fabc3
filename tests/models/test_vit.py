"""ViT core against one written from the specification, its tokens, its dropout, what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.config import InputConfig, ModelConfig, ViTCoreConfig
from src.data.batch import Batch
from src.models import vit
from src.models.attention import attend
from src.models.encoder import Encoder, SessionFacts
from src.models.vit import ViTCore
from src.seeds import stream
from src.studies.sensorium2022 import VIT

SHAPE, N = (1, 12, 16), 3
SMALL = ViTCoreConfig(
    patch=4, stride=2, width=6, blocks=2, heads=2, head_width=5, hidden=7, side_hidden=3
)
INPUTS = InputConfig(behavior=True, pupil=True)
MODEL = ModelConfig("vit", SMALL, INPUTS, shifter=True, pupil_in_core=True)


def make(config=SMALL, shape=SHAPE, side=5, seed=0):
    return ViTCore(config, shape, side, stream(seed, "init"))


def count(module):
    return sum(p.numel() for p in module.parameters())


def restless(core, seed=0):
    """The core with large random weights everywhere, so that nothing is 0 or nearly linear."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=g) * 0.5)
    return core


def two_mice(shape=SHAPE):
    rng = np.random.default_rng(0)
    known = SessionFacts(7, shape, rng.normal(size=(7, 3)))
    lost = SessionFacts(
        4, shape, rng.normal(size=(4, 3)), behavior_missing=True, pupil_missing=True
    )
    return {"behaving": known, "still": lost}


def batch(shape=SHAPE, seed=0, n=N):
    g = torch.Generator().manual_seed(seed)
    draw = [torch.randn(n, *s, generator=g) for s in (shape, (3,), (2,))]
    return Batch(draw[0], None, *draw[1:])


def test_the_published_core_has_its_parameters_and_its_grid():
    core = make(VIT.core, (1, 36, 64))
    assert count(core) == 2_465_200
    assert core.grid == core.output_shape(36, 64) == (29, 57)
    assert core.positions.shape == (1654, 155)
    encoder = Encoder(VIT, two_mice((1, 36, 64)), seed=0)
    assert count(encoder.core) == 2_465_200 and encoder.core.side == 5


@pytest.mark.parametrize("shape", [(1, 12, 16), (3, 17, 9), (1, 36, 64)])
@pytest.mark.parametrize(("patch", "stride"), [(4, 1), (5, 3), (8, 8)])
@pytest.mark.parametrize("side", [0, 5])
def test_parameters_and_grid_of_any_size(shape, patch, stride, side):
    config = replace(SMALL, patch=patch, stride=stride)
    core, (c, h, w) = make(config, shape, side), shape
    grid = tuple(len(range(0, size - patch + 1, stride)) for size in (h, w))
    block = (6 * 3 * 10) + (10 + 1) * 6 + (6 + 1) * 7 + (7 + 1) * 6 + 4 * 6
    block += (5 + 1) * 3 + (3 + 1) * 6 if side else 0
    tokens = (c * patch**2 + 1) * 6 + 6 + (1 + grid[0] * grid[1]) * 6
    assert count(core) == tokens + 2 * block
    y = core.eval()(torch.randn(2, *shape), torch.randn(2, side) if side else None)
    assert core.grid == grid and y.shape == (2, 6, *grid) and core.channels == 6


def layer(x, state, name):
    return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0)


def norm(x, state, name):
    centered = x - x.mean(-1, keepdim=True)
    scaled = centered / (centered.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def reference(state, images, side, config):
    """Specification 5.7, step by step, one image, one patch and one head at a time."""
    maps = []
    for image, scalars in zip(images, side, strict=True):
        p, step, (h, w) = config.patch, config.stride, image.shape[1:]
        rows, columns = range(0, h - p + 1, step), range(0, w - p + 1, step)
        patches = [image[:, i : i + p, j : j + p].flatten() for i in rows for j in columns]
        x = layer(torch.stack(patches), state, "embedding")
        x = torch.cat([state["cls"], x]) + state["positions"]
        for b in range(config.blocks):
            own = {k.removeprefix(f"blocks.{b}."): v for k, v in state.items()}
            told = torch.tanh(layer(torch.tanh(layer(scalars, own, "side.0")), own, "side.2"))
            x = x + told
            q, k, v = layer(norm(x, own, "norm"), own, "qkv").chunk(3, 1)
            heads, d = [], config.head_width
            for s in (slice(i * d, (i + 1) * d) for i in range(config.heads)):
                scores = q[:, s] @ k[:, s].T * d**-0.5
                heads.append(scores.exp() / scores.exp().sum(1, keepdim=True) @ v[:, s])
            x = x + layer(torch.cat(heads, 1), own, "out")
            hidden = layer(norm(x, own, "mlp_norm"), own, "mlp_in")
            hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2  # GELU
            x = x + layer(hidden, own, "mlp_out")
        maps.append(x[1:].T.reshape(-1, len(rows), len(columns)))
    return torch.stack(maps)


def test_outputs_and_gradients_are_those_of_the_specification():
    core = restless(make(shape=(2, 9, 11))).double().eval()
    images, side = (torch.randn(N, *s, dtype=torch.float64) for s in ((2, 9, 11), (5,)))
    images.requires_grad_(), side.requires_grad_()
    ours, theirs = (
        core(images, side),
        reference(core.state_dict(keep_vars=True), images, side, SMALL),
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)
    inputs, direction = [images, side, *core.parameters()], torch.randn_like(ours)
    gradients = [
        torch.autograd.grad(y, inputs, direction, allow_unused=True) for y in (ours, theirs)
    ]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


def test_attention_is_what_mixes_the_values():
    core = restless(make()).eval()
    b = batch()
    side = torch.cat([b.behavior, b.pupil], 1)
    x, seen = core.tokens(b.images, side), list(core.attention(b.images, side))
    assert len(seen) == 2 and seen[0].shape == (N, 2, 36, 36)
    for block, weights in zip(core.blocks, seen, strict=True):
        torch.testing.assert_close(weights.sum(-1), torch.ones(N, 2, 36))
        told = x + block.side(side)[:, None]
        values = block.qkv(block.norm(told))[..., 20:].unflatten(2, (2, 5)).transpose(1, 2)
        y = told + block.out((weights @ values).transpose(1, 2).flatten(2))
        x = y + block.mlp_out(F.gelu(block.mlp_in(block.mlp_norm(y))))
    torch.testing.assert_close(x[:, 1:].mT.unflatten(2, core.grid), core(b.images, side))


def test_behavior_reaches_all_tokens_and_the_plain_vit_has_none():
    core = restless(make()).eval()
    images, (low, high) = batch().images, torch.randn(2, N, 5)
    assert ((core(images, low) - core(images, high)).abs().amax(1) > 1e-4).all()
    assert not any(".side." in name for name in make(side=0).state_dict())
    with pytest.raises(ValueError, match=r"side scalars are \(3, 0\), .* \(3, 5\)"):
        core(images)
    with pytest.raises(ValueError, match=r"side scalars are \(3, 5\), .* \(3, 0\)"):
        make(side=0)(images, low)


def test_dropout_is_on_in_training_alone():
    core, b = restless(make()), batch()
    side = torch.cat([b.behavior, b.pupil], 1)
    with pytest.raises(ValueError, match="dropout needs a generator"):
        core(b.images, side)
    one, same, other = (core(b.images, side, stream(s)) for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    core.eval()
    assert torch.equal(core(b.images, side), core(b.images, side, stream(1)))
    none = restless(make(replace(SMALL, dropout=0.0, patch_dropout=0.0)))
    torch.testing.assert_close(none.train()(b.images, side), core(b.images, side))


def test_what_is_dropped_and_how_much(monkeypatch):
    """Tokens, then in each block attention, and the output of every dense layer but q, k and v."""
    core, b, seen = restless(make()), batch(), []
    side = torch.cat([b.behavior, b.pupil], 1)
    expected = core.eval()(b.images, side)

    def note(x, share, generator):
        seen.append((x.shape[-1], share))
        return x

    def attended(q, k, v, share, generator):
        seen.append(("weights", share))
        return attend(q, k, v)

    monkeypatch.setattr(vit, "dropout", note)
    monkeypatch.setattr(vit, "attend", attended)
    assert torch.equal(core.train()(b.images, side), expected)
    block = [("weights", 0.2544), (6, 0.2544), (7, 0.2544), (6, 0.2544)]
    assert seen == [(6, 0.0229), *block, *block]


def test_the_penalty_is_on_every_weight_of_the_core():
    core = restless(make(replace(SMALL, penalty=0.25)))
    values = torch.cat([p.detach().flatten() for p in core.parameters()])
    assert core.penalty().item() == pytest.approx(0.25 * values.abs().sum().item(), rel=1e-6)
    core.penalty().backward()
    for p in core.parameters():
        torch.testing.assert_close(p.grad, 0.25 * p.detach().sign())
    assert VIT.core.penalty == 0.5379


def test_weights_start_truncated_normal_from_the_generator_alone():
    before = torch.get_rng_state()
    core, other = make(VIT.core, (1, 36, 64)), make(VIT.core, (1, 36, 64), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    for name, p in core.blocks.named_parameters():
        if "norm" not in name and name.endswith("weight"):
            assert p.std().item() == pytest.approx(0.02, rel=0.1)
            assert not torch.equal(p, dict(other.blocks.named_parameters())[name])
        elif name.endswith("bias"):
            assert not p.any()
    assert core.positions.std().item() == pytest.approx(0.02, rel=0.1)


def test_mice_with_and_without_behavior_train_together():
    encoder = Encoder(MODEL, two_mice(), seed=0)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.01)
    for step in range(3):
        optimizer.zero_grad()
        for key in encoder.sessions:
            y = encoder(batch(), key, stream(0, "sample", step, key))
            (y - 0.3).square().sum().backward()
        assert all(p.grad is not None for p in encoder.parameters())
        optimizer.step()
    assert encoder.missing_behavior.abs().min() > 0 and encoder.missing_pupil.abs().min() > 0
    encoder.eval()
    images = batch().images
    assert torch.equal(encoder(Batch(images), "still"), encoder(batch(), "still"))
    side = torch.cat([encoder.missing_behavior, encoder.missing_pupil]).expand(N, -1)
    expected = encoder.readouts["still"](encoder.core(images, side))
    assert torch.equal(encoder.linear(Batch(images), "still"), expected)


def test_behavior_then_pupil_enter_the_core():
    encoder, b = Encoder(MODEL, two_mice(), seed=0).eval(), batch()
    assert torch.equal(encoder.side(b, "behaving"), torch.cat([b.behavior, b.pupil], 1))
    plain = replace(MODEL, inputs=InputConfig(), shifter=False, pupil_in_core=False)
    encoder = Encoder(plain, two_mice(), seed=0).eval()
    assert encoder.side(b, "behaving") is None and encoder(Batch(b.images), "still").shape == (N, 4)


@pytest.mark.parametrize(
    ("changes", "sessions", "message"),
    [
        ({"inputs": replace(INPUTS, pupil=False), "shifter": False}, two_mice(), "pupil_in_core"),
        ({"inputs": replace(INPUTS, centered=True)}, two_mice(), "no use for inputs.centered"),
        ({}, two_mice((1, 3, 16)), r"too small.*4x4 window gets \(3, 16\)"),
        (
            {},
            two_mice() | {"other": SessionFacts(3, (1, 13, 16), np.eye(3))},
            r"images are \(13, 16\), but .* built for \(12, 16\): bring all sessions",
        ),
    ],
)
def test_what_cannot_be_built(changes, sessions, message):
    with pytest.raises(ValueError, match=message):
        Encoder(replace(MODEL, **changes), sessions, seed=0)
