"""The training loop: what a step sums, what an epoch measures, what a folder holds afterwards."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import pearsonr

from src.config import (
    BaselineCoreConfig,
    InputConfig,
    ModelConfig,
    TrainingConfig,
    WideCoreConfig,
)
from src.data.session import open_sessions
from src.data.splits import official_split
from src.models.encoder import Encoder
from src.seeds import stream
from src.training import checkpoint
from src.training.checkpoint import CheckpointError
from src.training.sampler import rounds
from src.training.schedule import Schedule
from src.training.trainer import Run, train

CONFIG = TrainingConfig(batch_size=64, max_epochs=4, patience=2, max_decays=1)


@pytest.fixture
def fit(encoder, sessions, splits, tmp_path):
    """Train a copy of the fixture's encoder: keyword arguments change the configuration."""

    def run(folder="member_01", seed=7, progress=False, **changes):
        fresh = Encoder(encoder.config, sessions, seed=1)
        config = replace(CONFIG, **changes)
        history = train(
            fresh, sessions, splits, config, seed, tmp_path / folder, "cpu", progress=progress
        )
        return fresh, history

    run.folder = tmp_path / "member_01"
    return run


def contents(folder):
    return {f.name: f.read_bytes() for f in folder.iterdir()}


class Interrupted(Exception):
    """Stands for a power cut in the middle of an epoch."""


def interrupt(monkeypatch, session, after):
    """Let `session` deliver only so many batches; -> the list its deliveries are counted in."""
    delivered, batch = [], session.batch

    def limited(*arguments):
        delivered.append(1)
        if len(delivered) > after:
            raise Interrupted
        return batch(*arguments)

    monkeypatch.setattr(session, "batch", limited)
    return delivered


def test_a_finished_folder_holds_weights_and_history(fit):
    _, history = fit()
    assert set(contents(fit.folder)) == {"weights.pt", "history.csv", "steps.csv"}
    pd.testing.assert_frame_equal(history, pd.read_csv(fit.folder / "history.csv"))
    steps = pd.read_csv(fit.folder / "steps.csv").groupby("epoch")["loss"].mean()
    np.testing.assert_allclose(steps, history["loss"], rtol=1e-5)
    assert list(history["epoch"]) == list(range(1, len(history) + 1))
    score = checkpoint.read(fit.folder / "weights.pt")["validation"]
    assert score == pytest.approx(history["best"].iloc[-1], rel=1e-8)


def test_the_same_run_gives_the_same_bytes(fit):
    fit("one")
    fit("two")
    assert contents(fit.folder.parent / "one") == contents(fit.folder.parent / "two")


def test_the_model_is_placed_once_whatever_the_number_of_batches(fit, monkeypatch):
    """The published trainer moves it to the CPU and back for every batch of another mouse."""
    moves, move = [], torch.nn.Module.to
    monkeypatch.setattr(torch.nn.Module, "to", lambda *a, **k: moves.append(a) or move(*a, **k))
    counts = []
    for name, size in (("few", 300), ("many", 16)):
        moves.clear()
        fit(name, batch_size=size)
        counts.append(len(moves))
    assert counts[0] == counts[1]


def test_the_seed_changes_the_run(fit):
    one, two = fit("one", seed=1)[1], fit("two", seed=2)[1]
    assert (one["loss"] != two["loss"]).any()


def test_training_learns(fit):
    _, history = fit(max_epochs=12, patience=12, batch_size=32)
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert history["best"].iloc[-1] > 0.15  # chance is 0 with a standard deviation of 0.03


def objective(encoder, key, session, index, noise):
    """Objective of one batch, written out from specification 6.1, 5.1 and 5.2."""
    batch = session.batch(index)
    p, r = encoder(batch, key, noise), batch.responses
    poisson = (session.n_trials / len(index)) ** 0.5 * (p - r * torch.log(p + 1e-12)).sum()
    kernel = encoder.core.layers[0].conv.weight
    padded = torch.nn.functional.pad(kernel, (1, 1, 1, 1))
    vertical = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1]
    horizontal = padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    roughness = (4 * kernel - vertical - horizontal).square().sum() / kernel.square().sum()
    return poisson + 6.3831 * roughness + 0.0076 * encoder.readouts[key].features.abs().sum()


def test_steps_follow_the_objective_summed_over_sessions(sessions, splits, encoder):
    """Two rounds against a loop written out (specification 6.1, 6.2)."""
    config, losses = TrainingConfig(batch_size=100), []
    reference, noise = Encoder(encoder.config, sessions, seed=1).train(), stream(7, "sample", 1)
    adam = torch.optim.Adam(reference.parameters(), lr=0.009)
    for indices in rounds({k: s.train for k, s in splits.items()}, 100, 7, 1):
        total = sum(objective(reference, k, sessions[k], i, noise) for k, i in indices.items())
        adam.zero_grad()
        total.backward()
        adam.step()
        losses.append(total.item())
    run = Run(encoder, sessions, splits, config, seed=7)
    run.schedule = Schedule.start(config, 0.0)
    row = run.train_epoch(1)
    assert len(losses) == 2
    assert row["loss"] + row["penalty"] == pytest.approx(np.mean(losses), rel=1e-5)
    for ours, theirs in zip(encoder.parameters(), reference.parameters(), strict=True):
        assert (ours.grad - theirs.grad).norm() < 1e-3 * theirs.grad.norm() + 1e-4
        assert (ours - theirs).norm() < 1e-3 * theirs.norm() + 1e-4


def test_an_epoch_has_the_steps_of_the_largest_session(sessions, splits, encoder):
    run = Run(encoder, sessions, splits, replace(CONFIG, batch_size=50), seed=7)
    run.schedule = Schedule.start(CONFIG, 0.0)
    run.train_epoch(1)  # 180 training trials of mouse1: 4 rounds over 2 sessions
    assert {state["step"].item() for state in run.optimizer.state.values()} == {4}
    assert encoder.core.layers[0].norm.num_batches_tracked == 4 * 2


def test_an_epoch_may_be_given_its_number_of_steps(sessions, splits, encoder):
    config = replace(CONFIG, batch_size=50, steps_per_epoch=7)
    run = Run(encoder, sessions, splits, config, seed=7)
    run.schedule = Schedule.start(config, 0.0)
    run.train_epoch(1)
    assert {state["step"].item() for state in run.optimizer.state.values()} == {7}


def test_the_best_weights_come_back(sessions, splits, encoder, monkeypatch):
    run, scores = Run(encoder, sessions, splits, CONFIG, seed=7), iter([0.2, 0.1, 0.1])
    run.schedule = Schedule.start(CONFIG, 0.0)
    monkeypatch.setattr(run, "validate", lambda: next(scores))
    run.epoch()
    best = run.weights()
    run.epoch()
    assert any((value != best[name]).any() for name, value in run.weights().items())
    run.epoch()  # the second without improvement: patience is 2
    assert all((value == best[name]).all() for name, value in run.weights().items())


def test_validation_pools_the_units_of_all_sessions(encoder, sessions, splits):
    encoder.eval()
    expected = []
    for key, session in sessions.items():
        batch = session.batch(splits[key].validation)
        pairs = zip(encoder(batch, key).T.detach(), batch.responses.T, strict=True)
        expected += [pearsonr(p, r).statistic for p, r in pairs]
    run = Run(encoder, sessions, splits, replace(CONFIG, batch_size=7), seed=7)
    assert run.validate() == pytest.approx(np.mean(expected), abs=1e-5)


def test_a_constant_prediction_counts_as_zero(encoder, sessions, splits):
    for readout in encoder.readouts.values():
        torch.nn.init.zeros_(readout.features)
    assert abs(Run(encoder, sessions, splits, CONFIG, seed=7).validate()) < 1e-6


def test_a_finished_member_is_kept(fit, sessions, monkeypatch):
    trained, history = fit()
    before = contents(fit.folder)
    stamp = (fit.folder / "weights.pt").stat().st_mtime_ns
    interrupt(monkeypatch, sessions["mouse1"], after=0)
    kept, again = fit()
    assert contents(fit.folder) == before
    assert (fit.folder / "weights.pt").stat().st_mtime_ns == stamp
    pd.testing.assert_frame_equal(again, history)
    for name, value in trained.state_dict().items():
        assert torch.equal(kept.state_dict()[name], value)


def test_a_lost_history_is_written_again(fit):
    fit()
    before = contents(fit.folder)
    (fit.folder / "history.csv").unlink()
    fit()
    assert contents(fit.folder) == before


def test_other_inputs_train_again_from_the_start_and_say_so(fit, capsys):
    fit()
    capsys.readouterr()
    fit(learning_rate=0.005)
    line = capsys.readouterr().out
    assert "from other inputs" in line and "training.learning_rate: 0.009 -> 0.005" in line
    fit("clean", learning_rate=0.005)
    assert contents(fit.folder) == contents(fit.folder.parent / "clean")


@pytest.mark.parametrize(
    ("schedule", "tolerance", "after"),
    [
        ("upstream", 1e-6, 6),
        ("fixed", 1e-6, 13),
        ("fixed", 10.0, 7),  # nothing improves: the initial weights must come back
        ("fixed", 10.0, 19),  # during recalibration
        ("cosine", 1e-6, 9),
    ],
)
def test_an_interrupted_run_continues_to_the_same_bits(
    fit, sessions, monkeypatch, schedule, tolerance, after
):
    changes = {"schedule": schedule, "tolerance": tolerance, "recalibrate": True}
    changes["reset_moments"] = schedule == "fixed"
    changes["average"] = 0.9 * (schedule == "cosine")
    with monkeypatch.context() as patch:
        whole = interrupt(patch, sessions["mouse1"], after=10**6)
        fit("whole", **changes)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        interrupt(patch, sessions["mouse1"], after)
        fit(**changes)
    assert (fit.folder / "resume.pt").is_file()
    with monkeypatch.context() as patch:
        rest = interrupt(patch, sessions["mouse1"], after=10**6)
        fit(**changes)
    assert contents(fit.folder) == contents(fit.folder.parent / "whole")
    assert after - 4 <= len(whole) - len(rest) <= after  # an epoch takes 4 batches of mouse1


def test_an_interrupted_run_with_other_inputs_starts_again(fit, sessions, monkeypatch, capsys):
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        interrupt(patch, sessions["mouse1"], after=13)
        fit()
    fit(seed=8)
    assert "resume.pt was made from other inputs" in (line := capsys.readouterr().out)
    assert "seed: 7 -> 8" in line
    fit("clean", seed=8)
    assert contents(fit.folder) == contents(fit.folder.parent / "clean")


@pytest.mark.parametrize("field", ["fingerprint", "unit_ids", "n_trials"])
def test_another_recording_is_another_input(fit, sessions, field, capsys):
    fit()
    value = getattr(sessions["mouse2"], field)
    setattr(sessions["mouse2"], field, value + ("x" if isinstance(value, str) else 1))
    fit()
    assert "from other inputs" in capsys.readouterr().out


def test_the_order_of_splits_does_not_matter(fit, splits):
    fit("one")
    splits["mouse1"] = splits.pop("mouse1")
    fit("two")
    assert contents(fit.folder.parent / "one") == contents(fit.folder.parent / "two")


def test_no_epochs_leave_the_initial_weights_and_an_empty_history(fit, encoder):
    trained, history = fit(max_epochs=0)
    assert history.empty and "validation" in history
    for name, value in encoder.state_dict().items():
        assert torch.equal(trained.state_dict()[name], value)


def test_other_initial_weights_are_other_inputs(fit, encoder, sessions, splits, capsys):
    fit()
    other = Encoder(encoder.config, sessions, seed=2)
    train(other, sessions, splits, CONFIG, 7, fit.folder, "cpu", progress=False)
    assert "initial: " in capsys.readouterr().out


def test_what_a_killed_write_left_is_removed(fit):
    fit.folder.mkdir()
    (fit.folder / ".resume.pt.123.tmp").write_bytes(b"half")
    fit()
    assert set(contents(fit.folder)) == {"weights.pt", "history.csv", "steps.csv"}


def test_resetting_moments_changes_what_follows_a_restoration(fit):
    kept = fit("kept", max_decays=2, max_epochs=9, tolerance=10.0)[1]  # nothing ever improves
    reset = fit("reset", max_decays=2, max_epochs=9, tolerance=10.0, reset_moments=True)[1]
    same = kept["loss"] == reset["loss"]
    assert same[:2].all() and not same[2:].any()


def test_the_kept_weights_are_a_moving_average(sessions, splits, encoder):
    """Weights and statistics after each step, averaged by hand."""
    run = Run(encoder, sessions, splits, replace(CONFIG, batch_size=32, average=0.8), seed=7)
    step, seen = run.optimizer.step, []
    run.optimizer.step = lambda: (step(), seen.append(weights_of(encoder)))
    run.schedule = Schedule.start(run.config, 0.0)
    run.train_epoch(1)
    expected = seen[0]
    for weights in seen[1:]:
        expected = {name: 0.8 * expected[name] + 0.2 * weights[name] for name in expected}
    assert len(seen) > 3
    for name, value in run.weights().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, expected[name])


def weights_of(encoder):
    return {name: value.clone() for name, value in encoder.state_dict().items()}


def test_recalibration_replaces_the_statistics(fit):
    plain, recalibrated = fit("a")[0], fit("b", recalibrate=True)[0]
    norms = [e.core.layers[1].norm for e in (plain, recalibrated)]
    assert torch.equal(norms[0].weight, norms[1].weight)
    assert not torch.equal(norms[0].running_mean, norms[1].running_mean)
    assert norms[1].num_batches_tracked == 3 + 1  # 180 and 24 trials in batches of 64


def test_autocast_trains_and_keeps_float32_weights(fit):
    encoder, exact = fit("a", autocast=True, max_epochs=1), fit("b", max_epochs=1)[1]
    assert {p.dtype for p in encoder[0].parameters()} == {torch.float32}
    loss = encoder[1]["loss"].item()
    assert loss != exact["loss"].item()
    assert loss == pytest.approx(exact["loss"].item(), rel=0.02)


def test_training_computes_on_the_threads_it_is_told(fit, sessions, monkeypatch):
    seen, batch = set(), sessions["mouse1"].batch
    before = torch.get_num_threads()
    monkeypatch.setattr(
        sessions["mouse1"], "batch", lambda *a: seen.add(torch.get_num_threads()) or batch(*a)
    )
    fit(threads=before + 1, max_epochs=1, batch_size=200)
    assert seen == {before + 1}
    assert torch.get_num_threads() == before


def test_a_nan_stops_the_run_and_leaves_no_weights(fit, sessions, splits):
    for part, message in (("train", "epoch 1: the loss is"), ("validation", "validation score is")):
        sessions["mouse2"].responses[splits["mouse2"].as_plain()[part][0]] = np.nan
        with pytest.raises(FloatingPointError, match=f"{message} not finite: l"):
            fit()
    assert not (fit.folder / "weights.pt").exists()


def test_sessions_of_encoder_data_and_splits_must_agree(encoder, sessions, splits, tmp_path):
    with pytest.raises(ValueError, match=r"\['mouse1', 'mouse2'\], the data \['mouse1'\]"):
        train(encoder, {"mouse1": sessions["mouse1"]}, splits, CONFIG, 7, tmp_path, "cpu")
    splits["mouse2"] = replace(splits["mouse2"], validation=np.array([], int))
    with pytest.raises(ValueError, match="session 'mouse2' has no validation trials"):
        train(encoder, sessions, splits, CONFIG, 7, tmp_path, "cpu")


def test_a_log_gets_about_ten_lines(fit, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("STRIATE_RECORD", str(tmp_path / "record"))
    fit(max_epochs=20, patience=100, batch_size=300, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("member_01: epoch 20, learning_rate 0.009, validation ")


def test_the_record_notes_what_outlives_the_run(fit, monkeypatch, tmp_path):
    record = tmp_path / "record"
    for _ in ("trained", "kept"):
        monkeypatch.setenv("STRIATE_RECORD", str(record))
        record.unlink(missing_ok=True)
        fit(max_epochs=2)
        notes = [json.loads(line) for line in record.read_text().splitlines()]
        noted = {(note["kind"], note["path"].rsplit("/", 1)[1]) for note in notes}
        assert noted == {("output", n) for n in ("weights.pt", "history.csv", "steps.csv")}


def test_a_notebook_or_terminal_gets_a_bar(fit, capsys, monkeypatch):
    monkeypatch.delenv("STRIATE_RECORD", raising=False)
    monkeypatch.setattr("src.training.progress.watched", lambda: True)
    fit(max_epochs=3, progress=True)
    shown = capsys.readouterr()
    assert "member_01" in shown.err and "3/3" in shown.err
    assert shown.out == ""


EVERYTHING = ModelConfig(
    "wide_plus",
    WideCoreConfig((2, 4, 4)),
    InputConfig("full", behavior=True, pupil=True, boxes="full_frame", centered=True),
    shifter=True,
    modulator="gain",
)


def test_packed_mice_with_and_without_behavior_train_together(packed, tmp_path):
    sessions = open_sessions(packed, EVERYTHING.inputs)
    assert [s.behavior_missing for s in sessions.values()] == [False, True]
    splits = {key: official_split(session) for key, session in sessions.items()}
    encoder = Encoder(EVERYTHING, sessions, seed=1)
    config = replace(CONFIG, batch_size=24, max_epochs=2)
    history = train(encoder, sessions, splits, config, 7, tmp_path, "cpu", progress=False)
    assert len(history) == 2
    loaded = checkpoint.load_encoder(tmp_path / "weights.pt", sessions)
    for key, session in sessions.items():
        batch = session.batch(splits[key].test)
        assert torch.equal(loaded(batch, key), encoder(batch, key))


def test_a_session_at_another_scale_or_with_other_units_is_refused(packed, tmp_path):
    model = ModelConfig("cnn", BaselineCoreConfig(1, channels=2))
    sessions = open_sessions(packed, model.inputs)
    splits = {key: official_split(session) for key, session in sessions.items()}
    encoder, config = Encoder(model, sessions, seed=1), replace(CONFIG, max_epochs=1)
    train(encoder, sessions, splits, config, 7, tmp_path, "cpu", progress=False)
    full = open_sessions(packed, InputConfig("full"))
    with pytest.raises(CheckpointError, match=r"\(1, 144, 256\) but .* \(1, 36, 64\)"):
        checkpoint.load_encoder(tmp_path / "weights.pt", full)
    fewer = {key: session.select(n_units=5) for key, session in sessions.items()}
    with pytest.raises(CheckpointError, match="'21067-10-18' has unit_ids"):
        checkpoint.load_encoder(tmp_path / "weights.pt", fewer)
