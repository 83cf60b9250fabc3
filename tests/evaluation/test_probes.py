"""What probes work on: means over repeats of the right images, and predictions with their ids."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from src.data.errors import DataError
from src.data.gaussian_fields import field_grid
from src.data.hashes import trial_sha256
from src.data.splits import Split, official_split
from src.evaluation.field_ridge import fit_fields
from src.evaluation.prediction import align, load_prediction, save_prediction
from src.evaluation.probes import (
    FieldRows,
    ImageResponses,
    fitted_trials,
    group_means,
    prediction_for,
    scored_trials,
)

IMAGES, UNITS = 9, 4
TIERS = np.array(["train", "validation", "test"])


def recording(objects=True, withheld=()):
    """30 trials of 9 images in random order, some shown once and some five times."""
    rng = np.random.default_rng(3)
    index = rng.permutation(np.r_[np.arange(IMAGES), rng.integers(0, 6, 21)])
    rates = rng.normal(size=(30, UNITS))
    return SimpleNamespace(
        key="monkey",
        image_index=index,
        image_ids=index * 10 + 3,
        images=rng.integers(0, 256, (IMAGES, 4, 4)).astype(np.uint8),
        objects=np.array([f"object_{i % 3}" for i in index]) if objects else None,
        tiers=TIERS[index % 3],
        trial_ids=np.array([f"t{i}" for i in range(30)]),
        unit_ids=np.array([2, 5, 7, 11]),
        rates=rates,
        provenance={"key": "monkey"},
        responses=lambda trials: torch.from_numpy(rates[trials]),
        withheld=lambda tier: tier in withheld,
    )


def test_images_hold_the_mean_of_their_trials():
    session, trials = recording(), np.random.default_rng(0).permutation(30)[:20]
    found = ImageResponses.of(session, trials)
    assert found.rows.tolist() == sorted({session.image_index[t] for t in trials})
    for row, mean, name in zip(found.rows, found.responses, found.objects, strict=True):
        shown = [session.rates[t] for t in trials if session.image_index[t] == row]
        np.testing.assert_allclose(mean, np.sum(shown, axis=0) / len(shown))
        assert name == f"object_{row % 3}"
    assert ImageResponses.of(recording(objects=False), trials).objects is None


@pytest.mark.parametrize("withheld", [(), ("test",)])
def test_what_is_scored_is_not_fitted(withheld):
    session = recording(withheld=withheld)
    split = official_split(session)
    scored, fitted = scored_trials(session, split), fitted_trials(session, split)
    if withheld:
        assert scored.tolist() == split.validation.tolist()
        assert fitted.tolist() == split.train.tolist()
    else:
        assert scored.tolist() == split.test.tolist()
        assert fitted.tolist() == sorted([*split.train, *split.validation])


def test_a_split_without_validation_is_fitted_on_training_trials():
    split = Split(np.arange(10), np.array([], int), np.arange(10, 30))
    assert fitted_trials(recording(), split).tolist() == list(range(10))


def test_some_images_are_held_out_with_all_their_trials():
    session = recording()
    split = Split(np.arange(24), np.arange(24, 27), np.arange(27, 30))
    found = FieldRows.drawn(session, split, 0.5, np.random.default_rng(0))
    shown = {session.image_index[t] for t in split.train}
    assert found.images.tolist() == sorted(shown) and len(found.held_out) == len(shown) // 2
    assert sorted([*found.train, *found.held_out]) == list(range(len(shown)))
    for image, mean, count in zip(found.images, found.responses, found.counts, strict=True):
        trials = [t for t in split.train if session.image_index[t] == image]
        assert count == len(trials)
        np.testing.assert_allclose(mean, session.rates[trials].mean(0))


def test_the_published_way_holds_out_trials_of_fitted_images():
    """Means and counts of both parts give the ridge of their single trials."""
    session = recording()
    split = Split(np.arange(22), np.arange(22, 27), np.arange(27, 30))
    found = FieldRows.as_published(session, split)
    assert set(found.images[found.held_out]) & set(found.images[found.train])
    for rows, trials in ((found.train, split.train), (found.held_out, split.validation)):
        assert found.images[rows].tolist() == sorted({session.image_index[t] for t in trials})
        assert found.counts[rows].sum() == len(trials)
    maps = [np.random.default_rng(1).random((IMAGES, 3, 4, 4))]
    fields, lambdas = field_grid(0.2, 2.0, sizes=2), np.array([0.1, 1, 10])
    parts, how = (found.train, found.held_out), {"lambdas": lambdas, "legacy": True}
    ours = fit_fields(
        maps, found.responses, fields, *parts, counts=found.counts, shows=found.images, **how
    )
    single = [maps[0][session.image_index]], session.rates, fields
    theirs = fit_fields(*single, split.train, split.validation, **how)
    for name in ("field_index", "lambda_index"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    for name in ("mean", "std", "weights", "bias"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-6)


def test_predictions_of_images_become_those_of_trials(tmp_path):
    session, trials = recording(), np.array([21, 3, 8, 14])
    predicted = np.random.default_rng(1).normal(size=(IMAGES, UNITS))
    made = prediction_for(session, trials, predicted, {"probe": "pixels", "seed": 4})
    found = load_prediction(save_prediction(made, tmp_path / "p.npz"))
    assert found.provenance == {"session": {"key": "monkey"}, "probe": "pixels", "seed": 4}
    assert found.image_ids.tolist() == session.image_ids[trials].tolist()
    shown, order = trial_sha256(session, trials), np.argsort(trials)
    values = align(found, session.trial_ids[trials[order]], session.unit_ids[::-1], shown[order])
    for row, trial in zip(values, np.sort(trials), strict=True):
        expected = predicted[session.image_index[trial]][::-1]
        np.testing.assert_allclose(row, expected, rtol=1e-6)


def test_group_means_are_those_of_fitted_trials():
    session, trials = recording(), np.random.default_rng(2).permutation(30)
    fitted, scored = trials[:20], trials[20:]
    found = group_means(session, session.objects, fitted, scored)
    for row, trial in zip(found, scored, strict=True):
        same = [session.rates[t] for t in fitted if session.objects[t] == session.objects[trial]]
        np.testing.assert_allclose(row, np.mean(same, axis=0))
    only = fitted[session.objects[fitted] != "object_1"]
    with pytest.raises(DataError, match=r"monkey.*1 groups.*object_1"):
        group_means(session, session.objects, only, scored)
