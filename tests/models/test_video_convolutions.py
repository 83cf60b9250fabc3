"""Convolutional video cores: sizes, what an output has seen, and their parts against plain sums."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.models.encoder import Encoder, make_core
from src.models.video_convolutions import ConvGRU, SeparableBlock, spatial_roughness
from src.parts import FactorizedCoreConfig, GaussianReadoutConfig, SeparableVideoCoreConfig
from src.seeds import stream
from tests.movies import MODEL, MovieFake

FACTORIZED = FactorizedCoreConfig((3, 4), (3, 3), (5, 3), stride=2)
CORES = {
    "factorized": FACTORIZED,
    "linear": replace(FACTORIZED, linear=True),
    "recurrent": FactorizedCoreConfig((4,), (3,), (1,), recurrent=3),
    "separable": SeparableVideoCoreConfig((4, 5, 6), stem=3, spatial=3),
    "unweighed": SeparableVideoCoreConfig((4, 5), stem=3, spatial=3, squeeze=0),
}
SHAPE = (1, 30, 12, 16)


def made(name):
    """A core in evaluation mode, and clips and side scalars for it."""
    core = make_core(replace(MODEL, core=CORES[name]), SHAPE, seed=3).eval()
    random = torch.Generator().manual_seed(0)
    images = torch.randn(2, *SHAPE, generator=random)
    return core, images, torch.randn(2, 30, 4, generator=random)


@pytest.mark.parametrize("name", CORES)
def test_outputs_are_of_the_last_frames_and_see_none_after_theirs(name):
    core, images, side = made(name)
    x = core(images, side)
    assert tuple(x.shape[2:]) == core.output_shape(*SHAPE[1:]) and x.shape[1] == core.channels
    frames = x.shape[2]
    for frame in (29, 20):
        for changed, given in ((images, side), (side, images)):
            other = changed.clone()
            (other[:, :, frame] if changed is images else other[:, frame]).add_(1.0)
            pair = (other, given) if changed is images else (given, other)
            moved = (core(*pair) - x).abs().amax((0, 1, 3, 4)) > 0
            assert moved.nonzero()[0].item() == frame - (30 - frames)
    assert core.penalty().item() > 0 and core.penalty().requires_grad


def test_the_linear_core_is_linear():
    core, images, side = made("linear")
    zero = core(0 * images, 0 * side)
    both = core(images, side) + core(2 * images, 2 * side) - 2 * zero
    torch.testing.assert_close(both, core(3 * images, 3 * side) - zero, atol=1e-5, rtol=1e-4)


def test_the_recurrent_unit_is_the_written_out_one():
    unit, x = ConvGRU(2, 3, stream(0, "gru")), torch.randn(1, 2, 4, 5, 5)
    state = torch.zeros(1, 2, 5, 5)
    for t in range(4):
        weights = unit.gates.weight[:, :, 0], unit.gates.bias
        r, z = (
            F.conv2d(torch.cat([x[:, :, t], state], 1), *weights, padding=1).sigmoid().chunk(2, 1)
        )
        weights = unit.proposal.weight[:, :, 0], unit.proposal.bias
        new = F.conv2d(torch.cat([x[:, :, t], r * state], 1), *weights, padding=1).tanh()
        state = (1 - z) * state + z * new
    torch.testing.assert_close(unit(x)[:, :, -1], state)


def test_a_block_weighs_channels_frame_by_frame():
    config = SeparableVideoCoreConfig(spatial=3, temporal=1)
    block = SeparableBlock(config, 3, 4, stream(0, "block")).eval()
    x = torch.randn(1, 3, 6, 5, 5)
    alone = torch.cat([block(frame) for frame in x.split(1, 2)], 2)
    torch.testing.assert_close(block(x), alone)


def test_roughness_is_that_of_each_frame_of_the_kernels():
    weight = torch.randn(2, 3, 2, 5, 5, dtype=torch.float64)
    kernel = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0.0]])
    filtered = F.conv2d(weight.flatten(0, 2)[:, None], torch.tensor(kernel)[None, None], padding=1)
    expected = filtered.square().sum() / weight.square().sum()
    assert spatial_roughness(weight).item() == pytest.approx(expected.item())


def test_softplus_gets_steeper_as_it_learns_and_behavior_scales_units():
    session = MovieFake()
    model = replace(
        MODEL,
        core=CORES["separable"],
        readout=GaussianReadoutConfig(bias_init="mean"),
        output="softplus",
        modulator="affine",
        behavior_in_core=False,
    )
    encoder = Encoder(model, {"mouse": session}, seed=1).eval()
    batch = session.clips(np.array([0, 1]), np.array([3, 4]))
    y = encoder.linear(batch, "mouse")
    torch.testing.assert_close(encoder(batch, "mouse"), F.softplus(y))
    with torch.no_grad():
        encoder.log_steepness.fill_(np.log(4.0))
    torch.testing.assert_close(encoder(batch, "mouse"), torch.log1p((4 * y).exp()) / 4)
    with torch.no_grad():
        encoder.modulators["mouse"].weight.add_(0.3)
    expected = y * encoder.modulators["mouse"](batch.behavior[:, -y.shape[1] :])
    torch.testing.assert_close(encoder.linear(batch, "mouse"), expected)
