"""Geometry of populations against scipy, closed forms, and stored scores of Brain-Score."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from src.data.errors import DataError
from src.evaluation import similarity
from src.evaluation.similarity import cka, hsic, kernel, permuted, rank_normalized, rdm, rsa

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 12)) + 5, RNG.normal(size=(30, 7))
MIXED = X @ RNG.normal(size=(12, 7)) + 2 * Y


def test_an_rdm_is_scipys_correlation_distance():
    np.testing.assert_allclose(rdm(X), squareform(pdist(X, "correlation")), atol=1e-12)
    assert not rdm(X).diagonal().any()


def test_an_image_without_a_pattern_is_refused():
    flat = X.copy()
    flat[[3, 8]] = 4.1
    with pytest.raises(DataError, match=r"2 of 30 images have one value in all 12 units.*row 3"):
        rdm(flat)


def test_ranks_are_scipys_from_0_to_1():
    distance = np.round(rdm(X), 1)  # with ties
    pairs = squareform(distance, checks=False)
    wanted = (stats.rankdata(pairs) - 1) / (len(pairs) - 1)
    np.testing.assert_allclose(squareform(rank_normalized(distance), checks=False), wanted)


def test_rsa_is_spearman_over_pairs():
    wanted = stats.spearmanr(pdist(X, "correlation"), pdist(MIXED, "correlation")).statistic
    assert rsa(X, MIXED) == pytest.approx(wanted, abs=1e-12)
    scaled = X * RNG.uniform(1, 3, (30, 1)) + RNG.normal(size=(30, 1))  # of each image
    assert rsa(X, scaled) == pytest.approx(1)


def test_biased_cka_is_the_closed_form_of_features():
    """|Y'X|^2 / (|X'X| |Y'Y|) of centered features (Kornblith et al. 2019, section 3)."""
    x, y = X - X.mean(0), MIXED - MIXED.mean(0)
    norms = [np.linalg.norm(a.T @ b) for a, b in ((y, x), (x, x), (y, y))]
    assert cka(X, MIXED, unbiased=False) == pytest.approx(norms[0] ** 2 / norms[1] / norms[2])


def test_unbiased_hsic_is_the_sum_over_different_images():
    """Song et al. 2012: means over tuples of different indices, brute force on 6 images."""
    k, m, n = kernel(X[:6]), kernel(Y[:6]), range(6)
    pairs = [(i, j) for i in n for j in n if i != j]
    threes = [(i, j, q) for i, j in pairs for q in n if q not in (i, j)]
    fours = [(*t, r) for t in threes for r in n if r not in t]
    wanted = np.mean([k[i, j] * m[i, j] for i, j in pairs])
    wanted += np.mean([k[i, j] * m[q, r] for i, j, q, r in fours])
    wanted -= 2 * np.mean([k[i, j] * m[i, q] for i, j, q in threes])
    assert hsic(k, m) == pytest.approx(wanted, abs=1e-12)
    with pytest.raises(ValueError, match="4 images or more, not 3"):
        cka(X[:3], Y[:3])


def test_alike_columns_become_neighbors():
    """Two signals, their copies dealt out in turn, and one column that does not vary."""
    rng = np.random.default_rng(1)
    signals = rng.normal(size=(200, 2))
    x = signals[:, np.arange(10) % 2] + 0.3 * rng.normal(size=(200, 10))
    order = similarity.similar_order(np.column_stack([x, np.ones(200)])).tolist()
    kinds = [c % 2 for c in order if c != 10]
    assert sorted(order) == list(range(11)) and np.abs(np.diff(kinds)).sum() == 1


@pytest.mark.parametrize("unbiased", [True, False])
def test_cka_sees_no_rotation_scale_or_offset(unbiased):
    rotation = np.linalg.qr(RNG.normal(size=(12, 12)))[0]
    assert cka(X, 3 * X @ rotation + 100, unbiased) == pytest.approx(1, abs=1e-9)
    assert cka(X, MIXED, unbiased) == pytest.approx(cka(MIXED, X, unbiased), abs=1e-12)
    assert cka(X, 7 * MIXED @ np.diag(np.ones(7)) - 9, unbiased) < 0.99
    assert cka(X, np.ones((30, 2)), unbiased) == 0


@pytest.mark.parametrize("unbiased", [True, False])
def test_kernels_need_not_be_centered(unbiased):
    """Grams as they are stored, of features with a large mean."""
    found = similarity.kernel_alignment(X @ X.T, MIXED @ MIXED.T, unbiased)
    assert found == pytest.approx(cka(X, MIXED, unbiased), abs=1e-9)


def test_only_the_unbiased_cka_of_unrelated_features_is_low():
    x, y = RNG.normal(size=(2, 40, 4000))
    assert cka(x, y, unbiased=False) > 0.9 and abs(cka(x, y)) < 0.1


def test_arrays_of_other_images_are_refused():
    for measure in (rsa, cka):
        with pytest.raises(ValueError, match=r"\(30, 12\) and \(29, 7\) are not of the same"):
            measure(X, Y[1:])


def test_a_permutation_is_one_of_images():
    """Against permuted rows, whose RDM is made anew."""
    ranks = [rank_normalized(rdm(z)) for z in (X, MIXED)]
    found = permuted(similarity.pair_correlation, *ranks, np.random.default_rng(4), 5)
    rng = np.random.default_rng(4)
    wanted = [rsa(X, MIXED[rng.permutation(30)]) for _ in range(5)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert rsa(X, MIXED) > found.max()


def test_stored_scores_are_reproduced(shared):
    path = shared / "fixtures/brainscore/metric_outputs.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name}")
    with np.load(path) as stored:
        order = np.argsort(stored["in_stimulus_id"])
        features = stored["in_features"][order]
        rates = stored["avg_repetition_in_input_order"][order]
        found = rsa(features, rates), cka(features, rates), cka(features, rates, unbiased=False)
        names = ("rdm", "cka_unbiased", "cka_biased")
        np.testing.assert_allclose(found, [stored[n] for n in names], atol=1e-9)
