"""Feature-weighted receptive fields: stored outputs, scikit-learn, trials, planted fields."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from src.correlation import explained_variance
from src.data.errors import DataError
from src.data.gaussian_fields import field_grid, field_weights
from src.evaluation.field_ridge import (
    fit_fields,
    held_out_errors,
    left_out_errors,
    ridge_weights,
)
from src.evaluation.field_search import nearest, search_fields
from src.evaluation.fields import pool_maps

LAMBDAS = np.array([1.0, 10, 100])


@pytest.fixture(scope="module")
def stored(shared):
    with np.load(shared / "fixtures" / "nsd_gnet" / "fwrf_outputs.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def legacy(stored):
    maps = [stored[f"fmap{i}"] for i in range(3)]
    train, held_out = np.split(np.arange(120), [120 - int(stored["holdout"])])
    given = maps, stored["voxels"], stored["models"].astype(float), train, held_out
    return maps, fit_fields(*given, stored["lambdas"].astype(float), legacy=True)


def test_fields_have_the_stored_weights(stored):
    found = field_weights(stored["models"].astype(float), 16, 16)
    np.testing.assert_allclose(found, stored["gauss_examples"], rtol=0, atol=1e-6)


def test_choices_are_those_stored(stored, legacy):
    _, fit = legacy
    np.testing.assert_array_equal(fit.lambda_index, stored["lambda_index"])
    np.testing.assert_array_equal(fit.fields[fit.field_index], stored["best_models"])
    assert (fit.field_index == stored["true_model"]).sum() == 8 and fit.field_index[1] == 153


def test_weights_and_predictions_are_those_stored(stored, legacy):
    maps, fit = legacy
    here = np.searchsorted(fit.used, fit.field_index)
    for name, found, atol in (
        ("losses", fit.error, 1e-4),
        ("weights", fit.weights, 1e-5),
        ("bias", fit.bias, 1e-5),
        ("mst_mean", fit.mean[here], 1e-6),
        ("mst_std", fit.std[here], 1e-6),
        ("pred", fit.predict(maps), 1e-4),
    ):
        np.testing.assert_allclose(found, stored[name], rtol=0, atol=atol, err_msg=name)
    assert fit.std.min() == pytest.approx(1e-6, rel=1e-3)


def test_predicting_twice_is_the_same_and_blocks_do_not_matter(stored, legacy):
    maps, fit = legacy
    first = fit.predict(maps)
    np.testing.assert_array_equal(first, fit.predict(maps))
    np.testing.assert_allclose(first, fit.predict(maps, block=1), atol=1e-5)


@pytest.mark.parametrize(
    ("grid", "points", "count"),
    [
        ((0.03, 1.0), (37, 26, 18, 13, 9, 6, 4, 3), 2680),
        ((0.03, 1.4), (27, 19, 13, 9, 6, 5, 3, 2), 1414),
        ((0.04, 1.2), (23, 17, 12, 9, 7, 5, 4, 3), 1142),
        ((0.04, 1.4), (20, 15, 11, 8, 6, 4, 3, 2), 875),
    ],
)
def test_grids_have_the_published_candidates(grid, points, count):
    fields = field_grid(*grid)
    assert len(fields) == count and fields[:, 2].max() == pytest.approx(0.4)
    sizes, counts = np.unique(fields[:, 2], return_counts=True)
    assert tuple(np.sqrt(counts).astype(int)) == points and len(sizes) == 8


def test_a_grid_of_one_point_is_the_middle():
    assert field_grid(0.4, 5.0, sizes=1).tolist() == [[0.0, 0.0, pytest.approx(0.4)]]


def test_a_field_may_be_smaller_than_a_pixel():
    fields = np.array([[0.1, 0.2, 0.01], [-0.3, 0.05, 0.02]])
    weights = field_weights(fields, 10, 8)
    np.testing.assert_allclose(weights.sum((1, 2)), 1, atol=1e-6)
    row, column = np.unravel_index(weights[0].argmax(), (10, 8))
    assert (row, column) in ((2, 4), (3, 4))  # y = .2 is above the middle, x = .1 right of it
    fine = field_weights(fields, 400, 400).reshape(2, 10, 40, 400).sum(2).reshape(2, 10, 8, 50)
    np.testing.assert_allclose(weights, fine.sum(3), atol=2e-3)


def drawn(n=60, units=5, seed=0):
    rng = np.random.default_rng(seed)
    maps = [
        rng.normal(size=(n, 3, 6, 6)),
        5 + rng.normal(size=(n, 4, 3, 3)),
        rng.normal(size=(n, 2)),
    ]
    fields = field_grid(0.2, 1.5, sizes=2)
    y = rng.normal(size=(n, units))
    return maps, fields, y


def seen(maps, field):
    weighted = [pool_maps(m, field_weights(field[None], *m.shape[2:]))[0] for m in maps[:2]]
    return np.column_stack([*weighted, maps[2]]).astype(float)


def test_the_default_is_scikit_learns_ridge_on_standardized_features():
    maps, fields, y = drawn()
    train, held_out = np.arange(40), np.arange(40, 60)
    fit = fit_fields(maps, y, fields, train, held_out, LAMBDAS, block=3)
    errors = np.empty((len(fields), len(LAMBDAS), y.shape[1]))
    for k, field in enumerate(fields):
        x = seen(maps, field)
        z = (x - x[train].mean(0)) / (x[train].std(0) + 1e-6)
        for i, penalty in enumerate(LAMBDAS):
            ridge = Ridge(penalty).fit(z[train], y[train])
            errors[k, i] = ((y[held_out] - ridge.predict(z[held_out])) ** 2).sum(0)
    flat = errors.reshape(-1, y.shape[1])
    np.testing.assert_array_equal(fit.field_index * len(LAMBDAS) + fit.lambda_index, flat.argmin(0))
    np.testing.assert_allclose(fit.error, flat.min(0), rtol=1e-5)
    predicted = fit.predict(maps)
    for unit in range(y.shape[1]):
        x = seen(maps, fields[fit.field_index[unit]])
        z = (x - x.mean(0)) / (x.std(0) + 1e-6)
        ridge = Ridge(LAMBDAS[fit.lambda_index[unit]]).fit(z, y[:, unit])
        np.testing.assert_allclose(predicted[:, unit], ridge.predict(z), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("legacy", [False, True])
def test_means_with_counts_are_the_single_trials(legacy):
    maps, fields, y = drawn()
    counts = np.random.default_rng(3).integers(1, 4, len(y))
    rows = np.repeat(np.arange(len(y)), counts)
    trials = y[rows] + np.random.default_rng(4).normal(size=(len(rows), y.shape[1]))
    means = np.add.reduceat(trials, np.cumsum(counts) - counts) / counts[:, None]
    split = rows >= 40
    every = [m[rows] for m in maps]
    parts = np.flatnonzero(~split), np.flatnonzero(split)
    single = fit_fields(every, trials, fields, *parts, LAMBDAS, legacy=legacy)
    mean = fit_fields(
        maps, means, fields, np.arange(40), np.arange(40, 60), LAMBDAS, counts, legacy
    )
    np.testing.assert_array_equal(single.field_index, mean.field_index)
    np.testing.assert_array_equal(single.lambda_index, mean.lambda_index)
    for name in ("weights", "bias", "mean", "std"):
        a, b = getattr(single, name), getattr(mean, name)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)], ids=["rows", "features"])
@pytest.mark.parametrize("held_out", [3, 20])
def test_errors_and_weights_of_either_matrix(shape, held_out):
    rng = np.random.default_rng(1)
    x, h = rng.normal(size=shape), rng.normal(size=(held_out, shape[1]))
    y, v = rng.normal(size=(shape[0], 6)), rng.normal(size=(held_out, 6))
    errors, weights = (
        held_out_errors(x, h, y, v, LAMBDAS),
        ridge_weights(x, y, LAMBDAS[[0, 1, 2] * 2]),
    )
    for i, penalty in enumerate(LAMBDAS):
        plain = Ridge(penalty, fit_intercept=False).fit(x, y)
        np.testing.assert_allclose(errors[i], ((v - plain.predict(h)) ** 2).sum(0), rtol=1e-8)
        np.testing.assert_allclose(weights[:, i], plain.coef_[i], rtol=1e-7, atol=1e-9)


def test_planted_fields_are_found():
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(300, 6, 16, 16)), rng.normal(size=(300, 4, 8, 8))]
    fields = field_grid(0.08, 1.2, sizes=3)
    true = rng.integers(0, len(fields), 12)
    y = np.empty((300, 12))
    for unit, k in enumerate(true):
        parts = [pool_maps(m, field_weights(fields[[k]], *m.shape[2:]))[0] for m in maps]
        x = np.column_stack(parts)
        signal = ((x - x.mean(0)) / x.std(0)) @ rng.normal(size=x.shape[1])
        y[:, unit] = signal / signal.std() + 0.3 * rng.normal(size=300)
    fit = fit_fields(maps, y, fields, np.arange(240), np.arange(240, 300), LAMBDAS)
    assert (fit.field_index == true).mean() >= 0.8
    apart = np.hypot(*(fit.fields[fit.field_index] - fields[true])[:, :2].T)
    assert apart.max() < 0.25


def test_what_does_not_fit_together_is_refused():
    maps, fields, y = drawn()
    parts = np.arange(40), np.arange(40, 60)
    with pytest.raises(DataError, match="give a row an image"):
        fit_fields(maps, y[:-1], fields, *parts)
    with pytest.raises(DataError, match="extract them together"):
        fit_fields([maps[0], maps[1][:-1]], y, fields, *parts)
    with pytest.raises(DataError, match="hold some out"):
        fit_fields(maps, y, fields, np.arange(60), np.arange(0), legacy=True)
    with pytest.raises(DataError, match="not finite"):
        fit_fields(maps, np.where(y > 2, np.nan, y), fields, *parts)


@pytest.mark.parametrize("shape", [(30, 6), (20, 40)])
def test_each_row_is_predicted_without_it(shape):
    """Against as many fits of scikit-learn as rows, of means that count as their trials."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=shape), rng.normal(size=(shape[0], 3))
    counts = rng.integers(1, 4, shape[0]).astype(float)
    z, target = (v - counts @ v / counts.sum() for v in (x, y))
    root = np.sqrt(counts)[:, None]
    found = left_out_errors(z * root, target * root, counts, LAMBDAS)
    for i, penalty in enumerate(LAMBDAS):
        error = 0
        for row in range(shape[0]):
            rest = np.delete(np.arange(shape[0]), row)
            ridge = Ridge(penalty).fit(x[rest], y[rest], counts[rest])
            error = error + counts[row] * (y[row] - ridge.predict(x[[row]])[0]) ** 2
        np.testing.assert_allclose(found[i], error, rtol=1e-9)


def test_each_image_in_turn_chooses_better_than_a_few_of_them():
    """Responses without signal: the best of many on ten images ends far below the mean."""
    rng = np.random.default_rng(3)
    maps = [rng.normal(size=(400, 40, 8, 8))]
    y, fields = rng.normal(size=(400, 30)), field_grid(0.1, 1.5, sizes=4)
    lambdas = np.logspace(0, 5, 6)
    scores = []
    for rows in ((np.arange(100), np.arange(0)), (np.arange(90), np.arange(90, 100))):
        predicted = fit_fields(maps, y, fields, *rows, lambdas).predict(maps)
        scores.append(explained_variance(predicted[100:], y[100:]).mean())
    assert scores[0] > -0.15 and scores[1] < -0.5


def test_a_coarse_search_finds_what_all_candidates_would():
    rng = np.random.default_rng(4)
    maps, grid = [rng.normal(size=(250, 3, 16, 16))], (0.08, 1.0)
    fields = field_grid(*grid)
    true = rng.choice(len(fields), 10, False)
    x = pool_maps(maps[0], field_weights(fields[true], 16, 16))
    y = (x @ rng.normal(size=(3, 1)))[..., 0].T
    y = y / y.std(0) + 0.3 * rng.normal(size=y.shape)
    rows = np.arange(200), np.arange(200, 250)
    whole = search_fields(maps, y, grid, 0, *rows, lambdas=LAMBDAS)
    coarse = search_fields(maps, y, grid, 2.0, *rows, lambdas=LAMBDAS)
    assert len(field_grid(0.03, 2.0)) == 702
    assert (coarse.field_index == whole.field_index).mean() >= 0.9
    same = coarse.field_index == whole.field_index
    np.testing.assert_allclose(coarse.predict(maps)[:, same], whole.predict(maps)[:, same])


def test_the_nearest_candidates_share_place_and_size():
    fields = field_grid(0.05, 1.0)
    near = nearest(fields, fields[[40, 700]], 30)
    assert near.sum(1).tolist() == [30, 30] and near[0, 40] and near[1, 700]
    wide = np.maximum(fields[:, 2], fields[40, 2])
    away = np.hypot(
        np.linalg.norm(fields[:, :2] - fields[40, :2], axis=1) / wide,
        np.log(fields[:, 2] / fields[40, 2]),
    )
    assert away[near[0]].max() <= away[~near[0]].min()
