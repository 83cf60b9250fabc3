"""Groups of units: planted ones are found, unscaled features give tiles, shuffles give none."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import adjusted_rand_score

from src.analyses import clusters

KINDS = 4


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def planted():
    """Somata anywhere, responses of four kinds with gains of their own, and the kinds."""
    random = rng()
    kinds = random.integers(KINDS, size=160)
    tuning = random.random((KINDS, 30))
    responses = (tuning[kinds] + 0.15 * random.random((160, 30))).T * random.lognormal(0, 0.8, 160)
    return random.uniform((-800, -80, 100), (-200, 530, 340), (160, 3)), responses, kinds


def partition(kind, planted, k=KINDS, seed=0):
    return clusters.fit_clusters(clusters.features(kind, *planted[:2]), k, rng(seed))[0]


def test_planted_kinds_are_found_by_function_and_their_number_by_the_gap(planted):
    assert adjusted_rand_score(partition("function", planted), planted[2]) > 0.95
    gap = clusters.gap_statistic(clusters.features("function", *planted[:2]), 7, rng())
    assert gap.best == KINDS


def test_unscaled_features_reproduce_the_partition_of_positions(planted):
    unscaled, position = (partition(kind, planted) for kind in ("unscaled", "position"))
    assert adjusted_rand_score(unscaled, position) > 0.9
    assert adjusted_rand_score(unscaled, planted[2]) < 0.1


def test_scaled_features_give_both_parts_the_same_variance(planted):
    x = clusters.features("scaled", *planted[:2])
    assert_allclose([x[:, :3].var(0).sum(), x[:, 3:].var(0).sum()], 1)


def test_function_is_blind_to_gain_and_its_distance_is_that_of_pearson(planted):
    x = clusters.features("function", *planted[:2])
    louder = clusters.features("function", planted[0], planted[1] * rng(1).uniform(0.5, 9, 160))
    assert_allclose(x, louder, atol=1e-5)
    r = np.corrcoef(planted[1][:, 0], planted[1][:, 1])[0, 1]
    assert_allclose(np.square(x[0] - x[1]).sum(), 2 * 30 * (1 - r), rtol=1e-5)


def test_unknown_features_are_refused(planted):
    with pytest.raises(ValueError, match="choose one of unscaled, position, scaled, function"):
        clusters.features("gain", *planted[:2])


def test_data_without_kinds_have_one_cluster():
    assert clusters.gap_statistic(rng(3).uniform(size=(150, 3)), 5, rng()).best == 1


def test_shuffling_each_feature_dissolves_the_kinds(planted):
    x = clusters.features("function", *planted[:2])
    shuffled = clusters.shuffled_units(x, rng(2))
    assert_allclose(np.sort(shuffled, axis=0), np.sort(x, axis=0))
    found = clusters.fit_clusters(shuffled, KINDS, rng())[0]
    assert abs(adjusted_rand_score(found, planted[2])) < 0.05
    assert clusters.gap_statistic(shuffled, 5, rng(), references=5).best == 1


def test_gap_is_its_definition(planted):
    """Against hand-made sums: one cluster has the total sum of squares; s_k, and the rule."""
    x = clusters.features("position", *planted[:2])
    gap = clusters.gap_statistic(x, 3, rng(), references=6)
    assert_allclose(gap.within[0], np.log(np.square(x - x.mean(0)).sum()))
    assert gap.reference.shape == (6, 3) and (np.diff(gap.reference) < 0).all()
    assert_allclose(gap.error, gap.reference.std(0) * np.sqrt(7 / 6))
    made_up = clusters.Gap(np.arange(1, 5), np.array([-1.0, -2, -4, -4]), np.zeros((2, 4)))
    assert (made_up.gap == [1, 2, 4, 4]).all() and made_up.best == 3
    rising = clusters.Gap(np.arange(1, 4), np.array([-1.0, -2, -3]), np.zeros((2, 3)))
    assert rising.best == 3


def test_reference_box_follows_the_principal_axes():
    """A thin diagonal would look clustered in a box along x and y; along its axes it does not."""
    t = rng().uniform(-1, 1, 200)
    line = np.column_stack([t, t + 0.01 * rng(1).normal(size=200)])
    gap = clusters.gap_statistic(line, 4, rng())
    assert gap.best == 1 and abs(gap.gap[0]) < 0.3


def test_rand_of_shuffled_units_is_near_zero(planted):
    found = partition("function", planted)
    null = clusters.rand_null(found, planted[2], rng(), 100)
    assert abs(null.mean()) < 0.01 and np.abs(null).max() < 0.1


def test_projection_keeps_kinds_together_and_is_the_same_again(planted):
    x, kinds = clusters.features("function", *planted[:2])[:80], planted[2][:80]
    points = clusters.projection(x, rng())
    nearest = np.argsort(((points[:, None] - points) ** 2).sum(-1), axis=1)[:, 1]
    assert np.mean(kinds[nearest] == kinds) > 0.95
    assert_allclose(clusters.projection(x, rng()), points)
