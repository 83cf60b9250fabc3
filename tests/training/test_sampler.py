"""Round robin: what each session sees in an epoch."""

from collections import Counter

import numpy as np

from src.training.sampler import n_rounds, rounds

TRIALS = {"large": np.arange(100, 170), "small": np.arange(25), "equal": np.arange(70)}


def epoch(trials=TRIALS, size=16, seed=0, number=1):
    return list(rounds(trials, size, seed, number))


def test_an_epoch_has_the_batches_of_the_largest_session():
    steps = epoch()
    assert n_rounds(TRIALS, 16) == len(steps) == 5
    assert [len(step["large"]) for step in steps] == [16, 16, 16, 16, 6]
    assert all(list(step) == ["large", "small", "equal"] for step in steps)


def test_the_largest_session_sees_each_trial_once():
    seen = np.concatenate([step["large"] for step in epoch()])
    np.testing.assert_array_equal(np.sort(seen), TRIALS["large"])


def test_a_smaller_session_restarts_with_a_new_permutation():
    steps = [step["small"] for step in epoch()]
    assert [len(step) for step in steps] == [16, 9, 16, 9, 16]
    first, second = np.concatenate(steps[:2]), np.concatenate(steps[2:4])
    np.testing.assert_array_equal(np.sort(first), TRIALS["small"])
    np.testing.assert_array_equal(np.sort(second), TRIALS["small"])
    assert (first != second).any()


def test_a_batch_size_that_divides_leaves_no_empty_batch():
    assert [len(s["a"]) for s in epoch({"a": np.arange(32)}, 16)] == [16, 16]


def test_an_epoch_may_have_more_steps_than_batches():
    steps = list(rounds({"a": np.arange(20)}, 16, 0, 1, steps=5))
    assert [len(step["a"]) for step in steps] == [16, 4, 16, 4, 16]
    for first in (0, 2):
        seen = np.concatenate([step["a"] for step in steps[first : first + 2]])
        np.testing.assert_array_equal(np.sort(seen), np.arange(20))


def test_the_order_depends_on_seed_session_and_epoch_only():
    def order(key="large", **changed):
        return tuple(np.concatenate([step[key] for step in epoch(**changed)]))

    assert order() == order() == order(trials={"large": TRIALS["large"]})
    different = {order(), order(seed=1), order(number=2)}
    assert len(different) == 3
    assert tuple(np.array(order()) - 100) != order("equal")


def test_permutations_are_uniform():
    """Each of six orders of three trials comes up about equally often (chi-square, 5 df)."""
    trials = {"a": np.arange(3)}
    counts = Counter(tuple(epoch(trials, 3, 0, e)[0]["a"]) for e in range(1200))
    chi_square = sum((n - 200) ** 2 / 200 for n in counts.values())
    assert len(counts) == 6
    assert chi_square < 20.5  # p = 0.001
