"""Films on both sides of an evaluation: counted for all pairs of tiers, and left out on demand."""

from copy import copy
from itertools import combinations

import numpy as np
import pytest

from src.config import InputConfig
from src.data.movie_leaks import movie_splits, near_copies, shared_videos
from src.data.movies import open_movie_sessions
from src.simulate.movie_truth import load_movie_truth

PUBLIC, SCORED = "90001-1-1", "90011-2-1"


@pytest.fixture(scope="module")
def sessions(films):
    """Both mice of the pair."""
    return open_movie_sessions(films.processed, InputConfig(scale="full"))


def test_shared_videos_are_those_the_simulator_showed_twice(films, sessions):
    table = shared_videos(sessions).set_index(["session", "tier", "other", "other_tier"])
    truths = {key: load_movie_truth(films.truth / f"{key}.npz") for key in sessions}
    for (a, tier, b, other), row in table.iterrows():
        names = [set(truths[k].films[truths[k].tiers == t]) for k, t in ((a, tier), (b, other))]
        assert row["shared"] == len(names[0] & names[1]) and row["videos"] == len(names[0])
    assert table.loc[(SCORED, "train", PUBLIC, "train"), "shared"] == 3  # not the near copy
    within = table.loc[(SCORED, slice(None), SCORED, slice(None)), "shared"]
    assert not within.any()
    partner = ("oracle", "live_test_main", "final_test_main")
    assert sum(table.loc[(SCORED, "live_test_main", PUBLIC, t), "shared"] for t in partner) == 1


def test_official_splits_keep_everything_and_do_not_train_on_withheld(sessions):
    splits, removed = movie_splits(sessions)
    assert not len(removed)
    for key, split in splits.items():
        session = sessions[key]
        np.testing.assert_array_equal(split.train, session.trials("train"))
        np.testing.assert_array_equal(split.validation, session.trials("oracle"))
        assert set(session.tiers[split.test]) == {
            f"{x}_test_{y}" for x in ("live", "final") for y in ("main", "bonus")
        }
    everything = ("train", "live_test_main", "final_test_main")
    splits, _ = movie_splits(sessions, everything, evaluated=())
    assert set(sessions[SCORED].tiers[splits[SCORED].train]) == {"train"}  # the rest is withheld
    assert set(sessions[PUBLIC].tiers[splits[PUBLIC].train]) == set(everything)


def test_stimulus_disjoint_leaves_out_and_lists_what_is_evaluated(sessions):
    """Training on the partner's other tiers, as first and third place did."""
    everything = ("train", "live_test_main", "final_test_main", "live_test_bonus")
    only = {SCORED: sessions[SCORED]}
    scored = {
        name
        for t in ("live_test_main", "final_test_main")
        for name in sessions[SCORED].video_sha256[sessions[SCORED].trials(t)]
    }
    splits, removed = movie_splits(
        sessions,
        everything,
        evaluated=("live_test_main", "final_test_main"),
        stimulus_disjoint=True,
    )
    for key, split in splits.items():
        for part in (split.train, split.validation):
            assert not scored & set(sessions[key].video_sha256[part])
        both = [set(sessions[k].video_sha256[splits[k].validation]) for k in sessions]
        assert not set(sessions[key].video_sha256[split.train]) & set.union(*both)
    assert len(removed) and set(removed["session"]) <= set(sessions)
    kept, _ = movie_splits(sessions, everything, evaluated=("live_test_main", "final_test_main"))
    lost = sum(len(kept[k].train) - len(splits[k].train) for k in sessions)
    lost += sum(len(kept[k].validation) - len(splits[k].validation) for k in sessions)
    assert lost == len(removed)
    clean, none = movie_splits(only, stimulus_disjoint=True)
    assert not len(none) and len(clean[SCORED].train) == len(only[SCORED].trials("train"))


def brute_force(sessions, within):
    """Pairs of different films of all sessions that are near, from all their pixels."""
    videos = {
        session.video_sha256[i]: session.video(i).astype(float)
        for session in sessions.values()
        for i in np.flatnonzero(session.video_lengths > 0)
    }
    found = {}
    for a, b in combinations(sorted(videos), 2):
        t = min(len(videos[a]), len(videos[b]))
        apart = np.sqrt(((videos[a][:t] - videos[b][:t]) ** 2).mean())
        if apart <= within:
            found[a, b] = apart
    return found


@pytest.mark.parametrize("within", [2.0, 60.0])
def test_near_copies_are_those_that_a_comparison_of_all_pixels_finds(films, sessions, within):
    table, expected = near_copies(sessions, within), brute_force(sessions, within)
    pairs = zip(table["video"], table["other"], strict=True)
    found = dict(zip(pairs, table["difference"], strict=True))
    assert set(found) <= set(expected)
    assert all(found[pair] == pytest.approx(expected[pair]) for pair in found)
    if within == 2.0:
        assert set(found) == set(expected) and len(found) == 1  # the simulator's twin
        row = table.iloc[0]
        assert {row["shown"], row["other_shown"]} == {f"{PUBLIC} train", f"{SCORED} train"}
        assert 0 < row["difference"] < 0.01  # one pixel of one frame, by 1
    else:
        assert len(found) > 1


def test_near_copies_of_what_is_evaluated_are_left_out_too(sessions):
    """The scored mouse's twin film is made a test film: the public mouse trained on its copy."""
    copies = near_copies(sessions)
    twins = set(copies[["video", "other"]].iloc[0])
    scored, public = copy(sessions[SCORED]), sessions[PUBLIC]
    scored.tiers = scored.tiers.copy()
    scored.tiers[np.isin(scored.video_sha256, list(twins))] = "live_test_main"
    pair = {PUBLIC: public, SCORED: scored}
    given = {"evaluated": ("live_test_main",), "stimulus_disjoint": True}
    kept, _ = movie_splits(pair, **given)
    left, removed = movie_splits(pair, copies=copies, **given)
    (trial,) = set(kept[PUBLIC].train) - set(left[PUBLIC].train)
    assert public.video_sha256[trial] in twins and trial in removed["trial"].to_numpy()
    np.testing.assert_array_equal(kept[SCORED].train, left[SCORED].train)
    assert not len(near_copies({}))
    with pytest.raises(ValueError, match="stimulus_disjoint=True"):
        movie_splits(pair, copies=copies)
