"""Scores against stored outputs of the published pipeline, plain loops and closed forms."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import explained_variance_score, r2_score

from src.correlation import explained_variance
from src.evaluation import metrics


@pytest.fixture
def trials():
    """Predictions and responses of 5 units to images with 1, 2, 3, 7 and 10 trials, shuffled."""
    rng = np.random.default_rng(0)
    image_ids = rng.permutation(np.repeat([40, 7, 19, 3, 12], [1, 2, 3, 7, 10]))
    responses = rng.gamma(2.0, size=(len(image_ids), 5)) + 0.1 * image_ids[:, None]
    predictions = responses + rng.normal(size=responses.shape)
    return predictions, responses, image_ids


def test_published_pipeline(shared):
    path = shared / "fixtures/sensorium2022/winner_pipeline.npz"
    stored = {k[8:]: v for k, v in np.load(path).items() if k.startswith("metrics/")}
    p, r, ids = stored["pred"], stored["resp"], stored["image_ids"]
    ours = {
        "Single Trial Correlation": metrics.single_trial_correlation(p, r),
        "Correlation to Average": metrics.correlation_to_average(p, r, ids),
        "fev_all": metrics.fev(r, ids),
        "feve_all": metrics.feve(p, r, ids),
        "FEVE": metrics.feve(p, r, ids)[metrics.kept(metrics.fev(r, ids))],
    }
    for name, value in ours.items():
        np.testing.assert_allclose(value, stored[name], rtol=0, atol=1e-12, err_msg=name)


def test_irregular_repeats_against_plain_loops(trials):
    p, r, ids = trials
    for unit in range(r.shape[1]):
        images = [r[ids == i, unit] for i in np.unique(ids)]
        noise = np.mean([x.var(ddof=1) for x in images if len(x) > 1])
        total = r[:, unit].var(ddof=1)
        error = np.mean((r[:, unit] - p[:, unit]) ** 2)
        means = [x.mean() for x in images]
        predicted = [p[ids == i, unit].mean() for i in np.unique(ids)]
        single = metrics.single_trial_correlation(p, r)[unit]
        average = metrics.correlation_to_average(p, r, ids)[unit]
        assert single == pytest.approx(stats.pearsonr(p[:, unit], r[:, unit])[0], abs=1e-7)
        assert average == pytest.approx(stats.pearsonr(predicted, means)[0], abs=1e-7)
        assert metrics.fev(r, ids)[unit] == pytest.approx((total - noise) / total, rel=1e-12)
        explained = 1 - (error - noise) / (total - noise)
        assert metrics.feve(p, r, ids)[unit] == pytest.approx(explained, rel=1e-12)


def test_image_ids_may_be_words(trials):
    p, r, ids = trials
    words = np.array([f"image{i}.png" for i in ids])
    np.testing.assert_allclose(metrics.feve(p, r, words), metrics.feve(p, r, ids), rtol=1e-12)


def test_trial_order_is_free(trials):
    p, r, ids = trials
    order = np.random.default_rng(1).permutation(len(ids))
    shuffled = metrics.feve(p[order], r[order], ids[order])
    np.testing.assert_allclose(shuffled, metrics.feve(p, r, ids), rtol=1e-12)


def test_perfect_prediction_of_the_means_explains_everything():
    rng = np.random.default_rng(2)
    ids = np.repeat(np.arange(50), 8)
    noise = rng.normal(size=(50, 8, 3))
    noise -= noise.mean(axis=1, keepdims=True)
    signal = rng.normal(size=(50, 1, 3))
    r, p = (signal + noise).reshape(400, 3), np.repeat(signal, 8, axis=1).reshape(400, 3)
    # With the noise centered within images MSE = N * 7 / 8, so FEVE exceeds 1 by exactly this much.
    n = metrics.noise_variance(r, ids)
    expected = 1 + (n / 8) / (metrics.total_variance(r) - n)
    np.testing.assert_allclose(metrics.feve(p, r, ids), expected, rtol=1e-10)
    np.testing.assert_allclose(metrics.correlation_to_average(p, r, ids), 1, atol=1e-6)


def test_units_without_explainable_variance_are_not_kept():
    rng = np.random.default_rng(3)
    ids = np.repeat(np.arange(1000), 10)
    share = np.array([0.0, 0.10, 0.20, 0.80])  # true FEV
    signal = np.repeat(rng.normal(size=(1000, 4)), 10, axis=0) * np.sqrt(share)
    r = signal + rng.normal(size=signal.shape) * np.sqrt(1 - share)
    estimated = metrics.fev(r, ids)
    np.testing.assert_allclose(estimated, share, atol=0.05)
    assert metrics.kept(estimated).tolist() == [False, False, True, True]


def test_threshold_includes_its_own_value():
    assert metrics.kept(np.array([0.149999, 0.15, np.nan])).tolist() == [False, True, False]


def test_silent_units_have_no_score():
    rng = np.random.default_rng(4)
    ids = np.repeat(np.arange(5), [1, 3, 4, 5, 7])
    r = np.column_stack([np.zeros(20), np.full(20, 0.7), rng.random(20)])
    p = rng.random((20, 3))
    assert r[:, 1].var(ddof=1) > 0  # rounding alone
    assert metrics.total_variance(r)[:2].tolist() == [0, 0]
    assert np.isnan(metrics.fev(r, ids)).tolist() == [True, True, False]
    assert np.isnan(metrics.feve(p, r, ids))[:2].all()


def test_without_repeats_explainable_variance_is_unknown():
    rng = np.random.default_rng(5)
    p, r = rng.random((2, 20, 3))
    assert np.isnan(metrics.fev(r, np.arange(20))).all()
    assert np.isnan(metrics.feve(p, r, np.arange(20))).all()
    single = metrics.single_trial_correlation(p, r)
    np.testing.assert_allclose(metrics.correlation_to_average(p, r, np.arange(20)), single)


def test_constant_prediction_scores_zero():
    r = np.random.default_rng(6).random((20, 3))
    assert metrics.single_trial_correlation(np.ones_like(r), r).tolist() == [0, 0, 0]


def test_every_trial_needs_an_image_id():
    r = np.random.default_rng(7).random((20, 3))
    with pytest.raises(ValueError, match=r"19 trials have an image id, not \(20, 3\)"):
        metrics.fev(r, np.arange(19))


def test_explained_variance_and_r_squared_against_scikit_learn(trials):
    p, r, _ = trials
    p = p + np.array([0, 1, -2, 0, 30])
    explained = explained_variance_score(r, p, multioutput="raw_values")
    np.testing.assert_allclose(explained_variance(p, r), explained, atol=1e-12)
    np.testing.assert_allclose(
        metrics.r_squared(p, r), r2_score(r, p, multioutput="raw_values"), atol=1e-12
    )
    np.testing.assert_allclose(explained_variance(p + 5, r), explained, atol=1e-12)
    assert (metrics.r_squared(p, r) <= explained_variance(p, r)).all()


def test_explained_variance_of_constants(trials):
    p, r, _ = trials
    r[:, 1] = 0.1
    for score in (explained_variance, metrics.r_squared):
        assert np.isnan(score(p, r)).tolist() == [False, True, False, False, False]
    means = np.tile(r.mean(axis=0), (len(r), 1))
    np.testing.assert_allclose(np.delete(metrics.r_squared(means, r), 1), 0, atol=1e-12)


def test_mean_of_ratios_is_not_the_ratio_of_means():
    r = np.array([[0, 0], [1, 10], [2, 20.0]])
    p = np.array([[0, 0], [0, 10], [0, 20.0]])
    np.testing.assert_allclose(metrics.r_squared(p, r), [-1.5, 1])


def test_exact_correlation(trials):
    p, r, _ = trials
    expected = [stats.pearsonr(*pair)[0] for pair in zip(p.T, r.T, strict=True)]
    np.testing.assert_allclose(metrics.correlation(p, r), expected, atol=1e-14)
    np.testing.assert_allclose(metrics.correlation(1e-7 * p, r), expected, atol=1e-14)
    p[:, 0], r[:, 1] = 0.1, 1 / 3
    assert metrics.correlation(p, r)[:2].tolist() == [0, 0]
    for score in (metrics.correlation, metrics.r_squared, explained_variance):
        with pytest.raises(ValueError, match=r"\(23, 4\) but responses are \(23, 5\)"):
            score(p[:, 1:], r)
