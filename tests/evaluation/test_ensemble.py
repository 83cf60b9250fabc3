"""Ensembles of members that differ, against closed forms and scipy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

from src.data.errors import DataError
from src.evaluation import ensemble, metrics
from src.evaluation.prediction import Prediction


@pytest.fixture
def y():
    """Outputs of three different members before the nonlinearity: (3, n, u)."""
    return np.random.default_rng(0).normal(scale=2, size=(3, 30, 4))


def elu1(y):
    return (torch.nn.functional.elu(torch.from_numpy(np.asarray(y))) + 1).numpy()


def predictions(values, **changes):
    n, u = values.shape[1:]
    ids = {
        "trial_ids": np.arange(n).astype(str),
        "image_ids": np.arange(n) // 3,
        "unit_ids": np.arange(u),
    } | changes
    return [
        Prediction(v.astype(np.float32), **ids, provenance={"member": k})
        for k, v in enumerate(values, 1)
    ]


def test_modes_differ_as_they_should(y):
    members = elu1(y)
    np.testing.assert_allclose(ensemble.mean(members), sum(members) / 3, rtol=1e-12)
    np.testing.assert_allclose(ensemble.mean_linear(y), elu1(sum(y) / 3), rtol=1e-12)
    # ELU + 1 is convex, so the mean after it is at least the one before it (Jensen).
    assert (ensemble.mean(members) >= ensemble.mean_linear(y) - 1e-12).all()
    assert np.abs(ensemble.mean(members) - ensemble.mean_linear(y)).max() > 0.1


def test_large_outputs_do_not_overflow():
    assert ensemble.mean_linear(np.full((2, 1, 1), 1e4)).item() == 1e4 + 1


def test_two_members_score_as_their_mean_not_as_the_first():
    """The published code scores member 1 in place of all members."""
    rng = np.random.default_rng(1)
    ids = np.repeat(np.arange(50), 4)
    signal = np.repeat(rng.normal(size=(50, 6)), 4, axis=0)
    r = signal + 0.5 * rng.normal(size=signal.shape)
    errors = np.repeat(rng.normal(size=(2, 50, 6)), 4, axis=1)
    both = ensemble.combine(predictions(signal + errors, image_ids=ids))
    scores = [metrics.feve(p, r, ids).mean() for p in (both.values, *(signal + errors))]
    assert scores[0] > max(scores[1:]) + 0.2  # half the error variance of either
    expected = metrics.feve(np.mean(signal + errors, axis=0), r, ids)
    np.testing.assert_allclose(metrics.feve(both.values, r, ids), expected, atol=1e-5)


def test_learned_mix_is_the_nonnegative_least_squares_solution(y):
    members = elu1(y)
    rng = np.random.default_rng(2)
    responses = 0.7 * members[0] + 0.4 * members[1] - 0.2 * members[2]
    responses += 0.1 * rng.normal(size=responses.shape)
    weights = ensemble.fit_mix(members, responses)
    flat = members.reshape(3, -1).T
    expected = lsq_linear(flat, responses.ravel(), bounds=(0, np.inf), tol=1e-14).x
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    assert weights[2] == 0
    np.testing.assert_allclose(ensemble.mix(members, weights).ravel(), flat @ weights, rtol=1e-12)


def test_learned_mix_of_equal_members_is_one_of_them():
    member = np.random.default_rng(3).random((20, 5))
    weights = ensemble.fit_mix(np.stack([member, member]), member)
    assert weights.sum() == pytest.approx(1)


def test_combine_matches_members_by_id_and_keeps_their_provenance(y):
    first, second, _ = predictions(elu1(y))
    order = np.random.default_rng(4).permutation(30)
    turned = Prediction(
        second.values[order],
        second.trial_ids[order],
        second.image_ids[order],
        second.unit_ids,
        second.provenance,
    )
    made, expected = (ensemble.combine([first, m]) for m in (turned, second))
    np.testing.assert_array_equal(made.values, expected.values)
    assert made.provenance == {"ensemble": "mean", "members": [{"member": 1}, {"member": 2}]}


def test_members_of_other_images_are_not_combined(y):
    first, second, _ = predictions(elu1(y), image_sha256=np.arange(30).astype(str))
    joined = ensemble.combine([first, second]), ensemble.out_of_fold([first])
    assert all(made.image_sha256.tolist() == first.image_sha256.tolist() for made in joined)
    other = replace(second, image_sha256=np.roll(second.image_sha256, 1))
    with pytest.raises(DataError, match="30 of 30 trials were predicted for other images"):
        ensemble.combine([first, other])


def test_combine_in_every_mode(y):
    after, before = predictions(elu1(y)), predictions(y)
    linear = ensemble.combine(before, "mean_linear")
    np.testing.assert_allclose(linear.values, elu1(y.mean(axis=0)), atol=1e-6)
    mixed = ensemble.combine(after, "mix", np.array([0.5, 0.5, 0]))
    np.testing.assert_allclose(mixed.values, elu1(y)[:2].mean(axis=0), atol=1e-6)
    assert mixed.provenance["weights"] == [0.5, 0.5, 0]
    for mode, weights in (("mix", None), ("mean", np.ones(3))):
        with pytest.raises(ValueError, match="weights belong to 'mix'"):
            ensemble.combine(after, mode, weights)


def test_members_of_other_units_do_not_combine(y):
    first = predictions(elu1(y))[0]
    other = predictions(elu1(y), unit_ids=np.arange(4) + 1)[0]
    with pytest.raises(DataError, match="4 units where 4 are wanted, 1 missing"):
        ensemble.combine([first, other])


def test_held_out_is_the_mean_of_the_members_that_did_not_train_on_a_trial(y):
    members = predictions(elu1(y))
    held = np.random.default_rng(5).random((3, 30)) < 0.5
    held[0, ~held.any(axis=0)] = True
    made = ensemble.held_out(members, held)
    for t in range(30):
        expected = np.mean(
            [m.values[t] for m, h in zip(members, held[:, t], strict=True) if h], axis=0
        )
        np.testing.assert_allclose(made.values[t], expected, rtol=1e-6)
    assert made.provenance == {
        "ensemble": "held_out",
        "members": [{"member": k} for k in (1, 2, 3)],
    }
    np.testing.assert_array_equal(made.trial_ids, members[0].trial_ids)


def test_a_trial_that_all_members_trained_on_has_no_honest_prediction(y):
    held = np.ones((3, 30), bool)
    held[:, 7] = False
    with pytest.raises(DataError, match="every member trained on trial 7"):
        ensemble.held_out(predictions(elu1(y)), held)


def test_out_of_fold_puts_the_held_out_parts_together(y):
    whole = predictions(elu1(y))[0]
    folds = np.arange(30) % 3
    parts = [
        Prediction(
            whole.values[folds == k],
            whole.trial_ids[folds == k],
            whole.image_ids[folds == k],
            whole.unit_ids,
        )
        for k in range(3)
    ]
    joined = ensemble.out_of_fold(parts)
    assert sorted(joined.trial_ids) == sorted(whole.trial_ids)
    for t, values in zip(joined.trial_ids, joined.values, strict=True):
        np.testing.assert_array_equal(values, whole.values[int(t)])
    with pytest.raises(DataError, match="predict some trials twice"):
        ensemble.out_of_fold([*parts, parts[0]])
