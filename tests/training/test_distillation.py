"""Distillation: what teachers say of training trials, and that students listen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from src.config import InputConfig, TrainingConfig
from src.models.encoder import Encoder
from src.training import checkpoint
from src.training.distillation import lessons
from src.training.trainer import Run, train

CONFIG = TrainingConfig(batch_size=64, max_epochs=2)
CPU = torch.device("cpu")


@pytest.fixture
def teachers(encoder, sessions, splits, tmp_path):
    """Two trained members."""
    paths = [tmp_path / f"teacher_{k}" / "weights.pt" for k in (1, 2)]
    for k, path in enumerate(paths):
        member = Encoder(encoder.config, sessions, seed=k)
        train(member, sessions, splits, CONFIG, k, path.parent, "cpu", progress=False)
    return paths


def test_lessons_are_the_mean_of_teachers_in_training_trials_and_nowhere_else(
    teachers, encoder, sessions, splits
):
    taught = lessons(teachers, encoder.config.inputs, sessions, splits, CPU)
    members = [checkpoint.load_encoder(path, sessions) for path in teachers]
    for key, session in sessions.items():
        known = ~np.isnan(taught[key]).any(axis=1)
        np.testing.assert_array_equal(np.flatnonzero(known), np.sort(splits[key].train))
        trial = splits[key].train[[-1]]
        alone = [m(session.batch(trial), key).detach().numpy() for m in members]
        np.testing.assert_allclose(taught[key][trial], np.mean(alone, axis=0), rtol=1e-5)


def test_a_target_is_part_recorded_and_part_taught(teachers, encoder, sessions, splits):
    key, index = "mouse1", splits["mouse1"].train[:5]
    run = Run(encoder, sessions, splits, replace(CONFIG, distilled=0.25), 7, teachers)
    recorded = sessions[key].batch(index).responses
    expected = 0.75 * recorded.numpy() + 0.25 * run.lessons[key][index]
    np.testing.assert_allclose(run.target(key, index, recorded), expected, rtol=1e-5, atol=1e-7)
    alone = Run(encoder, sessions, splits, CONFIG, 7)
    assert alone.target(key, index, recorded) is recorded


def test_a_student_that_only_listens_comes_to_resemble_its_teachers(
    teachers, encoder, sessions, splits, tmp_path
):
    """With nothing of its own to learn from, its loss against lessons is what falls."""
    recipe = replace(CONFIG, distilled=1.0, max_epochs=14, batch_size=32)
    student = Encoder(encoder.config, sessions, seed=9)
    taught = lessons(teachers, encoder.config.inputs, sessions, splits, CPU)
    index = splits["mouse1"].train

    def distance():
        with torch.no_grad():
            y = student.eval()(sessions["mouse1"].batch(index), "mouse1").numpy()
        return float(np.mean((y - taught["mouse1"][index]) ** 2))

    before = distance()
    train(student, sessions, splits, recipe, 9, tmp_path / "s", "cpu", False, teachers=teachers)
    assert distance() < 0.5 * before


def test_other_teachers_train_the_student_again(teachers, encoder, sessions, splits, tmp_path):
    recipe, folder = replace(CONFIG, distilled=0.5), tmp_path / "student"

    def run(given):
        student = Encoder(encoder.config, sessions, seed=9)
        train(student, sessions, splits, recipe, 9, folder, "cpu", False, teachers=given)
        return (folder / "weights.pt").read_bytes()

    both = run(teachers)
    assert run(teachers) == both
    assert run(teachers[:1]) != both


def test_a_teacher_that_sees_something_else_is_refused(teachers, sessions, splits):
    with pytest.raises(ValueError, match=r"teacher .*weights.pt sees .*give both the same inputs"):
        lessons(teachers, InputConfig(behavior=True), sessions, splits, CPU)


@pytest.mark.parametrize("distilled", [0.0, 0.5])
def test_a_recipe_and_its_teachers_go_together(distilled, teachers, encoder, sessions, splits):
    given = () if distilled else teachers
    with pytest.raises(ValueError, match="teachers go together"):
        Run(encoder, sessions, splits, replace(CONFIG, distilled=distilled), 7, given)
