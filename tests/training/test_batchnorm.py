"""Recalibrated batch-norm statistics against their closed form."""

import numpy as np
import torch

from src.training.batchnorm import recalibrate


def test_statistics_are_the_mean_over_batches_of_all_sessions(encoder, sessions):
    parts = {"mouse1": np.split(np.arange(60), 3), "mouse2": [np.arange(10)]}
    batches = [(key, sessions[key].batch(i)) for key, indices in parts.items() for i in indices]
    recalibrate(encoder, batches)
    first = encoder.core.layers[0]
    maps = [torch.conv2d(b.images, first.conv.weight).detach().double() for _, b in batches]
    mean = torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0)
    var = torch.stack([m.var((0, 2, 3), unbiased=True) for m in maps]).mean(0)
    np.testing.assert_allclose(first.norm.running_mean, mean, atol=1e-6)
    np.testing.assert_allclose(first.norm.running_var, var, rtol=1e-5)


def test_momentum_and_evaluation_mode_are_left_behind(encoder, sessions):
    recalibrate(encoder, [("mouse1", sessions["mouse1"].batch(np.arange(8)))])
    norms = [layer.norm for layer in encoder.core.layers]
    assert [norm.momentum for norm in norms] == [0.9, 0.9]
    assert not any(module.training for module in encoder.modules())


def test_a_second_pass_changes_nothing(encoder, sessions):
    batches = [("mouse1", sessions["mouse1"].batch(i)) for i in np.split(np.arange(60), 3)]
    recalibrate(encoder, batches)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    recalibrate(encoder, batches)
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name]), name
