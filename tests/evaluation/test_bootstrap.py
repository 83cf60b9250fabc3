"""Bootstrap against literal resampling of trials, and its coverage of known truths."""

import numpy as np
import pytest

from src.correlation import explained_variance
from src.evaluation import metrics
from src.evaluation.bootstrap import (
    Draws,
    interval,
    mean_samples,
    score_samples,
    unit_draws,
    unit_samples,
)


def gaussian_trials(rng, images=100, counts=10, share=(0.3, 0.5, 0.8), gain=0.8, error=0.5):
    """Responses with known signal share, predictions = gain * signal + error, repeated alike."""
    ids = np.repeat(np.arange(images), counts)
    share = np.asarray(share)
    signal = rng.normal(size=(images, len(share))) * np.sqrt(share)
    p = gain * signal + error * rng.normal(size=signal.shape)
    r = signal[ids] + rng.normal(size=(len(ids), len(share))) * np.sqrt(1 - share)
    return p[ids], r, ids


def truth(metric, counts=10, share=(0.3, 0.5, 0.8), gain=0.8, error=0.5):
    """Population value of each score of `gaussian_trials`, mean over units."""
    share = np.asarray(share)
    covariance, spread = gain * share, gain**2 * share + error**2
    match metric:
        case "single":
            return np.mean(covariance / np.sqrt(spread))
        case "avg":
            return np.mean(covariance / np.sqrt(spread * (share + (1 - share) / counts)))
        case "feve":
            return np.mean(1 - ((1 - gain) ** 2 * share + error**2) / share)
        case "ev":
            noise = (1 - share) / counts
            return np.mean(1 - ((1 - gain) ** 2 * share + error**2 + noise) / (share + noise))


def literal(metric, p, r, ids, weights):
    """The score of trials copied as often as their image was drawn, each copy a new image."""
    rows, copies = [], []
    for image, times in zip(np.unique(ids), weights, strict=True):
        for copy in range(times):
            rows.append(np.flatnonzero(ids == image))
            copies.append(np.full(len(rows[-1]), 1000 * copy + image))
    rows, copies = np.concatenate(rows), np.concatenate(copies)
    p, r = p[rows], r[rows]
    match metric:
        case "single":
            return metrics.single_trial_correlation(p, r).mean()
        case "avg":
            return metrics.correlation_to_average(p, r, copies).mean()
        case "feve":
            return metrics.feve(p, r, copies)[metrics.kept(metrics.fev(r, copies))].mean()
        case "ev":
            repeats = metrics.Repeats.of(copies)
            return explained_variance(repeats.mean(p), repeats.mean(r)).mean()


@pytest.mark.parametrize("metric", ["single", "avg", "feve", "ev"])
def test_weighted_sums_equal_literal_resampling(metric):
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 11, 25)  # irregular, some images with one trial
    p, r, ids = gaussian_trials(rng, 25, counts, share=(0.05, 0.15, 0.3, 0.8))
    p, r = p + 5, r + 100
    draws = Draws.make(ids, 60, rng)
    samples = score_samples(metric, p, r, ids, draws)
    expected = [literal(metric, p, r, ids, w) for w in draws.weights]
    np.testing.assert_allclose(samples, expected, atol=1e-6)
    assert samples.std() > 0.001


@pytest.mark.parametrize("metric", ["single", "avg", "feve", "ev"])
def test_interval_covers_the_truth_as_often_as_it_says(metric):
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng([7, seed])
        p, r, ids = gaussian_trials(rng)
        samples = score_samples(metric, p, r, ids, Draws.make(ids, 200, rng))
        low, high = interval(samples)
        covered += low <= truth(metric) <= high
    assert 0.90 <= covered / 200 <= 0.98


def test_paired_difference_covers_zero_and_is_narrower_than_unpaired():
    covered, paired, unpaired = 0, [], []
    for seed in range(200):
        rng = np.random.default_rng([8, seed])
        p, r, ids = gaussian_trials(rng, error=0)
        noise = 0.3 * rng.normal(size=(2, ids.max() + 1, 3))[:, ids]
        draws = Draws.make(ids, 200, rng)
        a, b = (score_samples("avg", p + e, r, ids, draws) for e in noise)
        low, high = interval(a - b)
        covered += low <= 0 <= high
        paired.append(high - low)
        unpaired.append(np.subtract(*interval(a - rng.permutation(b))[::-1]))
    assert 0.90 <= covered / 200 <= 0.99
    assert np.mean(paired) < 0.9 * np.mean(unpaired)


def test_sessions_that_share_images_share_draws():
    draws = Draws.make(np.array([5, 3, 3, 9, 7]), 20, np.random.default_rng(0))
    assert draws.ids.tolist() == [3, 5, 7, 9]
    assert (draws.weights.sum(axis=1) == 4).all()
    np.testing.assert_array_equal(draws.of(np.array([9, 5])), draws.weights[:, [3, 1]])


def test_silent_units_do_not_enter():
    rng = np.random.default_rng(1)
    p, r, ids = gaussian_trials(rng)
    draws = Draws.make(ids, 10, rng)
    silent = np.zeros((len(ids), 1))
    for metric in ("single", "avg", "feve"):
        np.testing.assert_allclose(
            score_samples(metric, np.hstack([p, silent]), np.hstack([r, silent]), ids, draws),
            score_samples(metric, p, r, ids, draws),
        )


@pytest.mark.parametrize("metric", ["single", "avg", "feve", "ev"])
def test_drawn_units_are_literal_copies_of_their_columns(metric):
    rng = np.random.default_rng(2)
    p, r, ids = gaussian_trials(rng, 25, rng.integers(1, 11, 25), share=(0.05, 0.3, 0.8, 0.5))
    r[:, 3] = 1.0  # a unit without responses never counts
    draws, units = Draws.make(ids, 60, rng), unit_draws(4, 60, rng)
    every = np.ones((60, 4))
    samples = mean_samples(metric, p, r, ids, draws, [every, units])
    np.testing.assert_array_equal(samples[0], score_samples(metric, p, r, ids, draws))
    for k in (0, 7, 59):
        columns = np.repeat(np.arange(4), units[k])
        one = Draws(draws.ids, draws.weights[k : k + 1])
        wanted = score_samples(metric, p[:, columns], r[:, columns], ids, one)
        np.testing.assert_allclose(samples[1, k], wanted[0], atol=1e-9)


@pytest.mark.parametrize("metric", ["single", "avg"])
def test_scores_of_units_are_those_whose_mean_is_taken(metric):
    rng = np.random.default_rng(6)
    p, r, ids = gaussian_trials(rng, images=30, counts=3)
    draws = Draws.make(ids, 70, rng)  # in more than one part
    found = unit_samples(metric, p, r, ids, draws)
    assert found.shape == (70, 3)
    np.testing.assert_allclose(found.mean(1), score_samples(metric, p, r, ids, draws))
    row = literal(metric, *(x[:, [1]] for x in (p, r)), ids, draws.weights[4])
    assert found[4, 1] == pytest.approx(row)
