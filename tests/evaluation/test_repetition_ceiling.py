"""Ceilings from repetitions: Brain-Score's stored ones, missing repetitions, and planted SNR."""

from dataclasses import replace

import numpy as np
import pytest

from src.data.errors import DataError
from src.evaluation.ceilings import spearman_brown
from src.evaluation.metrics import correlation
from src.evaluation.repetition_ceiling import (
    half_means,
    internal_consistency,
    noise_ceiling_snr,
    similarity_consistency,
    snr_reliability,
)
from src.evaluation.similarity import rsa


def test_stored_ceiling(brain_score):
    found, stored = internal_consistency(brain_score.assembly), brain_score.stored
    assert found.score == pytest.approx(float(stored["ceiling"]), abs=1e-9)
    np.testing.assert_allclose(found.raw, stored["ceiling_raw_split_x_neuroid"], atol=1e-9)


def test_missing_repetitions_are_averaged_over(brain_score):
    """s0003 was shown once, s0005 in repetitions 0 and 1 only."""
    whole = brain_score.assembly
    ids, repetition = whole.stimulus_ids, whole.column("repetition")
    lost = ((ids == "s0003") & (repetition > 0)) | ((ids == "s0005") & (repetition > 1))
    thin = whole.take(np.flatnonzero(~lost))
    both = [len(a) for a, _ in half_means(thin)]
    assert set(both) == {318, 319}
    expected = internal_consistency(whole)
    assert internal_consistency(thin).score == pytest.approx(expected.score, abs=5e-3)
    shuffled = thin.take(np.random.default_rng(0).permutation(len(thin.values)))
    np.testing.assert_allclose(
        internal_consistency(shuffled).raw, internal_consistency(thin).raw, atol=1e-9
    )


def test_one_repetition_has_no_ceiling(brain_score):
    assembly = brain_score.assembly
    rows = np.flatnonzero(assembly.column("repetition") == 3)
    with pytest.raises(DataError, match="one repetition label, a ceiling needs two"):
        internal_consistency(assembly.take(rows))
    stimuli = assembly.stimuli.drop(columns="repetition")
    with pytest.raises(DataError, match="no repetition, which this needs"):
        internal_consistency(replace(assembly, stimuli=stimuli))


def test_halves_of_a_population(brain_score):
    found = similarity_consistency(brain_score.assembly, rsa)
    pairs = list(half_means(brain_score.assembly))
    assert found[3] == pytest.approx(spearman_brown(np.array(rsa(*pairs[3]))))
    assert found.shape == (10,) and 0.7 < found.mean() < 1


def test_snr_is_the_planted_one():
    """Like the NSD: three trials an image, z-scored; one unit of noise only."""
    rng = np.random.default_rng(0)
    snr = np.array([0.0, 0.3, 1.0, 2.0])
    signal = np.repeat(rng.normal(size=(4000, 4)), 3, axis=0) * snr
    values, ids = signal + rng.normal(size=signal.shape), np.repeat(np.arange(4000), 3)
    values = (values - values.mean(0)) / values.std(0) * 5  # the scale is no matter
    found = noise_ceiling_snr(values, ids)
    np.testing.assert_allclose(found[1:], snr[1:], atol=0.04)
    assert found[0] < 0.1
    c = snr_reliability(found, ids)
    np.testing.assert_allclose(c[1:], (snr**2 / (snr**2 + 1 / 3))[1:], atol=0.04)
    means = np.stack([signal[::3], values.reshape(-1, 3, 4).mean(1)])
    np.testing.assert_allclose(correlation(*means)[1:] ** 2, c[1:], atol=0.03)
