"""Named random streams: reproducible, independent, and none of the global generators moves."""

import numpy as np
import torch

from src.seeds import member_seed, numpy_stream, stream


def test_the_same_names_give_the_same_numbers():
    assert torch.equal(*(torch.rand(5, generator=stream(42, "a", 3)) for _ in range(2)))
    assert numpy_stream(42, "a", 3).random() == numpy_stream(42, "a", 3).random()


def test_every_part_of_a_name_counts():
    names = [(1, "a"), (2, "a"), (1, "b"), (1, "a", 0), (1, "a", "0"), (1, "a0"), (1,)]
    assert len({torch.rand(1, generator=stream(*n)).item() for n in names}) == len(names)
    assert len({numpy_stream(*n).random() for n in names}) == len(names)


def test_streams_of_neighboring_epochs_are_uncorrelated():
    draws = torch.stack([torch.randn(2000, generator=stream(0, "e", i)) for i in range(20)])
    others = np.corrcoef(draws.numpy())[~np.eye(20, dtype=bool)]
    assert abs(others).max() < 5 / 2000**0.5


def test_global_generators_are_left_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    stream(1, "x"), numpy_stream(1, "x")
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_streams_are_the_same_in_every_process():
    assert numpy_stream(7, "mouse", 1).integers(2**60) == 32466328983615219
    drawn = torch.randint(2**60, (1,), generator=stream(7, "mouse", 1))
    assert drawn.item() == 769517650515077641


def test_members_have_seeds_of_their_own():
    """The winner's ten members shared theirs, and differed by their split alone."""
    seeds = {member_seed(seed, member) for seed in (1, 42) for member in range(1, 11)}
    assert len(seeds) == 20
