"""Films from clips: every frame once, from a window that sees it, as the published code does."""

import numpy as np
import pytest

from src.models.stitching import Stitcher


def lagged(starts, clip=30, outputs=15):
    """Outputs that tell window and step: start * 100 + k of unit 0, the frame of unit 1."""
    step = np.arange(outputs)
    both = [np.stack([s * 100.0 + step, s + clip - outputs + step], 1) for s in starts]
    return np.array(both)


def upstream(length):
    """The published stitch, which is right at these lengths (specification, 8.2)."""
    starts = [*range(35, length - 24, 15), length - 39, length - 30]
    grid = [s for s in starts[:-2] if s + 30 <= length]
    columns = [s * 100.0 + k for s in grid for k in range(15)]
    return columns + [(length - 30) * 100.0 + k for k in range(6, 15)]


@pytest.mark.parametrize("length", [299, 239])
def test_published_lengths_are_stitched_as_published(length):
    frames, stitcher = range(50, length), Stitcher()
    starts = stitcher.starts(frames)
    joined = stitcher.join(lagged(starts), starts, frames)
    assert joined[:, 0].tolist() == upstream(length)


def test_the_published_windows_are_ours_but_for_their_duplicate(shared):
    stored = np.load(shared / "fixtures/sensorium2023/dynamic_vfm_outputs.npz")
    for length in (299, 239):
        theirs = sorted(set(stored[f"windows.{length}"].tolist()) - {length - 39})
        ours = Stitcher().starts(range(50, length)).tolist()
        assert ours == sorted({*theirs} | ({length - 39} & {*ours}))


@pytest.mark.parametrize("overlap", ["mean", "last"])
@pytest.mark.parametrize("stride", [1, 4, 15])
def test_every_frame_is_written_from_windows_that_see_it(stride, overlap):
    stitcher = Stitcher(stride=stride, overlap=overlap)
    for length in range(65, 421, 1 if stride == 15 else 13):
        frames = range(50, length)
        starts = stitcher.starts(frames)
        assert (starts >= 0).all() and starts[-1] + 30 == length
        joined = stitcher.join(lagged(starts), starts, frames)
        np.testing.assert_allclose(joined[:, 1], frames)


def test_means_are_over_all_windows_and_last_is_the_latest_step():
    frames = range(50, 120)
    starts = Stitcher(stride=5).starts(frames)
    outputs = np.random.default_rng(0).normal(size=(len(starts), 15, 2))
    mean = Stitcher(stride=5, overlap="mean").join(outputs, starts, frames)
    last = Stitcher(stride=5).join(outputs, starts, frames)
    for row, frame in enumerate(frames):
        seen = [(frame - s - 15, w) for w, s in enumerate(starts) if 0 <= frame - s - 15 < 15]
        np.testing.assert_allclose(mean[row], np.mean([outputs[w, k] for k, w in seen], 0), 1e-6)
        k, w = max(seen)
        np.testing.assert_allclose(last[row], outputs[w, k], 1e-6)
        assert len(seen) >= 3 or frame > 105  # the first frames have no fewer windows


@pytest.mark.parametrize("length", [51, 55, 64])
def test_short_trials_have_one_window(length):
    assert Stitcher().starts(range(50, length)).tolist() == [length - 30]
    assert not len(Stitcher().starts(range(29, 29)))


def test_a_trial_shorter_than_a_clip_is_an_error_and_so_is_an_unknown_option():
    with pytest.raises(ValueError, match="20 frames is shorter"):
        Stitcher().starts(range(10, 20))
    with pytest.raises(ValueError, match="stride=16"):
        Stitcher(stride=16)
    with pytest.raises(ValueError, match="'first'"):
        Stitcher(overlap="first")
