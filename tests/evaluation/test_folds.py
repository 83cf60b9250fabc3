"""Folds: balance, whole groups, and the published splits."""

import numpy as np

from src.evaluation.folds import brain_score_splits, grouped_folds, stratified_folds

OBJECTS = np.random.default_rng(0).permutation(np.repeat(np.arange(64), [40, 41] * 32))
CATEGORIES = OBJECTS // 8


def test_stratified_folds_spread_every_object():
    fold = stratified_folds(OBJECTS, 5, seed=3)
    counts = np.array([np.bincount(fold[o == OBJECTS], minlength=5) for o in range(64)])
    assert counts.min() == 8 and counts.max() == 9
    np.testing.assert_array_equal(fold, stratified_folds(OBJECTS, 5, seed=3))
    assert (fold != stratified_folds(OBJECTS, 5, seed=4)).mean() > 0.5
    first = fold[OBJECTS[0] == OBJECTS]
    assert (np.diff(first) != 0).sum() > 8  # shuffled, not in blocks


def test_grouped_folds_hold_out_one_object_of_each_category():
    fold = grouped_folds(OBJECTS, CATEGORIES, 8, seed=3)
    where = [np.unique(fold[o == OBJECTS]) for o in range(64)]
    assert all(len(w) == 1 for w in where)
    for k in range(8):
        held_out = np.unique(OBJECTS[fold == k])
        np.testing.assert_array_equal(np.sort(held_out // 8), np.arange(8))
    assert (fold != grouped_folds(OBJECTS, CATEGORIES, 8, seed=4)).any()


def test_published_splits(shared):
    stored = np.load(shared / "fixtures/brainscore/metric_outputs.npz")
    order = np.argsort(stored["in_stimulus_id"])
    splits = brain_score_splits(stored["in_object"][order])
    ids = stored["in_stimulus_id"][order]
    np.testing.assert_array_equal([ids[test] for _, test in splits], stored["cv_test_stimulus_ids"])
    for train, test in splits:
        assert len(train) == 288 and not np.isin(train, test).any()
