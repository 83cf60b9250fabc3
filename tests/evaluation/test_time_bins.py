"""Time bins on worked examples, and mappings over time against stacked samples."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from src.data.errors import DataError
from src.evaluation.folds import brain_score_splits
from src.evaluation.mapping import cross_validated
from src.evaluation.metrics import correlation
from src.evaluation.time_bins import aligned, nearest_step, scored_by_bin, scored_over_bins

BINS = np.array([[0, 10], [10, 20], [20, 30]])
A, B, C = 2.0, -1.0, 5.0
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ((5, 25), (A / 2 + B + C / 2) / 2),
        ((9, 21), (0.1 * A + B + 0.1 * C) / 1.2),
        ((9, 13), 0.25 * A + 0.75 * B),
        ((10, 20), B),
    ],
)
def test_overlap_weights(target, expected):
    values = np.array([[A, B, C], [1.0, 1, 1]])
    np.testing.assert_allclose(aligned(values, BINS, [target])[:, 0], [expected, 1])
    order = [2, 0, 1]  # bins in any order
    np.testing.assert_allclose(aligned(values[:, order], BINS[order], [target])[0, 0], expected)


def test_a_bin_weighs_by_its_share_inside_the_target():
    found = aligned(np.array([A, B]), [[0, 10], [10, 30]], [[5, 25]])
    np.testing.assert_allclose(found, [(0.5 * A + 0.75 * B) / 1.25])


def test_what_is_not_covered_is_refused():
    values = np.zeros((2, 3))
    with pytest.raises(DataError, match=r"target \[20.0, 35.0\] ms is not covered by bins from 0"):
        aligned(values, BINS, [[0, 10], [20, 35]])
    with pytest.raises(DataError, match=r"target \[5.0, 25.0\]"):  # a gap
        aligned(values[:, :2], BINS[[0, 2]], [[5, 25]])
    with pytest.raises(DataError, match="overlap each other"):
        aligned(values, [[0, 10], [5, 15], [15, 30]], [[0, 10]])
    with pytest.raises(DataError, match=r"values are \(2, 3\) but time bins \(2, 2\)"):
        aligned(values, BINS[:2], [[0, 10]])


def test_a_bin_takes_the_step_that_starts_nearest():
    """70-170 ms is step 1 of IT in CORnet-R (t1 70-110), step 0 in CORnet-S (100-200, 200-300)."""
    assert nearest_step([50, 70, 140, 170, 200], 70) == 1
    assert nearest_step([100, 200], 70) == 0


@pytest.fixture(scope="module")
def recorded():
    """Features of 80 images over 3 bins, responses they explain, in Brain-Score's splits."""
    x = RNG.normal(size=(80, 12, 3))
    y = np.einsum("npt,pu->nut", x, RNG.normal(size=(12, 5))) + RNG.normal(size=(80, 5, 3))
    return x, y, brain_score_splits(np.arange(80) % 4)


def test_every_bin_by_itself(recorded):
    x, y, splits = recorded
    for t, found in enumerate(scored_by_bin(x, y, splits, 4)):
        expected = cross_validated(x[..., t], y[..., t], splits, "pls", 4)
        np.testing.assert_array_equal(found.raw, expected.raw)
    for t, found in enumerate(scored_by_bin(x[..., 0], y, splits, 4)):
        expected = cross_validated(x[..., 0], y[..., t], splits, "pls", 4)
        np.testing.assert_allclose(found.raw, expected.raw)


@pytest.mark.parametrize("static", [False, True])
def test_bins_are_samples_of_one_fit(recorded, static):
    x, y, splits = recorded
    x = np.repeat(x[..., :1], 3, axis=2) if static else x
    found = scored_over_bins(x[..., 0] if static else x, y, splits, 4)
    for i, (train, test) in enumerate(splits):
        stacked = [np.concatenate([a[train, :, t] for t in range(3)]) for a in (x, y)]
        fit = PLSRegression(4, scale=False, tol=1e-20, max_iter=100_000).fit(*stacked)
        for t in range(3):
            expected = correlation(fit.predict(x[test, :, t]), y[test, :, t])
            np.testing.assert_allclose(found[t].raw[i], expected, atol=1e-8)


def test_bins_that_do_not_match_are_refused(recorded):
    x, y, splits = recorded
    with pytest.raises(DataError, match=r"\(80, 12, 2\) and responses \(80, 5, 3\)"):
        scored_by_bin(x[..., :2], y, splits)
    with pytest.raises(DataError, match=r"give \(n, p\[, t\]\) and \(n, u, t\)"):
        scored_over_bins(x, y[..., 0], splits)
