"""RSA and CKA over splits against plain sums, and ceilings over subjects on recorded RDMs."""

import numpy as np
import pytest
from scipy.io import loadmat
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata, spearmanr
from sklearn.model_selection import StratifiedShuffleSplit

from src.evaluation.geometry import (
    GEOMETRIES,
    comparison_of,
    matrix_of,
    noise_corrected,
    over_splits,
    subject_ceilings,
    subject_scores,
)
from src.evaluation.similarity import cka, rsa

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 90)) + 3
Y = X[:, :20] @ RNG.normal(size=(20, 9)) + 2 * RNG.normal(size=(60, 9))
OBJECTS = np.array(list("abc"))[np.arange(60) % 3]


@pytest.mark.parametrize("metric", GEOMETRIES)
def test_splits_are_brain_scores(metric):
    """90 % of the images, stratified, of the rows in the order given."""
    whole = rsa if "rdm" in metric else lambda x, y: cka(x, y, "biased" not in metric)
    splitter = StratifiedShuffleSplit(10, test_size=0.9, random_state=1)
    expected = [whole(X[rows], Y[rows]) for _, rows in splitter.split(OBJECTS, OBJECTS)]
    a, b = matrix_of(metric, X), matrix_of(metric, Y)
    found = over_splits(a, b, OBJECTS, comparison_of(metric))
    np.testing.assert_allclose(found, expected, atol=1e-10)
    assert comparison_of(metric)(a, b) == pytest.approx(whole(X, Y), abs=1e-10)


def test_ceilings_of_subjects_by_brute_force():
    rdms = np.stack([squareform(pdist(Y + RNG.normal(size=Y.shape), "correlation")) for _ in "abc"])
    flat = [rankdata(squareform(r, checks=False)) for r in rdms]
    upper = np.mean([spearmanr(f, np.mean(flat, axis=0)).statistic for f in flat])
    others = [np.mean([g for j, g in enumerate(flat) if j != i], axis=0) for i in range(3)]
    lower = np.mean([spearmanr(f, o).statistic for f, o in zip(flat, others, strict=True)])
    assert subject_ceilings(rdms) == pytest.approx((lower, upper), abs=1e-5) and lower < upper
    model = matrix_of("rdm", Y)
    expected = [spearmanr(squareform(model, checks=False), f).statistic for f in flat]
    np.testing.assert_allclose(subject_scores(model, rdms), expected)
    with pytest.raises(ValueError, match="needs two or more, not 1"):
        subject_ceilings(rdms[:1])


def test_ceiling_of_recorded_human_rdms(shared):
    """Kriegeskorte et al. 2008: 4 subjects, two scans each; as stated with the data."""
    stored = loadmat(shared / "data/rsa92/92_brainRDMs.mat")["RDMs"]  # (1, s, 2)
    rdms = np.array([[scan["RDM"] for scan in subject] for subject in stored[0]], float).mean(
        axis=1
    )
    lower, upper = subject_ceilings(rdms)
    assert (lower, upper) == pytest.approx((0.372, 0.666), abs=5e-4)


def test_noise_is_taken_off_a_correlation():
    rng = np.random.default_rng(1)
    true = squareform(rng.random(60 * 59 // 2))
    noisy = true + squareform(0.4 * rng.normal(size=60 * 59 // 2))
    reliability = 1 / (1 + 0.4**2 * 12)
    score = comparison_of("rdm")(true, noisy)
    assert noise_corrected(score, reliability) == pytest.approx(1, abs=0.06)
    assert np.isnan(noise_corrected(0.3, 0.0))
