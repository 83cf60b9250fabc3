"""Splits against the winner's stored re-splits, and against what a fold must be."""

from types import SimpleNamespace

import numpy as np
import pytest

from src.data.errors import DataError
from src.data.splits import (
    few_repeats,
    fewer_images,
    halves_split,
    inner_split,
    kfold_splits,
    load_splits,
    member_splits,
    official_split,
    save_splits,
    tier_split,
    winner_resplits,
)

TIERS = np.array(["train"] * 200 + ["test"] * 30 + ["validation"] * 60 + ["final_test"] * 10)


def session(seed: int = 0, images: int = 130) -> SimpleNamespace:
    """A session of 300 trials in random order whose images repeat."""
    rng = np.random.default_rng(seed)
    return SimpleNamespace(tiers=rng.permutation(TIERS), image_ids=rng.integers(0, images, 300))


@pytest.mark.parametrize(("mouse", "place"), [("21067-10-18", 0), ("23343-5-17", 1)])
def test_winner_resplits_equal_the_published_ones(shared, mouse, place):
    fixture = np.load(shared / "fixtures/sensorium2022/winner_pipeline.npz")
    stored = {m: fixture[f"split/pretrain_{mouse}/{m}"] for m in (1, 2, 10)}
    ours = winner_resplits(fixture[f"split/pretrain_{mouse}/tiers"], place)
    assert len(ours) == 10
    for member, tiers in stored.items():
        np.testing.assert_array_equal(ours[member - 1], tiers)


def test_official_split_is_the_tiers():
    tour = session()
    split = official_split(tour)
    for name, size in (("train", 200), ("validation", 60), ("test", 30)):
        assert set(tour.tiers[getattr(split, name)]) == {name}
        assert len(getattr(split, name)) == size


def test_each_trial_is_held_out_once():
    tour = session()
    splits = kfold_splits(tour.image_ids, tour.tiers, 5, seed=3)
    held_out = np.concatenate([s.test for s in splits])
    pool = np.flatnonzero((tour.tiers == "train") | (tour.tiers == "validation"))
    np.testing.assert_array_equal(np.sort(held_out), pool)
    for split in splits:
        everything = np.concatenate([split.train, split.validation, split.test])
        np.testing.assert_array_equal(np.sort(everything), pool)


def test_no_image_is_on_two_sides_of_a_fold_in_any_session():
    one, two = session(1), session(2)
    folds = [kfold_splits(s.image_ids, s.tiers, 4, seed=3) for s in (one, two)]
    for a, b in zip(*folds, strict=True):
        sides = [
            set(one.image_ids[getattr(a, part)]) | set(two.image_ids[getattr(b, part)])
            for part in ("train", "validation", "test")
        ]
        assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])


def test_early_stopping_looks_at_a_tenth_of_the_other_images():
    tiers = np.array(["train"] * 4000)
    for split in kfold_splits(np.arange(4000), tiers, 4, seed=3):
        assert len(split.test) == pytest.approx(1000, abs=100)
        assert len(split.validation) == pytest.approx(300, abs=60)


def test_folds_depend_on_the_seed():
    tour = session()
    one, again, other = (kfold_splits(tour.image_ids, tour.tiers, 3, s)[0] for s in (1, 1, 2))
    assert one.fingerprint == again.fingerprint != other.fingerprint


def test_too_few_images_is_an_error():
    with pytest.raises(DataError, match="from 3 images: use another seed, or another number"):
        kfold_splits(np.arange(3), np.array(["train"] * 3), 5, seed=1)


def test_members_of_every_kind():
    sessions = {"a": session(1), "b": session(2)}
    official = member_splits(sessions, "official", 3, seed=1)
    assert official[0]["a"].fingerprint == official[2]["a"].fingerprint
    resplit = member_splits(sessions, "resplit", 3, seed=1)
    second_of_b = winner_resplits(sessions["b"].tiers, 1)[1]
    assert resplit[1]["b"].fingerprint == tier_split(second_of_b).fingerprint
    kfold = member_splits(sessions, "kfold", 3, seed=1)
    assert sum(len(m["a"].test) for m in kfold) == 260


def test_member_splits_know_the_winners_order(shared):
    fixture = np.load(shared / "fixtures/sensorium2022/winner_pipeline.npz")
    key = "23343-5-17"
    mouse = SimpleNamespace(tiers=fixture[f"split/pretrain_{key}/tiers"], image_ids=None)
    (first, *_) = member_splits({key: mouse}, "resplit", 1, seed=1)
    stored = fixture[f"split/pretrain_{key}/1"]
    np.testing.assert_array_equal(first[key].validation, np.flatnonzero(stored == "validation"))


def test_fewer_images_are_nested_and_keep_all_their_trials():
    tour = session()
    whole = official_split(tour)
    shown = len(np.unique(tour.image_ids[whole.train]))
    before = np.array([], int)
    for n in (1, 10, 40, shown):
        split = fewer_images(whole, tour.image_ids, n, seed=3)
        chosen = np.unique(tour.image_ids[split.train])
        assert len(chosen) == n and set(before) <= set(chosen)
        expected = whole.train[np.isin(tour.image_ids[whole.train], chosen)]
        np.testing.assert_array_equal(split.train, expected)
        for part in ("validation", "test"):
            np.testing.assert_array_equal(getattr(split, part), getattr(whole, part))
        before = chosen
    assert split.fingerprint == whole.fingerprint


def test_sessions_with_the_same_images_keep_the_same_ones():
    ids = np.arange(200)
    one, two = tier_split(np.array(["train"] * 200)), tier_split(np.array(["train"] * 200))
    order = np.random.default_rng(0).permutation(200)
    first = ids[fewer_images(one, ids, 30, seed=3).train]
    second = ids[order][fewer_images(two, ids[order], 30, seed=3).train]
    assert set(first) == set(second)
    assert set(first) != set(ids[fewer_images(one, ids, 30, seed=4).train])


@pytest.mark.parametrize("images", [0, 201])
def test_more_images_than_there_are_is_an_error(images):
    split = tier_split(np.array(["train"] * 200))
    with pytest.raises(DataError, match=f"has 200 training images, not {images}: choose fewer"):
        fewer_images(split, np.arange(200), images, seed=1)


@pytest.mark.parametrize("kind", ["official", "resplit", "kfold"])
def test_member_splits_with_fewer_images(kind):
    sessions = {"a": session(1), "b": session(2)}
    whole = member_splits(sessions, kind, 2, seed=1)
    limited = member_splits(sessions, kind, 2, seed=1, images=20)
    for before, after in zip(whole, limited, strict=True):
        for key, tour in sessions.items():
            assert len(np.unique(tour.image_ids[after[key].train])) == 20
            assert set(after[key].train) < set(before[key].train)
            np.testing.assert_array_equal(after[key].test, before[key].test)
            assert after[key].fingerprint != before[key].fingerprint


def test_splits_survive_a_round_trip(tmp_path):
    splits = {"mouse1": official_split(session(1)), "mouse2": official_split(session(2))}
    loaded = load_splits(save_splits(tmp_path / "splits.json", splits))
    assert list(loaded) == list(splits)
    for key, split in splits.items():
        assert loaded[key].fingerprint == split.fingerprint
        for part in ("train", "validation", "test"):
            np.testing.assert_array_equal(getattr(loaded[key], part), getattr(split, part))


def test_an_edited_split_is_refused(tmp_path):
    path = save_splits(tmp_path / "splits.json", {"mouse1": tier_split(np.array(["train"] * 3))})
    path.write_text(path.read_text().replace("      2\n", "      1\n"))
    with pytest.raises(DataError, match=r"mouse1.*re-run 01_preprocess"):
        load_splits(path)


def test_halves_share_no_image():
    """Of six images the first three train, wherever they were shown again."""
    shown = SimpleNamespace(image_index=np.array([0, 1, 2, 3, 1, 4, 0, 5, 3]))
    split = halves_split(shown)
    assert split.train.tolist() == [0, 1, 2, 4, 6]
    assert split.test.tolist() == [3, 5, 7, 8] and not len(split.validation)


def test_an_inner_split_tests_on_validation_trials_and_stops_on_others():
    tour = session(3)
    split = inner_split(tour, seed=5)
    assert (tour.tiers[split.train] == "train").all()
    assert (tour.tiers[split.validation] == "train").all()
    np.testing.assert_array_equal(split.test, np.flatnonzero(tour.tiers == "validation"))
    assert not set(tour.image_ids[split.train]) & set(tour.image_ids[split.validation])
    assert len(split.train) + len(split.validation) == 200 and 5 < len(split.validation) < 45
    assert inner_split(tour, 5).fingerprint == split.fingerprint != inner_split(tour, 6).fingerprint


def test_few_repeats_are_some_of_each_image():
    images = session().image_ids
    total = np.bincount(images)
    one, two, all_of_them = (few_repeats(images, r, np.random.default_rng(1)) for r in (1, 2, 99))
    for r, kept in ((1, one), (2, two)):
        np.testing.assert_array_equal(np.bincount(images[kept]), np.minimum(total, r))
        assert (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(all_of_them, np.arange(300))
    assert set(one) < set(two)
    others = few_repeats(images, 1, np.random.default_rng(2))
    first = np.unique(images, return_index=True)[1]
    assert set(others) != set(one) != set(first)
