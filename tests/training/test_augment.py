"""Augmentation of training images."""

import numpy as np
import torch

from src.data.batch import Batch
from src.training.augment import jitter


def test_all_shifts_occur_equally_often_and_move_all_images_alike():
    images = torch.arange(2 * 3 * 7 * 9).reshape(2, 3, 7, 9).float()
    batch, generator = Batch(images, torch.ones(2, 4)), torch.Generator().manual_seed(1)
    counts = np.zeros((5, 5), int)
    for _ in range(2500):
        moved = jitter(batch, 2, generator)
        dy, dx = np.argwhere(moved.images[0, 0].numpy() == 0)[0]
        dy, dx = (dy + 3) % 7 - 3, (dx + 4) % 9 - 4
        counts[dy + 2, dx + 2] += 1
        assert moved.responses is batch.responses
        expected = np.roll(images.numpy(), (dy, dx), (2, 3))
        np.testing.assert_array_equal(moved.images, expected)
    assert counts.sum() == 2500 and ((counts - 100) ** 2 / 100).sum() < 55  # chi2 99.97 %, 24 df


def test_no_jitter_draws_nothing_and_changes_nothing():
    batch, generator = Batch(torch.rand(2, 1, 5, 5)), torch.Generator().manual_seed(1)
    state = generator.get_state()
    assert jitter(batch, 0, generator) is batch
    assert torch.equal(generator.get_state(), state)
