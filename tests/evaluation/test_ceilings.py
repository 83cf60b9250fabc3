"""Ceilings against stored outputs, plain loops and simulated units whose ceiling is known."""

import numpy as np
import pytest

from src.evaluation import ceilings, metrics


def simulated_units(images=2000, repeats=(7, 10), signal=(0.0, 0.2, 0.5, 0.9), seed=0):
    """Gaussian units of known signal share: responses and means (n, u), image ids (n,) ..."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(repeats[0], repeats[1] + 1, images)
    ids = np.repeat(np.arange(images), counts)
    share = np.asarray(signal)
    truth = (rng.normal(size=(images, len(share))) * np.sqrt(share))[ids]
    noise = rng.normal(size=truth.shape) * np.sqrt(1 - share)
    return truth + noise, truth, ids, share, counts


def test_published_pipeline(shared):
    stored = np.load(shared / "fixtures/sensorium2022/winner_pipeline.npz")
    r, ids = stored["metrics/resp"], stored["metrics/image_ids"]
    for name in ("oracle_jackknife", "oracle_conservative"):
        ours = getattr(ceilings, name)(r, ids)
        np.testing.assert_allclose(ours, stored[f"metrics/{name}"], rtol=0, atol=1e-12)


def test_cc_max_is_the_correlation_of_the_truth_with_the_means():
    r, truth, ids, share, counts = simulated_units()
    expected = np.sqrt(share / (share + (1 - share) * np.mean(1 / counts)))
    ceiling = ceilings.cc_max(r, ids)
    np.testing.assert_allclose(ceiling[1:], expected[1:], atol=0.02)
    assert ceiling[0] < 0.4  # a unit of pure noise; the ten repeats leave some spread
    reached = metrics.correlation_to_average(truth, r, ids)
    normalized = ceilings.normalized_correlation(reached, ceiling)
    np.testing.assert_allclose(normalized[1:], 1, atol=0.02)


def test_a_unit_of_noise_alone_has_no_ceiling():
    """By chance its means vary less than noise would have them vary: no signal, not a negative."""
    shown = np.repeat(np.arange(4), 2)
    r = np.tile([[-1.0], [1.0]], (4, 1))  # every mean is the same, but for the last
    r[-1] += 0.1
    assert ceilings.cc_max(r, shown) == 0


def test_oracles_enclose_the_ceiling_of_single_trials():
    r, truth, ids, share, _ = simulated_units()
    ceiling = np.sqrt(share)
    lower, upper = ceilings.oracle_jackknife(r, ids), ceilings.oracle_conservative(r, ids)
    assert (lower[1:] < ceiling[1:]).all() and (ceiling < upper).all()
    reached = metrics.single_trial_correlation(truth, r)
    np.testing.assert_allclose(reached[1:], ceiling[1:], atol=0.02)


def test_jackknife_against_plain_loop():
    r, _, ids, _, _ = simulated_units(images=6, repeats=(2, 4))
    others = np.empty_like(r)
    for t in range(len(r)):
        mates = ids == ids[t]
        mates[t] = False
        others[t] = r[mates].mean(axis=0)
    expected = [np.corrcoef(others[:, u], r[:, u])[0, 1] for u in range(r.shape[1])]
    np.testing.assert_allclose(ceilings.oracle_jackknife(r, ids), expected, atol=1e-6)


def test_single_trials_do_not_change_a_ceiling():
    r, _, ids, _, _ = simulated_units(images=10)
    more, more_ids = np.vstack([r, 5 + r[:2]]), np.append(ids, [77, 78])
    for ceiling in (ceilings.oracle_jackknife, ceilings.oracle_conservative, ceilings.cc_max):
        np.testing.assert_array_equal(ceiling(more, more_ids), ceiling(r, ids))


def test_split_half_and_spearman_brown():
    share, repeats = np.array([0.2, 0.5, 0.9]), 8
    r, _, ids, _, _ = simulated_units(repeats=(repeats, repeats), signal=share)
    half = share / (share + (1 - share) / (repeats // 2))
    full = share / (share + (1 - share) / repeats)
    measured = ceilings.split_half(r, ids, np.random.default_rng(0), splits=4)
    np.testing.assert_allclose(measured, half, atol=0.02)
    np.testing.assert_allclose(ceilings.spearman_brown(measured), full, atol=0.02)
    np.testing.assert_allclose(ceilings.spearman_brown(half), full, rtol=1e-12)


def test_split_half_of_a_real_recording(shared):
    raw = np.load(shared / "data/macaque_v4/responses_raw_210325.npy")  # (u, images, repeats)
    present = ~np.isnan(raw[0])
    ids, r = np.nonzero(present)[0], raw[:, present].T
    half = ceilings.split_half(r, ids, np.random.default_rng(0))
    # The stored medians are .600 and .750 for halves that are not described.
    assert np.median(half) == pytest.approx(0.600, abs=0.02)
    assert np.median(ceilings.spearman_brown(half)) == pytest.approx(0.750, abs=0.02)


def test_without_repeats_ceilings_are_unknown():
    r, ids = np.random.default_rng(0).random((9, 2)), np.arange(9)
    for ceiling in (ceilings.oracle_jackknife, ceilings.oracle_conservative, ceilings.cc_max):
        assert np.isnan(ceiling(r, ids)).all()
    assert np.isnan(ceilings.split_half(r, ids, np.random.default_rng(0))).all()
