"""Losses and steps of GNet: weights by batch correlation, one session a step, one or two passes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from src.config import TrainingConfig
from src.correlation import pearson
from src.data.batch import Batch
from src.data.errors import DataError
from src.data.splits import Split
from src.models.encoder import Encoder
from src.seeds import stream
from src.training.losses import batch_loss, batch_weights, signal_weights, squares_loss
from src.training.optimizers import held_still
from src.training.sampler import turns
from src.training.trainer import Run
from tests.models.gnet_fixture import recorded

ADAM = TrainingConfig(batch_size=6, learning_rate=1e-3, loss="batch_rho2", turns="alone")
SIX = np.arange(6)


class Six:
    """The six images of the fixture as a session."""

    n_trials = 6

    def __init__(self, pixels, targets):
        self.given = Batch(pixels, targets)
        self.image_shape = tuple(pixels.shape[1:])

    def batch(self, index, device="cpu"):
        return Batch(self.given.images[index], self.given.responses[index]).to(device)


@pytest.fixture(scope="module")
def fixture(shared):
    return recorded(shared / "fixtures" / "nsd_gnet")


def steps(fixture, count, **changes):
    """Objectives of some steps on the six images, and the encoder afterwards."""
    encoder = fixture.encoder("frozen").train()
    session = Six(fixture.pixels, torch.from_numpy(fixture.arrays["targets"]))
    config = replace(ADAM, **changes)
    run = Run(encoder, {"a": session}, {"a": Split(SIX, SIX, SIX)}, config, seed=0)
    losses = [
        run.step({"a": SIX}, stream(0), stream(1), still).sum().item()
        for _ in range(count)
        for still in held_still(encoder, config.two_pass)
    ]
    with torch.no_grad():
        return losses, encoder.eval()(Batch(fixture.pixels), "a").numpy()


def test_two_passes_a_step_are_the_published_sequence(fixture):
    losses, after = steps(fixture, 3, two_pass=True)
    np.testing.assert_allclose(losses, fixture.arrays["train_losses_nodrop"], rtol=1e-3)
    np.testing.assert_allclose(after, fixture.arrays["pred_after3_nodrop"], rtol=0, atol=5e-3)


def test_one_pass_a_step_is_the_specified_sequence(fixture):
    losses, after = steps(fixture, 3)
    np.testing.assert_allclose(losses, [166.34007, 160.37003, 145.43683], rtol=1e-3)
    found = after.mean(), after.std(), after.min(), after.max()
    np.testing.assert_allclose(found, [0.0161, 0.1405, -0.2184, 0.4472], rtol=0, atol=5e-3)


def test_weighted_squares_are_the_hand_computed_ones():
    v = torch.tensor([[1.0, 2, 3, 4], [0, 1, -1, 0], [-1, 0, 1, 2]]).T
    r = torch.tensor([[0.5, 1.5, 2, 3], [0.2, -0.1, 0.3, 0], [0.3, 0.1, -0.2, 0.4]]).T
    assert squares_loss(r, v, batch_weights(r, v)).item() == pytest.approx(8.569706, rel=1e-6)
    assert squares_loss(r, v).item() == pytest.approx(2.5 + 2.94 + 5.7, rel=1e-6)


def test_a_prediction_that_hardly_varies_has_the_smallest_weight(fixture):
    target = torch.from_numpy(fixture.arrays["targets"])
    pred = torch.from_numpy(fixture.arrays["pred_eval"])
    errors = (pred - target).square().sum(0)
    np.testing.assert_allclose(errors, fixture.arrays["err"], rtol=1e-5)
    assert (fixture.arrays["wgt"] == np.float32(0.1)).all()
    torch.testing.assert_close(
        squares_loss(pred, target, batch_weights(pred, target)), errors.sum()
    )


def test_the_weights_pass_no_gradient():
    r = torch.randn(8, 3, generator=stream(0), dtype=torch.float64, requires_grad=True)
    v = torch.randn(8, 3, generator=stream(1), dtype=torch.float64) + r.detach()
    (gradient,) = torch.autograd.grad(squares_loss(r, v, batch_weights(r, v)), r)
    rho2 = [np.corrcoef(a, b)[0, 1] ** 2 for a, b in zip(r.detach().T, v.T, strict=True)]
    weights = np.clip(rho2, 0.1, 1)
    expected = 2 * (r - v).detach().numpy() * weights / weights.mean()
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_a_session_that_is_not_there_does_not_move(encoder, sessions, splits):
    identity = Encoder(replace(encoder.config, output="identity"), sessions, 1)
    run = Run(identity, sessions, splits, replace(ADAM, batch_size=16), seed=0)
    before = {k: v.clone() for k, v in identity.state_dict().items()}
    run.step({"mouse1": np.arange(16)}, stream(0), stream(1), [])
    moved = {k for k, v in identity.named_parameters() if not torch.equal(v, before[k])}
    assert any(k.startswith("readouts.mouse1.") for k in moved)
    assert any(k.startswith("core.") for k in moved)
    assert not any("mouse2" in k for k in moved)
    counted = {k for k, p in identity.named_parameters() if p in run.optimizer.state}
    assert counted == {k for k, _ in identity.named_parameters() if "mouse2" not in k}


def test_the_two_passes_move_one_part_each(encoder, sessions, splits):
    identity = Encoder(replace(encoder.config, output="identity"), sessions, 1)
    config = replace(ADAM, batch_size=16, two_pass=True)
    run = Run(identity, sessions, splits, config, seed=0)
    for still, part in zip(held_still(identity, True), ("core.", "readouts."), strict=True):
        before = {k: v.clone() for k, v in identity.named_parameters()}
        run.step({"mouse1": np.arange(16)}, stream(0), stream(1), still)
        moved = {k for k, v in identity.named_parameters() if not torch.equal(v, before[k])}
        assert moved and all(k.startswith(part) for k in moved)


def test_every_batch_of_every_session_has_its_turn():
    trials = {"a": np.arange(10, 35), "b": np.arange(7)}
    given = list(turns(trials, 10, seed=1, epoch=2))
    assert [len(step) for step in given] == [1] * 4
    for key, index in trials.items():
        seen = np.concatenate([step[key] for step in given if key in step])
        np.testing.assert_array_equal(np.sort(seen), index)
        assert (seen != index).any()
    other = list(turns(trials, 10, seed=1, epoch=3))
    assert [list(s) for s in other] + [s.get("a", SIX).tolist() for s in other] != [
        list(s) for s in given
    ] + [s.get("a", SIX).tolist() for s in given]
    assert len(list(turns(trials, 10, 1, 2, steps=3))) == 3


def test_contiguous_batches_keep_the_order_shown():
    trials = {"a": np.arange(100)}
    given = [step["a"] for step in turns(trials, 10, 0, 1, contiguous=True)]
    assert all((np.diff(b) == 1).all() for b in given)
    assert [b[0] for b in given] != sorted(b[0] for b in given)


def test_the_median_unit_can_be_the_score(encoder, sessions, splits):
    identity = Encoder(replace(encoder.config, output="identity"), sessions, 1)
    runs = {
        s: Run(identity, sessions, splits, replace(ADAM, score=s), 0) for s in ("mean", "median")
    }
    scores = {s: run.validate() for s, run in runs.items()}
    assert scores["mean"] != scores["median"]
    every = []
    for key, split in splits.items():
        batch = sessions[key].batch(split.validation)
        with torch.no_grad():
            predicted = identity.eval()(batch, key)
        every.extend(pearson(predicted.numpy(), batch.responses.numpy()))
    assert scores["median"] == pytest.approx(np.median(every), abs=1e-6)
    assert scores["mean"] == pytest.approx(np.mean(every), abs=1e-6)
    with pytest.raises(ValueError, match="turns='alone'"):
        Run(identity, sessions, splits, replace(ADAM, turns="together", two_pass=True), 0)


def test_the_start_counts_or_does_not(encoder, sessions, splits, tmp_path, monkeypatch):
    """A start that scores best is kept, unless it may not be."""
    identity = replace(encoder.config, output="identity")
    for counts in (True, False):
        fresh, scores = Encoder(identity, sessions, 1), iter([0.3, 0.1, 0.2, 0.2])
        if not counts:
            next(scores)
        monkeypatch.setattr(Run, "validate", lambda run, given=scores: next(given))
        config = replace(ADAM, max_epochs=2, batch_size=200, start_counts=counts)
        run = Run(fresh, sessions, splits, config, 0)
        before = run.weights()
        run.to_the_end(tmp_path / f"{counts}/resume.pt", {}, False, lambda row: None)
        kept = {k: torch.equal(v, before[k]) for k, v in fresh.state_dict().items()}
        assert all(kept.values()) is counts
        assert run.schedule.best == (0.3 if counts else 0.2)


def test_the_share_of_signal_is_that_of_repeats():
    rng = np.random.default_rng(0)
    q = np.array([0.2, 0.5, 1.0, 2.0])
    ids = np.repeat(np.arange(4000), 3)
    responses = q * rng.normal(size=(4000, 4))[ids] + rng.normal(size=(12000, 4))
    found = signal_weights(responses, ids).numpy()
    np.testing.assert_allclose(found, np.clip(q**2 / (1 + q**2), 0.1, 1), atol=0.02)
    assert found[0] == np.float32(0.1)
    noise = responses[:, :1].copy()
    noise[::3] = noise[1::3] = noise[2::3]
    assert signal_weights(noise, ids).item() == 1
    with pytest.raises(DataError, match="shown twice"):
        signal_weights(responses, np.arange(12000))


def test_fixed_weights_are_those_of_the_loss():
    r, v, w = torch.randn(9, 3), torch.randn(9, 3), torch.tensor([0.1, 0.5, 1.0])
    by_hand = sum(w[u] * ((r - v)[:, u] ** 2).sum() for u in range(3)) / w.mean()
    torch.testing.assert_close(batch_loss(TrainingConfig(loss="ncsnr"), r, v, 9, 9, w), by_hand)
