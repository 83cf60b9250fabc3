"""The video core: sizes, who tells whom in time and space, windows, attention without memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from src.config import InputConfig, ModelConfig
from src.models.attention import attend_with_bias
from src.models.encoder import Encoder, SessionFacts, make_core
from src.models.hierarchical_readout import HierarchicalReadout
from src.models.shifted_windows import WindowAttention, WindowLayout
from src.parts import HierarchicalReadoutConfig, VideoCoreConfig
from src.seeds import stream

FULL = VideoCoreConfig()
SHAPE = (1, 30, 36, 64)
INPUTS = InputConfig(scale="full", behavior=True, pupil=True)
MODEL = ModelConfig("vfm", FULL, INPUTS, shifter=True, pupil_in_core=True)
# The groups of tokens that attend to one another on each axis (specification, 5.3)
GROUPS = ((range(4), range(4, 12), range(12, 15)),)
GROUPS += ((range(3), range(3, 10), range(10, 17), range(17, 18)),)
GROUPS += ((range(3), *(range(a, a + 7) for a in (3, 10, 17, 24)), range(31, 32)),)


def small(**changes):
    """A core of few channels on a small clip: tokens (6, 5, 6), windows (4, 3, 4)."""
    config = VideoCoreConfig((2, 2, 2), (4, 3, 4), width=8, blocks=2, heads=2, hidden=6)
    shape = (1, 12, 10, 12)
    return make_core(replace(MODEL, core=replace(config, **changes)), shape, 1).eval(), shape


def test_the_published_core_has_its_parameters_and_its_output():
    core = make_core(MODEL, SHAPE, seed=1)
    count = lambda part: sum(p.numel() for p in part.parameters())  # noqa: E731
    assert count(core) == 2_273_488 and count(core.blocks[0]) == 567_756
    assert count(core.embedding) + count(core.norm) == 2_464
    block = core.blocks[0]
    sizes = [count(p) for p in (block.side, block.attention, block.feed_forward)]
    assert sizes == [13_216, 211_740, 342_800]
    assert core.output_shape(*SHAPE[1:]) == (15, 18, 32)
    with pytest.raises(ValueError, match=r"clips are \(29, 36, 64\), but"):
        core.output_shape(29, 36, 64)


@pytest.mark.parametrize(
    ("units", "parameters"), [(7440, 3267762), (8285, 3638227), (7863, 3452885)]
)
def test_the_published_readouts_have_their_parameters(units, parameters):
    coordinates = np.random.default_rng(0).normal(size=(units, 3))
    config = HierarchicalReadoutConfig(bias_init="zero")
    readout = HierarchicalReadout(config, 224, units, coordinates, None, stream(0, "readout"))
    assert sum(p.numel() for p in readout.parameters()) == parameters


def test_behavior_of_a_frame_reaches_its_token_alone():
    core, shape = small(blocks=1)
    block = core.blocks[0]
    side = torch.zeros(1, 12, 4)
    told = block.side(side).reshape(6, 8)
    for frame in range(12):
        other = side.clone()
        other[0, frame] = 1.0
        moved = (block.side(other).reshape(6, 8) != told).any(1)
        assert moved.nonzero().flatten().tolist() == [frame // 2]
    images = torch.randn(1, *shape)
    with pytest.raises(ValueError, match=r"side scalars are \(1, 11, 4\)"):
        core(images, torch.zeros(1, 11, 4))


@pytest.mark.parametrize("token", [(0, 0, 0), (5, 8, 24), (14, 17, 31), (12, 3, 2), (11, 9, 3)])
def test_tokens_attend_within_the_published_groups(token):
    config = replace(FULL, width=8, hidden=4, heads=2)
    layout = WindowLayout.of((15, 18, 32), config.window, shifted=True)
    attention = WindowAttention(config, layout, stream(0, "groups")).double()
    x = torch.randn(1, 15, 18, 32, 8, dtype=torch.float64, requires_grad=True)
    attention(x)[(0, *token)].sum().backward()
    seen = x.grad[0].abs().amax(-1)
    expected = torch.zeros(15, 18, 32, dtype=torch.bool)
    group = [next(g for g in axis if i in g) for i, axis in zip(token, GROUPS, strict=True)]
    expected[np.ix_(*group)] = True
    assert (seen[expected] > 1e-9).all() and (seen[~expected] < 1e-30).all()


def test_without_a_shift_or_with_masked_padding_groups_are_windows_of_real_tokens():
    for shifted, token, group in ((False, (1, 0, 0), (slice(4), slice(3), slice(4))),):
        layout = WindowLayout.of((6, 5, 6), (4, 3, 4), shifted)
        config = VideoCoreConfig(width=8, heads=2, pad_keys="masked")
        attention = WindowAttention(config, layout, stream(0, "plain"))
        x = torch.randn(1, 6, 5, 6, 8, requires_grad=True)
        attention(x)[(0, *token)].sum().backward()
        seen = x.grad[0].abs().amax(-1) > 0
        assert seen[group].all() and seen.sum() == seen[group].sum()
    corner = attention(x)[0, 5, 4, 5]  # in a window of which one part is real
    attention.qkv.bias.data += 1.0  # the padding's keys and values
    shown = attention(x)[0, 5, 4, 5]
    q, k, v = attention.qkv(x[0, 4:, 3:, 4:]).reshape(8, 3, 2, 4).permute(1, 2, 0, 3)
    bias = attention.table[layout.relative_index()].permute(2, 0, 1)
    real = (layout.cut(torch.ones(1, 6, 5, 6, 1))[0, -1, :, 0] > 0).nonzero().flatten()
    weights = torch.softmax(q @ k.mT / 2 + bias[:, real][:, :, real], -1)
    expected = attention.out((weights @ v)[:, -1].flatten())
    torch.testing.assert_close(shown, expected)
    assert not torch.equal(corner, shown)


def test_relative_positions_of_a_shrunk_window_are_the_pairs_own():
    layout = WindowLayout.of((3, 5, 9), (8, 4, 4), True)
    assert layout.window == (3, 4, 4) and layout.shift == (0, 2, 2)
    index, places = layout.relative_index(), np.argwhere(np.ones((3, 4, 4)))
    for i, a in enumerate(places):
        for j, b in enumerate(places):
            dt, dh, dw = a - b
            assert index[i, j] == ((dt + 7) * 7 + dh + 3) * 7 + dw + 3
    x = torch.randn(2, 3, 5, 9, 4)
    assert torch.equal(layout.join(layout.cut(x)), x)


@pytest.mark.parametrize("changes", [{}, {"pad_keys": "masked"}, {"shift": "alternate"}], ids=str)
def test_a_causal_core_sees_no_later_frame(changes):
    core, shape = small(causal=True, norm="pre", **changes)
    images, side = torch.randn(1, *shape), torch.randn(1, shape[1], 4)
    with torch.no_grad():
        x = core(images, side)
        for frame in (11, 7, 4):
            later = images.clone()
            later[:, :, frame:] += 1.0
            told = side.clone()
            told[:, frame:] += 1.0
            moved = (core(later, told) - x).abs().amax((0, 1, 3, 4)) > 0
            assert moved.nonzero()[0].item() == frame // 2
    assert torch.isfinite(x).all()
    loose = small(**changes)[0](images, side)
    later = small(**changes)[0](
        images.index_add(2, torch.tensor([11]), torch.ones(1, 1, 1, 10, 12)), side
    )
    assert (loose != later).any((0, 1, 3, 4))[2 if changes else 4]


@pytest.mark.parametrize("causal", [False, True])
def test_convolutions_of_frames_are_those_of_the_clip(causal):
    layer, x = small(causal=causal)[0].blocks[0].feed_forward, torch.randn(2, 5, 4, 3, 6)
    found = []
    for convolved in (layer._convolved, layer._by_frames):
        layer.zero_grad()
        y = convolved(seen := x.clone().requires_grad_())
        (y * torch.arange(5.0)[:, None, None, None]).square().sum().backward()
        found.append((y, seen.grad, layer.convolution.weight.grad, layer.convolution.bias.grad))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)


def test_switches_change_the_output_and_alternate_blocks_are_plain_first():
    core, shape = small()
    images, side = torch.randn(1, *shape), torch.randn(1, shape[1], 4)
    outputs = [small(**c)[0](images, side) for c in ({}, {"norm": "pre"}, {"pad_keys": "masked"})]
    outputs.append(small(shift="alternate")[0](images, side))
    for i, a in enumerate(outputs):
        assert not any(torch.equal(a, b) for b in outputs[:i])
    shifts = [b.attention.layout.shift for b in small(shift="alternate", blocks=3)[0].blocks]
    assert shifts == [(0, 0, 0), (2, 1, 2), (0, 0, 0)]
    assert [b.attention.layout.shift for b in core.blocks] == [(2, 1, 2)] * 2


def test_attention_that_keeps_no_weights_has_the_plain_gradients():
    random = torch.Generator().manual_seed(0)
    shape = (2, 5, 3, 12, 4)
    q, k, v = (torch.randn(shape, generator=random, dtype=torch.float64) for _ in range(3))
    bias = torch.randn(3, 12, 12, generator=random, dtype=torch.float64)
    mask = torch.where(torch.rand(5, 12, 12, generator=random) < 0.3, -torch.inf, 0.0).double()
    mask.diagonal(dim1=1, dim2=2).zero_()
    leaves = [x.requires_grad_() for x in (q, k, v, bias)]
    weight = torch.randn(shape, generator=random, dtype=torch.float64)
    ours = attend_with_bias(*leaves, mask)
    found = torch.autograd.grad((ours * weight).sum(), leaves)
    plain = torch.softmax(q @ k.mT / 2 + bias + mask[:, None], -1) @ v
    expected = torch.autograd.grad((plain * weight).sum(), leaves)
    torch.testing.assert_close(ours, plain)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_the_pupil_of_a_frame_shifts_the_output_of_that_frame():
    readout = HierarchicalReadoutConfig(levels=(2,), bias_init="zero")
    core = VideoCoreConfig((2, 4, 4), (5, 3, 4), width=8, blocks=1, heads=2, hidden=6)
    facts = {"m": SessionFacts(6, SHAPE, np.random.default_rng(0).normal(size=(6, 3)))}
    model = replace(MODEL, core=core, readout=readout, shifter_hidden=16)
    encoder = Encoder(model, facts, seed=1).eval()
    assert sum(p.numel() for p in encoder.shifters.parameters()) == 354
    pupil = torch.zeros(1, 30, 2)
    for step in (0, 7, 14):
        moved = pupil.clone()
        moved[0, 15 + step] = 1.0
        shifts = [encoder.shifters["m"](p)[:, -15:] for p in (pupil, moved)]
        x = torch.randn(1, 8, 15, 9, 16)
        y = [encoder.readouts["m"](x, s) for s in shifts]
        assert (y[0] != y[1]).any(2)[0].nonzero().flatten().tolist() == [step]
    with pytest.raises(ValueError, match="levels="):
        HierarchicalReadoutConfig(levels=(3,))
