"""Poisson loss against a written-out sum, torch's own, and the published checkpoint's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import explained_variance_score

from src.config import TrainingConfig
from src.training.losses import VARIES, batch_loss, mse_loss, poisson_loss, watched

V1T = TrainingConfig(loss="v1t")


def test_poisson_loss_is_the_written_out_sum():
    rng = np.random.default_rng(0)
    p, r = rng.uniform(0.1, 3, (4, 5)), rng.poisson(1, (4, 5)).astype(float)
    total = sum(p[n, u] - r[n, u] * np.log(p[n, u] + 1e-12) for n in range(4) for u in range(5))
    loss = batch_loss(TrainingConfig(), torch.tensor(p), torch.tensor(r), 100, 90)
    assert loss.item() == pytest.approx(np.sqrt(100 / 4) * total, rel=1e-12)


def test_poisson_loss_is_smallest_at_the_target():
    target = torch.rand(8, 3, dtype=torch.float64) + 0.5
    prediction = target.clone().requires_grad_()
    poisson_loss(prediction, target).backward()
    np.testing.assert_allclose(prediction.grad, 0, atol=1e-10)


def test_poisson_loss_of_a_published_checkpoint(shared):
    stored = np.load(shared / "fixtures/sensorium2022/upstream_checkpoint_outputs.npz")
    for name in ("sota", "p_ln"):
        prediction = torch.from_numpy(stored[f"{name}/prediction"])
        target = torch.from_numpy(stored[f"{name}/target"])
        loss = poisson_loss(prediction, target)
        assert loss.item() == pytest.approx(stored[f"{name}/loss_poisson_sum"], rel=1e-5)


def test_v1t_loss_adds_its_epsilon_on_both_sides():
    rng = np.random.default_rng(0)
    p, r = rng.uniform(0.1, 3, (4, 5)), rng.poisson(1, (4, 5)).astype(float)
    e = 2.0**-23
    shifted = zip((p + e).flat, (r + e).flat, strict=True)
    total = sum(a - b * np.log(a) for a, b in shifted)
    loss = batch_loss(V1T, torch.tensor(p), torch.tensor(r), 100, 90)
    assert loss.item() == pytest.approx(np.sqrt(90 / 4) * total, rel=1e-12)
    silent = batch_loss(V1T, torch.zeros(1, 1), torch.zeros(1, 1), 9, 1)
    assert silent.item() == pytest.approx(e - e * np.log(e), rel=1e-5)


@pytest.mark.parametrize("kind", ["dynamic", "nll", "stirling"])
@pytest.mark.parametrize("scale", ["none", "sqrt"])
def test_losses_of_videos_are_sums_over_clips_frames_and_units(kind, scale):
    rng = np.random.default_rng(0)
    p, r = rng.uniform(0.1, 3, (4, 15, 5)), rng.poisson(1, (4, 15, 5)).astype(float)
    plain = {
        "dynamic": p + 1e-8 - (r + 1e-8) * np.log(p + 1e-8),
        "nll": p - r * np.log(p + 1e-8),
        "stirling": p - r * np.log(p + 1e-8),
    }[kind]
    if kind == "stirling":
        many = np.where(r > 1, r, 1.0)
        plain += np.where(r > 1, r * np.log(many) - r + 0.5 * np.log(2 * np.pi * many), 0)
    config = TrainingConfig(loss=kind, loss_scale=scale)
    loss = batch_loss(config, torch.tensor(p), torch.tensor(r), 100, 90)
    assert loss.item() == pytest.approx(plain.sum() * (1 if scale == "none" else np.sqrt(90 / 4)))


def test_mse_is_the_mean_over_trials_and_units():
    rng = np.random.default_rng(0)
    p, r = rng.normal(size=(2, 4, 5))
    total = sum((p[n, u] - r[n, u]) ** 2 for n in range(4) for u in range(5))
    assert mse_loss(*map(torch.tensor, (p, r))).item() == pytest.approx(total / 20, rel=1e-12)


def test_explained_variance_and_constant_predictions():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(200, 6))
    p = y + rng.normal(size=y.shape)
    p[:, 1] = 3.0
    p[:, 2] = 0.009 * y[:, 2]
    p[:, 3] = 0.011 * y[:, 3]
    y[:, 4] = -1.5
    explained, constant = watched(p.astype(np.float32), y)
    theirs = explained_variance_score(y, p, multioutput="raw_values")
    np.testing.assert_allclose(np.delete(explained, 4), np.delete(theirs, 4), atol=1e-6)
    assert np.isnan(explained[4])
    assert constant.tolist() == [False, True, True, False, False, False]
    assert explained[2] < 2 * VARIES and explained[1] == pytest.approx(0, abs=1e-12)
