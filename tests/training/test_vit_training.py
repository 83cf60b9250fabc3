"""Training a ViT in the recipe of V1T: optimizer, loss, dropout, and the same bits again."""

from dataclasses import replace

import pytest
import torch

from src.config import InputConfig, ModelConfig, ViTCoreConfig
from src.data.session import open_sessions
from src.data.splits import official_split
from src.models.encoder import Encoder
from src.seeds import stream
from src.studies.sensorium2022 import V1T
from src.training.checkpoint import load_encoder
from src.training.losses import batch_loss
from src.training.sampler import rounds
from src.training.schedule import Schedule
from src.training.trainer import Run, train

CORE = ViTCoreConfig(
    patch=8, stride=7, width=6, blocks=2, heads=2, head_width=5, hidden=7, side_hidden=3
)
INPUTS = InputConfig(behavior=True, pupil=True)
MODEL = ModelConfig("vit", CORE, INPUTS, shifter=True, pupil_in_core=True)
RECIPE = replace(V1T, max_epochs=3)


@pytest.fixture
def mice(packed):
    """One mouse with behavior and one without, and their splits."""
    sessions = open_sessions(packed, INPUTS)
    assert [s.behavior_missing for s in sessions.values()] == [False, True]
    return sessions, {key: official_split(session) for key, session in sessions.items()}


def files(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_step_is_that_of_the_recipe(mice):
    """An epoch written out: V1T's loss, penalties, AdamW, dropout from the stream of the epoch."""
    sessions, splits = mice
    reference, noise = Encoder(MODEL, sessions, seed=1).train(), stream(7, "sample", 1)
    adam = torch.optim.AdamW(
        reference.parameters(), lr=0.001647, betas=(0.9, 0.9999), weight_decay=0
    )
    for indices in rounds({k: s.train for k, s in splits.items()}, 16, 7, 1):
        adam.zero_grad()
        for key, index in indices.items():
            b = sessions[key].batch(index)
            counts = sessions[key].n_trials, len(splits[key].train)
            loss = batch_loss(RECIPE, reference(b, key, noise), b.responses, *counts)
            weights = sum(p.abs().sum() for p in reference.core.parameters())
            l1 = reference.readouts[key].features.abs().sum()
            (loss + 0.5379 * weights + 0.0076 * l1).backward()
        adam.step()
    run = Run(Encoder(MODEL, sessions, seed=1), sessions, splits, RECIPE, seed=7)
    run.schedule = Schedule.start(RECIPE, 0.0)
    run.train_epoch(1)
    for ours, theirs in zip(run.encoder.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_killed_run_continues_to_the_same_bits(mice, tmp_path, monkeypatch):
    sessions, splits = mice
    train(
        Encoder(MODEL, sessions, 1), sessions, splits, RECIPE, 7, tmp_path / "whole", "cpu", False
    )
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(Run, "accumulate", stop_at(Run.accumulate, step=10))
        train(
            Encoder(MODEL, sessions, 1), sessions, splits, RECIPE, 7, tmp_path / "cut", "cpu", False
        )
    assert (tmp_path / "cut/resume.pt").is_file()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        before = torch.get_rng_state()
        encoder = Encoder(MODEL, sessions, 1)
        train(encoder, sessions, splits, RECIPE, 7, tmp_path / "cut", "cpu", False)
        assert torch.equal(torch.get_rng_state(), before)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")
    loaded = load_encoder(tmp_path / "cut/weights.pt", sessions)
    assert loaded.config == MODEL
    for key, session in sessions.items():
        b = session.batch(splits[key].test)
        assert torch.equal(loaded(b, key), encoder(b, key))


def stop_at(accumulate, step):
    """`accumulate` until it has been called so often."""
    calls = iter(range(step))

    def stopping(*arguments):
        if next(calls, None) is None:
            raise InterruptedError
        return accumulate(*arguments)

    return stopping


def test_autocast_trains_with_dropout(mice):
    sessions, splits = mice
    config = replace(RECIPE, autocast=True)
    run = Run(Encoder(MODEL, sessions, seed=1), sessions, splits, config, seed=7)
    run.schedule = Schedule.start(config, 0.0)
    exact = Run(Encoder(MODEL, sessions, seed=1), sessions, splits, RECIPE, seed=7)
    exact.schedule = run.schedule
    losses = run.train_epoch(1)["loss"], exact.train_epoch(1)["loss"]
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.02)
