"""Augmentation of training images."""

import numpy as np
import pytest
import torch

from src.data.batch import Batch
from src.training.augment import jitter, mix, rotate, rotated


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


def test_a_turned_video_turns_the_pupil_with_it():
    """A spot at (x, y) of the display and a pupil there stay together, whatever the turn."""
    images = torch.zeros(1, 1, 2, 36, 64)
    images[..., 8:10, 50:53] = 1.0
    pupil = torch.tensor([(51 - 31.5) / 32, (8.5 - 17.5) / 18]).expand(1, 2, 2)
    for turns in range(5):
        made = rotated(Batch(images, pupil=pupil), turns)
        assert made.images.shape == images.shape
        frame = made.images[0, 0, 0]
        rows, columns = (frame.sum(d) @ torch.arange(n).float() for d, n in ((1, 36), (0, 64)))
        found = torch.stack([columns / frame.sum() - 31.5, rows / frame.sum() - 17.5])
        torch.testing.assert_close(
            found / torch.tensor([32, 18]), made.pupil[0, 0], atol=0.05, rtol=0
        )
    assert torch.equal(rotated(Batch(images, pupil=pupil), 4).images, images)
    half = rotated(Batch(images), 2).images
    assert torch.equal(half, images.flip((-2, -1)))


def test_a_quarter_turn_loses_no_side_of_a_video():
    edges = torch.ones(1, 1, 1, 36, 64)
    torch.testing.assert_close(rotated(Batch(edges), 1).images, edges)
    batch, whole = Batch(torch.rand(1, 1, 1, 4, 4)), set()
    for seed in range(20):
        made = rotate(batch, torch.Generator().manual_seed(seed)).images
        whole |= {k for k in range(4) if torch.equal(made, batch.images.rot90(k, (-2, -1)))}
    assert whole == {0, 1, 2, 3}


def test_mixed_trials_are_means_of_two_with_one_weight_for_all_they_hold():
    random = torch.Generator().manual_seed(0)
    images, behavior = torch.randn(5, 1, 3, 4, 4), torch.randn(5, 3, 2)
    batch, mixed = Batch(images, images[:, 0, :, 0], behavior), 0
    for _ in range(200):
        made = mix(batch, 0.5, random)
        if made is batch:
            continue
        mixed += 1
        flat = [x.flatten(1) for x in (images, behavior, made.images, made.behavior)]
        own, new = torch.cat(flat[:2], 1), torch.cat(flat[2:], 1)
        for i in range(5):
            errors = []
            for j in range(5):
                toward = own[j] - own[i]
                weight = ((new[i] - own[i]) @ toward / toward.square().sum().clamp(min=1e-9)).item()
                errors.append((own[i] + weight * toward - new[i]).norm().item())
            assert min(errors) < 1e-4
        torch.testing.assert_close(made.responses, made.images[:, 0, :, 0])
        assert made.pupil is None
    assert 70 < mixed < 130
    assert mix(batch, 0.0, None) is batch


def test_cut_trials_show_a_rectangle_of_another_and_answer_by_its_area():
    random, n, t, h, w = torch.Generator().manual_seed(0), 4, 3, 9, 16
    number = torch.arange(n).float()
    images = number.view(n, 1, 1, 1, 1).expand(n, 1, t, h, w).contiguous()
    batch = Batch(images, number.view(n, 1, 1).expand(n, t, 2).contiguous(), pupil=None)
    shares = []
    for _ in range(400):
        made = mix(batch, 1.0, random, "cut")
        assert torch.equal(batch.images, images) and made.pupil is None
        for i in range(n):
            shown = made.images[i, 0]
            other = (shown != i)[0]
            rows, columns = other.any(1).nonzero(), other.any(0).nonzero()
            area = len(rows) * len(columns)
            assert area == other.sum() and torch.equal(shown, shown[:1].expand_as(shown))
            if area:
                assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == (
                    len(rows), len(columns)
                )  # fmt: skip
                assert len(shown[0][other].unique()) == 1
            mean = shown[0].mean()  # of own and other in shares of the area
            torch.testing.assert_close(made.responses[i], mean.expand(t, 2))
            shares += [area / h / w] if area else []
    assert min(shares) < 0.05 and max(shares) > 0.9


def test_ways_to_mix_share_their_draws_and_no_other_is_taken():
    batch = Batch(torch.rand(6, 1, 4, 4), torch.rand(6, 2))
    made = [
        mix(batch, 1.0, torch.Generator().manual_seed(3), way) for way in ("cut", "cut", "blend")
    ]
    assert torch.equal(made[0].images, made[1].images)
    assert not torch.equal(made[0].images, made[2].images)
    assert mix(batch, 0.0, None, "cut") is batch
    with pytest.raises(ValueError, match="is not one of blend, cut"):
        mix(batch, 0.0, None, "paste")
