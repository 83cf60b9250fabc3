"""Objects, pictures and feature sets held out: against refits by scikit-learn and known truth."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from src.correlation import explained_variance
from src.data.errors import DataError
from src.data.objects import OBJECTS, categories_of
from src.evaluation.decomposition import decompose
from src.evaluation.generalization import (
    held_out_means,
    held_out_objects,
    object_folds,
    outer_scores,
    resampled_ev,
    variance_partition,
)
from src.evaluation.metrics import r_squared
from src.evaluation.probes import ImageResponses
from src.evaluation.ridge import ALPHAS

NAMES = np.repeat(OBJECTS, 8)
N, U = len(NAMES), 5


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def of(y, names=NAMES):
    return ImageResponses(np.arange(len(y)), y, names)


def test_a_fold_of_new_objects_has_one_of_each_category_and_all_its_pictures():
    folds = object_folds(NAMES, 3)
    for fold in range(8):
        out = NAMES[folds["new"] == fold]
        assert not set(out) & set(NAMES[folds["new"] != fold])
        assert sorted(categories_of(np.unique(out))) == sorted(np.unique(categories_of(OBJECTS)))
        assert set(NAMES[folds["known"] == fold]) == set(OBJECTS)


def test_folds_of_rare_objects_have_every_category():
    names = np.repeat(OBJECTS, 3)
    known, new = object_folds(names, 3).values()
    for fold in range(8):
        assert len(set(categories_of(names[known == fold]))) == 8
        assert not set(names[new == fold]) & set(names[new != fold])


def test_held_out_predictions_are_those_of_refits(rng):
    x = rng.normal(size=(N, 12))
    y = x @ rng.normal(size=(12, U)) + 4 * rng.normal(size=(N, U))
    found, scale = held_out_objects(x @ x.T, of(y), 3), decompose(x @ x.T).scale
    for kind, folds in object_folds(NAMES, 3).items():
        tried = np.empty((len(ALPHAS), N, U))
        for a, alpha in enumerate(ALPHAS):
            for fold in range(8):
                out = folds == fold
                model = Ridge(alpha * scale).fit(x[~out], y[~out])
                tried[a, out] = model.predict(x[out])
        best = np.argmax([r_squared(p, y) for p in tried], axis=0)
        expected = tried[best, :, np.arange(U)].T
        np.testing.assert_allclose(found[kind], expected, atol=1e-7, err_msg=kind)


def test_what_is_remembered_of_objects_is_lost_on_new_ones(rng):
    features = rng.normal(size=(N, 20))
    remembered = (NAMES[:, None] == OBJECTS).astype(float)
    for x, holds in ((features, True), (remembered, False)):
        y = x @ rng.normal(size=(x.shape[1], U)) + 0.3 * rng.normal(size=(N, U))
        ev = {
            kind: explained_variance(p, y).mean()
            for kind, p in held_out_objects(x @ x.T, of(y), 3).items()
        }
        assert ev["known"] > 0.8 and (ev["new"] > 0.8 if holds else ev["new"] < 0.02), ev


def test_images_without_objects_are_refused(rng):
    with pytest.raises(DataError, match="come without objects"):
        held_out_objects(np.eye(N), of(rng.normal(size=(N, U)), None), 3)


def test_means_of_groups_leave_out_the_fold(rng):
    y, folds = rng.normal(size=(N, U)), object_folds(NAMES, 1)
    groups = categories_of(NAMES)
    found = held_out_means(y, groups, folds["new"])
    table = pd.DataFrame(y).assign(group=groups, fold=folds["new"])
    for row in range(0, N, 37):
        others = table[(table["group"] == groups[row]) & (table["fold"] != folds["new"][row])]
        np.testing.assert_allclose(found[row], others[range(U)].mean())
    assert np.isnan(held_out_means(y, NAMES, folds["new"])).all()


def test_resamples_draw_whole_objects(rng):
    y = rng.normal(size=(N, U))
    p = y + rng.normal(size=(64, U))[np.repeat(np.arange(64), 8)]  # one error an object
    found = resampled_ev(p, y, NAMES, 400, 5)
    np.testing.assert_array_equal(found, resampled_ev(p, y, NAMES, 400, 5))
    direct = []
    for _ in range(400):
        drawn = rng.integers(0, 64, 64)
        rows = (8 * drawn[:, None] + np.arange(8)).ravel()
        direct.append(explained_variance(p[rows], y[rows]).mean())
    assert found.mean() == pytest.approx(np.mean(direct), abs=0.02)
    assert found.std() == pytest.approx(np.std(direct), rel=0.15)
    assert found.std() > 1.5 * resampled_ev(p, y, np.arange(N), 400, 5).std()


def test_outer_splits_score_what_they_did_not_fit(rng):
    x = rng.normal(size=(N, 30))
    y = x @ rng.normal(size=(30, U)) / 30**0.5 + rng.normal(size=(N, U))
    table = outer_scores(x @ x.T, of(y), 3, 4)
    assert table["split"].tolist() == [1, 2, 3, 4] and table["ev"].nunique() == 4
    assert table["ev"].mean() == pytest.approx(0.45, abs=0.08)  # half is noise
    order = rng.permutation(N)
    permuted = outer_scores(x @ x.T, of(y[order]), 3, 4)
    assert permuted["ev"].max() < 0.02 and permuted["r"].abs().max() < 0.2
    np.testing.assert_array_equal(table, outer_scores(x @ x.T, of(y), 3, 4))


def test_a_partition_finds_what_was_planted(rng):
    a, b, common = (rng.normal(size=(N, 10)) for _ in range(3))
    parts = [x @ rng.normal(size=(10, U)) / 10**0.5 for x in (a, b, common)]
    sets = [np.hstack([x, common]) for x in (a, b)]
    fitted, scored = np.arange(0, N, 2), np.arange(1, N, 2)
    y = sum(part / part.std(axis=0) for part in parts)
    images = [ImageResponses(rows, y[rows], NAMES[rows]) for rows in (fitted, scored)]
    found = variance_partition([x @ x.T for x in sets], *images, seed=3)
    for name, x in zip(("first", "second", "both"), (*sets, np.hstack(sets)), strict=True):
        straight = LinearRegression().fit(x[fitted], y[fitted]).predict(x[scored])
        ev = explained_variance(straight, y[scored])
        np.testing.assert_allclose(found[name], ev, atol=0.03, err_msg=name)
    for name in ("only_first", "only_second", "shared"):  # a third each
        assert found[name].mean() == pytest.approx(1 / 3, abs=0.1), name
    np.testing.assert_allclose(
        found[["only_first", "only_second", "shared"]].sum(axis=1), found["both"]
    )
    twice = variance_partition([sets[0] @ sets[0].T] * 2, *images, seed=3)
    np.testing.assert_allclose(twice["only_first"], 0, atol=1e-9)
    np.testing.assert_allclose(twice["shared"], found["first"], atol=1e-9)


def test_correlation_is_that_of_the_split(rng):
    """A map without noise is found whole."""
    x = rng.normal(size=(N, 6))
    table = outer_scores(x @ x.T, of(x @ rng.normal(size=(6, U))), 3, 2)
    np.testing.assert_allclose(table["r"], 1, atol=1e-6)
