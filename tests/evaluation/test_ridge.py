"""The ridge engine against scikit-learn and refits without each group, in every shape regime."""

import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV

from src.data.errors import DataError
from src.evaluation import ridge
from src.evaluation.decomposition import decompose, decompose_features, principal_components
from src.evaluation.metrics import correlation, r_squared
from src.evaluation.ridge import ALPHAS, AtGridEdge, choose_alpha, fit_ridge, held_out_residuals

SHAPES = {
    "n > p": (60, 20),
    "n >> p": (90, 4),
    "n = p": (30, 30),
    "n - 1 = p": (31, 30),
    "n < p": (30, 80),
}


def draw(case, units=5):
    """Features of train and test rows, responses of train rows with a signal in every unit."""
    n, p = SHAPES.get(case, (40, 25))
    rng = np.random.default_rng(len(case))
    x = rng.normal(size=(n + 10, p)) * np.geomspace(5, 0.2, p) + 3
    if case == "constant columns":
        x[:, [2, 9]] = 4.5
    if case == "duplicated rows":
        x[10:20] = x[:10]
    y = x @ rng.normal(size=(p, units)) + rng.normal(size=(n + 10, units)) * 3 + 7
    return x[:n], x[n:], y[:n]


CASES = [*SHAPES, "constant columns", "duplicated rows"]


def routes(x, new):
    """The same rows as features, and as rows of a Gram among others in another order."""
    both = np.concatenate([new, x])
    gram = both @ both.T
    yield decompose_features(x), new
    yield decompose(gram, np.arange(len(new), len(both))), gram[: len(new)]


def folds(n):
    return np.random.default_rng(1).permutation(np.arange(n) % 5)


def refits(x, y, alpha, groups):
    """Prediction of each row by scikit-learn's ridge fitted without its group."""
    out = np.empty_like(y)
    for g in np.unique(groups):
        t = groups == g
        out[t] = Ridge(alpha=alpha, solver="svd").fit(x[~t], y[~t]).predict(x[t])
    return out


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e4])
def test_fit_equals_scikit_learn_on_both_routes(case, alpha):
    x, new, y = draw(case)
    theirs = Ridge(alpha=alpha, solver="svd").fit(x, y)
    for d, rows in routes(x, new):
        fit = fit_ridge(d, y, d.in_scaled_units(alpha))
        np.testing.assert_allclose(fit.predict(rows), theirs.predict(new), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("grouped", [False, True])
def test_held_out_rows_equal_refits_without_them(case, grouped):
    x, new, y = draw(case)
    groups = folds(len(x)) if grouped else np.arange(len(x))
    for d, _ in routes(x, new):
        alphas = np.array([1e-3, 0.1, 10.0, 1e5])
        found = held_out_residuals(d, y, alphas, groups if grouped else None)
        for alpha, residual in zip(alphas, found, strict=True):
            expected = y - refits(x, y, alpha * d.scale, groups)
            np.testing.assert_allclose(residual, expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("units", [1, 5])
def test_choice_equals_ridgecv_with_alpha_per_target(case, units):
    x, new, y = draw(case, units)
    for d, rows in routes(x, new):
        alphas = np.logspace(-3, 3, 13)
        with warnings.catch_warnings(action="ignore", category=AtGridEdge):
            choice = choose_alpha(d, y, alphas)
        theirs = RidgeCV(alphas * d.scale, alpha_per_target=True, gcv_mode="svd").fit(x, y)
        np.testing.assert_allclose(choice.alpha * d.scale, theirs.alpha_, rtol=1e-12)
        expected = theirs.predict(new).reshape(-1, units)
        np.testing.assert_allclose(choice.fit.predict(rows), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("criterion", ["r2", "r", "mse"])
@pytest.mark.parametrize("per_unit", [True, False])
def test_choice_by_each_criterion_against_plain_loops(criterion, per_unit):
    x, _, y = draw("n > p")
    y[:, 2] = np.random.default_rng(0).normal(size=len(y))
    d, groups, alphas = decompose_features(x), folds(len(x)), np.logspace(-2, 2, 9)
    predicted = [refits(x, y, a * d.scale, groups) for a in alphas]
    score = {"r2": r_squared, "r": correlation, "mse": lambda p, r: -((p - r) ** 2).mean(0)}
    scores = np.array([score[criterion](p, y) for p in predicted])
    best = scores.argmax(0) if per_unit else np.full(5, scores.mean(1).argmax())
    choice = ridge.search(d, y, alphas, groups, per_unit, criterion)
    np.testing.assert_allclose(choice.scores, scores, atol=1e-9)
    np.testing.assert_array_equal(choice.alpha, alphas[best])
    np.testing.assert_allclose(choice.score, scores[best, np.arange(5)], atol=1e-9)
    expected = np.stack([predicted[b][:, u] for u, b in enumerate(best)], axis=1)
    np.testing.assert_allclose(choice.held_out, expected, atol=1e-9)
    assert per_unit == (len(np.unique(choice.alpha)) > 1)


def test_the_constant_direction_at_tiny_alpha():
    """Kept as an axis of eigenvalue 0 it makes leave-one-out errors vanish; ours are refits'."""
    x, _, y = draw("n < p")
    d, alpha = decompose_features(x), 1e-5
    u = np.column_stack([np.full(len(x), len(x) ** -0.5), d.vectors])
    kept = alpha / (np.concatenate([[0.0], d.values]) + alpha)
    centered = y - y.mean(0)
    trap = u @ (kept[:, None] * (u.T @ centered)) / (u**2 @ kept)[:, None]
    expected = y - refits(x, y, alpha * d.scale, np.arange(len(x)))
    assert (trap**2).mean() < 1e-4 * (expected**2).mean()
    (ours,) = held_out_residuals(d, y, np.array([alpha]), None)
    np.testing.assert_allclose(ours, expected, atol=1e-8)


def test_dropped_directions():
    x, _, _ = draw("n < p")
    for d, _ in routes(x, x):
        assert len(d.values) == len(x) - 1
        assert d.values.sum() == pytest.approx(len(x))
        np.testing.assert_allclose(d.vectors.T @ d.vectors, np.eye(len(x) - 1), atol=1e-12)
        np.testing.assert_allclose(d.vectors.sum(0), 0, atol=1e-12)
    assert len(decompose_features(draw("constant columns")[0]).values) == 23
    assert len(decompose(np.cov(np.tile(x, (2, 1)))).values) == len(x) - 1


def test_only_training_rows_are_looked_at():
    x, new, y = draw("n < p")
    (_, (d, rows)) = routes(x, new)
    other = np.concatenate([new * 50 + 1e3, x])
    e = decompose(other @ other.T, np.arange(len(new), len(other)))
    np.testing.assert_array_equal(e.scale, d.scale)
    np.testing.assert_array_equal(ridge.search(e, y).fit.weights, ridge.search(d, y).fit.weights)
    assert rows.shape == (10, 40)


@pytest.mark.parametrize("case", CASES)
def test_pixel_baselines(case):
    """Least squares of minimum norm; 3 components by scikit-learn, then least squares or ridge."""
    x, new, y = draw(case)
    pca = PCA(3, svd_solver="full").fit(x)
    z, z_new = pca.transform(x), pca.transform(new)
    centered = np.linalg.pinv(x - x.mean(0), rcond=1e-9) @ (y - y.mean(0))
    for d, rows in routes(x, new):
        least = fit_ridge(d, y, 0.0).predict(rows)
        np.testing.assert_allclose(least, y.mean(0) + (new - x.mean(0)) @ centered, atol=1e-7)
        first = principal_components(d, 3)
        signs = np.sign(np.sum(first.coordinates * z, axis=0))
        np.testing.assert_allclose(first.coordinates * signs, z, atol=1e-9)
        np.testing.assert_allclose(first.project(rows) * signs, z_new, atol=1e-9)
        ols = LinearRegression().fit(z, y).predict(z_new)
        np.testing.assert_allclose(fit_ridge(first, y, 0.0).predict(rows), ols, atol=1e-9)
        one = fit_ridge(first, y, d.in_scaled_units(1.0)).predict(rows)
        np.testing.assert_allclose(one, Ridge(1.0).fit(z, y).predict(z_new), atol=1e-9)


def test_constant_unit():
    x, new, y = draw("n > p")
    y[:, 1] = 2.5
    with warnings.catch_warnings(action="error"):
        choice = choose_alpha(decompose_features(x), y)
    assert np.isnan(choice.score[1]) and not np.isnan(np.delete(choice.score, 1)).any()
    assert choice.alpha[1] == ALPHAS[-1] and choice.edge[1] == 0
    np.testing.assert_allclose(choice.fit.predict(new)[:, 1], 2.5)
    for criterion in ("r", "mse"):
        other = ridge.search(decompose_features(x), y, criterion=criterion)
        assert np.isnan(other.score).tolist() == [False, True, False, False, False]
        assert other.alpha[1] == ALPHAS[-1]
    shared = choose_alpha(decompose_features(x), y, per_unit=False)
    alone = choose_alpha(decompose_features(x), np.delete(y, 1, axis=1), per_unit=False)
    assert shared.alpha[0] == alone.alpha[0]


def test_grid_edges_are_reported():
    x, _, y = draw("n > p")
    y[:, 0] = np.random.default_rng(3).normal(size=len(y))
    d = decompose_features(x)
    interior = ridge.search(d, y[:, 1:]).alpha
    with pytest.warns(AtGridEdge, match="of 5 units, 4 the smallest, 1000 and 1 the largest, 1e"):
        choice = choose_alpha(d, y, np.logspace(3, 8, 11))
    np.testing.assert_array_equal(choice.edge, [1, -1, -1, -1, -1])
    with pytest.warns(AtGridEdge, match="of 4 units, 4 the largest, 0.0001, is"):
        choose_alpha(d, y[:, 1:], np.array([1e-6, 1e-5, 1e-4]))
    assert ((interior > 1e-4) & (interior < 1000)).all()
    assert (choose_alpha(d, y, np.array([1.0])).edge == 0).all()


def test_layers_with_different_best_alphas_each_get_their_own():
    """Best alphas, the noise variances here, differ by 1e4; upstream used the last for both."""
    rng = np.random.default_rng(5)
    n, p = 200, 100
    layers, best = {}, {}
    for name, noise in {"clean": 0.03, "noisy": 3.0}.items():
        x = rng.normal(size=(2 * n, p))
        y = x @ rng.normal(size=(p, 40)) / np.sqrt(p) + noise * rng.normal(size=(2 * n, 40))
        layers[name] = decompose_features(x[:n]), x[n:], y[:n], y[n:]
        choice = choose_alpha(layers[name][0], y[:n], np.logspace(-6, 6, 25), per_unit=False)
        best[name] = choice.alpha[0]
        assert best[name] == pytest.approx(noise**2, rel=2.5)
    assert 3e3 < best["noisy"] / best["clean"] < 3e4
    for name, other in [("clean", "noisy"), ("noisy", "clean")]:
        d, new, y, y_new = layers[name]
        own, wrong = (fit_ridge(d, y, best[k]).predict(new) for k in (name, other))
        assert r_squared(own, y_new).mean() > r_squared(wrong, y_new).mean() + 1e-3


def test_alphas_compare_across_scales():
    x, _, y = draw("n > p")
    d, e = decompose_features(x), decompose_features(1e4 * x)
    np.testing.assert_array_equal(choose_alpha(d, y).alpha, choose_alpha(e, y).alpha)
    assert e.in_scaled_units(1e8) == pytest.approx(d.in_scaled_units(1.0))


def test_refusals():
    x, new, y = draw("n > p")
    d = decompose_features(x)
    calls = {
        r"rank 20": lambda: principal_components(d, 21),
        r"responses are \(59, 5\) for 60": lambda: fit_ridge(d, y[1:], 1.0),
        r"responses are \(60,\)": lambda: fit_ridge(d, y[:, 0], 1.0),
        r"\(60, 5\) are not all finite": lambda: fit_ridge(d, np.where(y > 1, y, np.nan), 1.0),
        r"alphas \(2,\)": lambda: choose_alpha(d, y, np.array([1.0, 0.1])),
        r"must be above 0": lambda: choose_alpha(d, y, np.array([0.0, 0.1])),
        r"groups are \(60,\) with 1": lambda: choose_alpha(d, y, groups=np.zeros(60)),
        r"groups are \(59,\)": lambda: choose_alpha(d, y, groups=np.arange(59)),
        r"rows are \(10, 19\)": lambda: fit_ridge(d, y, 1.0).predict(new[:, 1:]),
        r"not \(60, 20\)": lambda: decompose(x),
        r"do not vary": lambda: decompose_features(np.full((5, 3), 0.1)),
        r"\(6, 6\) do not vary": lambda: decompose(np.full((6, 6), 0.3)),
    }
    for text, call in calls.items():
        with pytest.raises(DataError, match=text):
            call()
