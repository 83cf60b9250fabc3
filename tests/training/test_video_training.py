"""Films through the one trainer: clips, resume to the same bits, whole trials, frozen cores."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from src.config import TrainingConfig
from src.correlation import pearson
from src.data.splits import Split
from src.models.encoder import Encoder
from src.models.stitching import predicted_trials, stitcher_of
from src.seeds import numpy_stream, stream
from src.training.checkpoint import CheckpointError, load_core, load_encoder
from src.training.sampler import steps
from src.training.schedule import Schedule, warmth
from src.training.supply import training_batch
from src.training.trainer import Run, train
from tests.movies import MODEL, MovieFake

RECIPE = TrainingConfig(
    batch_size=4,
    max_epochs=3,
    learning_rate=0.003,
    schedule="cosine",
    optimizer="adamw",
    weight_decay=0.05,
    warmup_steps=4,
    loss="dynamic",
    loss_scale="none",
    average=0.9,
)
PUBLISHED = TrainingConfig(
    learning_rate=1e-3,
    min_learning_rate=1e-6,
    schedule="cosine",
    flat_epochs=80,
    max_epochs=180,
    warmup_steps=600,
    warmup_start=1 / 3,
)


@pytest.fixture
def mice():
    """Two fake mice with their splits."""
    sessions = {"a": MovieFake("a"), "b": MovieFake("b", n_units=7, n_trials=6)}
    parts = {k: (s.trials("train"), s.trials("oracle")) for k, s in sessions.items()}
    return sessions, {k: Split(*both, np.zeros(0, int)) for k, both in parts.items()}


def test_the_rate_is_the_published_one(shared):
    stored = np.load(shared / "fixtures/sensorium2023/dynamic_vfm_outputs.npz")["lr_per_epoch"]
    schedule, rates = Schedule.start(PUBLISHED, 0.0), []
    for _ in range(180):
        rates.append(schedule.learning_rate)
        schedule.step(0.0)
    np.testing.assert_allclose(rates, stored, rtol=1e-12)
    warm = [warmth(PUBLISHED, i) for i in (0, 300, 599, 600, 10**6)]
    expected = [1 - (1 - i / 600) * 2 / 3 for i in (0, 300, 599)] + [1, 1]
    np.testing.assert_allclose(warm, expected, rtol=1e-12)


def test_clips_begin_anywhere_up_to_the_last_frame():
    session, random = MovieFake(), numpy_stream(0, "crops")
    for _ in range(300):
        training_batch(session, np.arange(10), "cpu", random)
    for trial, length in enumerate(session.lengths):
        starts = np.array([s for i, s in session.asked if i == trial])
        assert starts.min() == 0 and starts.max() == length - 30
        counts = np.bincount(starts, minlength=length - 29)
        expected = 300 / (length - 29)
        assert ((counts - expected) ** 2 / expected).sum() < 2 * (length - 29)  # chi squared


def test_a_run_that_was_killed_goes_on_to_the_same_bits(mice, tmp_path):
    sessions, splits = mice
    straight = Encoder(MODEL, sessions, seed=1)
    train(straight, sessions, splits, RECIPE, 5, tmp_path / "a", "cpu", progress=False)

    def stop(row):
        if row["epoch"] == 1:
            raise KeyboardInterrupt

    for watch in (stop, lambda row: None):
        encoder = Encoder(MODEL, sessions, seed=1)
        try:
            options = {"progress": False, "watch": watch}
            train(encoder, sessions, splits, RECIPE, 5, tmp_path / "b", "cpu", **options)
        except KeyboardInterrupt:
            continue
    for name, value in straight.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[name]), name
    assert (tmp_path / "a/steps.csv").read_bytes() == (tmp_path / "b/steps.csv").read_bytes()


def test_it_learns_and_validation_is_the_score_of_whole_trials(mice, tmp_path):
    sessions, splits = mice
    recipe = replace(RECIPE, max_epochs=2, average=0.0, warmup_steps=0)
    encoder = Encoder(MODEL, sessions, seed=1)
    history = train(encoder, sessions, splits, recipe, 5, tmp_path, "cpu", progress=False)
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    scores = []
    for key, session in sessions.items():
        made = predicted_trials([encoder], session, splits[key].validation, stitcher_of(encoder))
        pairs = [
            (p[0], session.responses_of(t)[50 : session.lengths[t] - 1])
            for t, (_, p) in zip(splits[key].validation, made, strict=True)
        ]
        scores.append(pearson(*map(np.concatenate, zip(*pairs, strict=True))))
    assert np.concatenate(scores).mean() == pytest.approx(history["best"].iloc[-1], abs=1e-6)


def test_a_step_on_the_responses_it_answers_is_that_on_all(mice, monkeypatch):
    sessions, splits = mice
    index, cut = splits["a"].train[:3], replace(RECIPE, mixing=1.0, mixing_way="cut")
    asked, clips = [], sessions["a"].clips
    monkeypatch.setattr(
        sessions["a"], "clips", lambda *given: asked.append(given[-1]) or clips(*given)
    )

    def gradients():
        run = Run(Encoder(MODEL, sessions, seed=1), sessions, splits, cut, seed=5)
        crops = numpy_stream(5, "crops")
        run.accumulate("a", index, stream(5, "sample"), stream(5, "jitter"), crops)
        return [p.grad for p in run.encoder.core.parameters()]

    some = gradients()
    monkeypatch.setattr(Encoder, "answered", lambda *_: None)
    assert all(torch.equal(a, b) for a, b in zip(some, gradients(), strict=True))
    assert asked == [15, None]


def test_gradients_add_up_over_mice_and_a_cycle_takes_them_in_turn(mice):
    _, splits = mice
    trials = {key: split.train for key, split in splits.items()}
    together = list(steps(RECIPE, trials, 1, 1))
    cycle = list(steps(replace(RECIPE, turns="cycle"), trials, 1, 1))
    assert [list(step) for step in cycle] == [["a"], ["b"]] * len(together)
    for i, step in enumerate(together):
        np.testing.assert_array_equal(step["b"], cycle[2 * i + 1]["b"])


def test_a_new_mouse_is_fitted_on_a_core_that_stays(mice, tmp_path):
    sessions, splits = mice
    encoder = Encoder(MODEL, sessions, seed=1)
    train(encoder, sessions, splits, RECIPE, 5, tmp_path / "two", "cpu", progress=False)
    new = {"c": MovieFake("c", n_units=5)}
    fresh = load_core(tmp_path / "two/weights.pt", Encoder(MODEL, new, seed=2))
    split = {"c": Split(new["c"].trials("train"), new["c"].trials("oracle"), np.zeros(0, int))}
    frozen = replace(RECIPE, core_rate=0.0, max_epochs=1, start_counts=False, tolerance=-1.0)
    before = fresh.readouts["c"].mu.clone()
    train(fresh, new, split, frozen, 5, tmp_path / "new", "cpu", progress=False)
    for name, value in fresh.core.state_dict().items():
        assert torch.equal(value, encoder.core.state_dict()[name]), name
    assert not torch.equal(before, fresh.readouts["c"].mu)


def test_some_mice_of_a_checkpoint_are_loaded_and_the_rest_reported(mice, tmp_path, capsys):
    sessions, splits = mice
    encoder = Encoder(MODEL, sessions, seed=1)
    brief = replace(RECIPE, max_epochs=1)
    train(encoder, sessions, splits, brief, 5, tmp_path, "cpu", progress=False)
    one = load_encoder(tmp_path / "weights.pt", {"b": sessions["b"]}, only=True)
    assert list(one.sessions) == ["b"] and "leaves out a" in capsys.readouterr().out
    batch = sessions["b"].clips(np.array([0]), np.array([3]))
    assert torch.equal(one(batch, "b"), encoder(batch, "b"))
    with pytest.raises(CheckpointError, match="knows no session 'z', only a, b"):
        load_encoder(tmp_path / "weights.pt", {"z": MovieFake("z")}, only=True)


def test_losses_of_a_small_batch_weigh_less(mice):
    """The published step of two clips is as large as that of 32 (defect 8); here sums decide."""
    sessions, splits = mice
    run = Run(Encoder(MODEL, sessions, seed=1), sessions, splits, RECIPE, 1)
    one, two = (run.accumulate("a", np.array(i), _noise(), None, _still()) for i in ([0], [0, 0]))
    assert two[0].item() == pytest.approx(2 * one[0].item(), rel=0.2)


@pytest.mark.parametrize("changes", [{"recalibrate": True}, {"distilled": 0.5}])
def test_what_videos_cannot_do_is_refused(mice, changes):
    sessions, splits = mice
    recipe = replace(RECIPE, **changes)
    with pytest.raises(ValueError, match="teachers"):
        Run(Encoder(MODEL, sessions, seed=1), sessions, splits, recipe, 1)


def _noise():
    return torch.Generator().manual_seed(0)


def _still():
    return numpy_stream(0, "crops")
