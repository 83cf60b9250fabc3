"""Bootstrap and jack-knife on data with known answers: coverage, closed forms, pairing."""

import numpy as np
import pytest
from scipy import stats

from src.evaluation.linear_scores import SplitScore
from src.evaluation.resampling import (
    jackknife_error,
    jackknife_values,
    normal_interval,
    paired_p,
    resampled_scores,
)


def drawn(rng, n=120, u=40, r=0.6, spread=0.0):
    """Predictions of a fixed model for new images and units; true median correlation r."""
    truth = r + spread * rng.uniform(-1, 1, size=u)
    y = rng.normal(size=(n, u))
    p = truth * y + np.sqrt(1 - truth**2) * rng.normal(size=(n, u))
    tests = np.array_split(rng.permutation(n), 4)
    return SplitScore.of([p[t] for t in tests], y, [(t, t) for t in tests]), y


def test_intervals_cover_the_truth():
    """New images and units each time; every unit's noise is its own, so units matter too."""
    inside, rng = 0, np.random.default_rng(0)
    for seed in range(100):
        found, y = drawn(rng, spread=0.3)
        low, high = np.quantile(resampled_scores(found, y, seed, 100), [0.025, 0.975])
        inside += low < 0.6 < high
    assert 90 <= inside <= 100


def test_samples_are_what_drawn_rows_and_units_score():
    """Against the score of arrays made of the very rows and units of one resample."""
    found, y = drawn(np.random.default_rng(1), n=40, u=5)
    samples = resampled_scores(found, y, seed=3, resamples=6)
    assert samples.shape == (6,) and np.ptp(samples) > 0
    np.testing.assert_array_equal(samples, resampled_scores(found, y, 3, 6))
    assert (samples != resampled_scores(found, y, 4, 6)).all()
    far = SplitScore([], [1e6 + 3 * p for p in found.predicted], found.tests)
    np.testing.assert_allclose(resampled_scores(far, 1e6 + 3 * y, 3, 6), samples, atol=1e-6)
    medians = np.median(found.raw, axis=1).mean()
    assert samples.mean() == pytest.approx(medians, abs=0.15)


def test_two_models_share_their_draws():
    """Two almost equal models of noisy data: each interval is wide, their difference's narrow."""
    rng = np.random.default_rng(2)
    found, y = drawn(rng)
    better = SplitScore.of(
        [p + 0.2 * y[t] for p, t in zip(found.predicted, found.tests, strict=True)],
        y,
        [(t, t) for t in found.tests],
    )
    a, b = (resampled_scores(x, y, 0) for x in (better, found))
    assert np.std(a - b) < np.std(b) / 2 and paired_p(a - b) < 0.02
    assert paired_p(b - b) == 1


def test_jackknife_of_a_mean_is_that_of_the_groups():
    """Each pseudo-value of a mean is the mean of the group left out."""
    x, kept = np.random.default_rng(0).normal(size=40) + 3, []

    def measure(rows):
        kept.append(rows)
        return x[rows].mean()

    values = jackknife_values(measure, np.zeros(40), seed=0, groups=10)
    means = [np.delete(x, rows).mean() for rows in kept[1:]]
    np.testing.assert_allclose(values, means)
    assert jackknife_error(values) == pytest.approx(stats.sem(means))
    assert len(jackknife_values(measure, np.zeros(40), seed=0, groups=99)) == 20


def test_jackknife_takes_every_stratum():
    strata, left = np.repeat(list("abcd"), 20), []
    jackknife_values(lambda rows: left.append(rows) or 0.0, strata, seed=0, groups=10)
    assert len(left) == 11 and len(left[0]) == 80
    for rows in left[1:]:
        assert np.unique(strata[rows], return_counts=True)[1].tolist() == [18] * 4
    out = np.concatenate([np.setdiff1d(np.arange(80), rows) for rows in left[1:]])
    assert sorted(out) == list(range(80))


def test_interval_and_p():
    assert normal_interval(0.5, 0.1) == pytest.approx((0.304, 0.696), abs=1e-3)
    assert paired_p(np.arange(1, 100)) == pytest.approx(0.02)
    assert paired_p(np.r_[-np.arange(1, 50), np.arange(1, 51), np.nan]) == pytest.approx(
        1, abs=0.02
    )
