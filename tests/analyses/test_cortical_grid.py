"""The grid against pandas, interpolation against scipy, lags and maps against the full matrix."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr, ttest_ind

from src.analyses import cortical_grid as grids
from src.data.errors import DataError

BINS = (5, 6, 4)


def field(units=60, images=12, seed=0):
    """Somata in micrometers, and mean responses."""
    rng = np.random.default_rng(seed)
    return rng.uniform((-800, -80, 100), (-200, 530, 340), (units, 3)), rng.random((images, units))


@pytest.fixture(scope="module")
def one():
    """Normalized positions, responses, a small grid and the interpolation to it."""
    soma, responses = field()
    positions, _ = grids.normalized(soma)
    grid = grids.Grid.of([positions], BINS)
    return positions, responses, grid, grids.Interpolation.of(positions, grid.centers)


def matrix(a, b, order):
    """Full correlation matrix of the cells of a with those of b."""
    m = len(order)
    return np.corrcoef(a[:, order].T, b[:, order].T)[:m, m:]


def test_positions_are_centered_and_share_one_scale():
    soma, _ = field()
    positions, scale = grids.normalized(soma)
    assert_allclose(positions * scale, soma - soma.mean(0))
    assert np.abs(positions).max() == 1 and np.abs(positions[:, 2]).max() < 0.6


def test_the_published_grid_has_its_published_cells():
    corners = np.array([[-1, -1, -0.4], [1, 1, 0.4]])
    grid = grids.Grid.of([corners])
    assert grid.shape == (25, 25, 10) and grid.centers.shape == (6250, 3)
    for x, y in ((-0.48, 0.08), (0.8, 0.64), (-0.8, -0.72)):  # reference cells of upstream's maps
        assert x in grid.axes[0] and y in grid.axes[1]


def test_bins_are_those_of_pandas():
    positions = [grids.normalized(field(seed=s)[0])[0] for s in (1, 2)]
    grid = grids.Grid.of(positions, BINS, None, None)
    for axis, (values, n) in enumerate(zip(np.concatenate(positions).T, BINS, strict=True)):
        edges = pd.cut(values, n, retbins=True)[1]
        edges[0] = values.min()  # which pandas widens
        assert_allclose(grid.axes[axis], (edges[1:] + edges[:-1]) / 2)
    rounded = grids.Grid.of(positions, BINS)
    assert_array_equal(rounded.axes[0], np.round(rounded.axes[0], 4))
    assert 0 < np.abs(rounded.axes[0] - grid.axes[0]).max() <= 1e-3


def test_interpolation_is_that_of_scipy(one):
    positions, responses, grid, interpolation = one
    expected = LinearNDInterpolator(positions, responses.T)(grid.centers).T
    found = interpolation(responses)
    assert 0 < np.isnan(found[0]).sum() < found.shape[1]
    assert_allclose(found, expected, atol=1e-12)
    assert_array_equal(interpolation.inside, np.isfinite(expected[0]))
    assert_allclose(interpolation.of_inside(responses), expected[:, interpolation.inside])


def test_a_linear_response_is_interpolated_exactly(one):
    positions, _, grid, interpolation = one
    weights = np.array([[1.0, -2.0, 0.5]])
    inside = interpolation.inside
    assert_allclose(
        interpolation(weights @ positions.T)[:, inside], weights @ grid.centers[inside].T
    )


@pytest.mark.parametrize("soma", [np.c_[np.random.default_rng(0).random((9, 2)), np.ones(9)],
                                  np.random.default_rng(0).random((3, 3))])  # fmt: skip
def test_units_without_a_volume_are_refused(soma):
    with pytest.raises(DataError, match="at least 4 units, not in one plane"):
        grids.Interpolation.of(soma, soma)


def test_a_recording_without_coordinates_is_refused():
    with pytest.raises(DataError, match="no soma coordinates"):
        grids.normalized(None)


@pytest.mark.parametrize("drop", [0, 7])
def test_rank_lags_are_diagonals_of_the_full_matrix(one, drop):
    _, responses, grid, interpolation = one
    a, b = interpolation(responses), interpolation(np.roll(responses, 3, axis=1))
    cells = np.flatnonzero(interpolation.inside)
    distance = np.linalg.norm(grid.centers[cells] - grid.centers[cells[0]], axis=1)
    order = cells[np.argsort(distance, kind="stable")]
    for other in (a, b):
        r = matrix(a, other, order)
        lags = range(1, len(order) - drop)
        expected = [(np.diagonal(r, k).mean() + np.diagonal(r, -k).mean()) / 2 for k in lags]
        found = grids.rank_lag_curve(a, other, grid.centers, drop)
        assert_allclose(found, expected, atol=1e-6)


def test_cells_must_outnumber_the_dropped_lags(one):
    _, responses, grid, interpolation = one
    values = interpolation(responses)
    with pytest.raises(DataError, match="drop fewer"):
        grids.rank_lag_curve(values, values, grid.centers, 300)


def test_lag_means_are_diagonals_of_the_distances(one, monkeypatch):
    _, _, grid, interpolation = one
    places = grid.centers[grids.ranked(grid.centers, interpolation.inside)]
    full = np.exp(-cdist(places, places))
    expected = [np.diagonal(full, k).mean() for k in range(1, len(places) - 5)]
    monkeypatch.setattr(grids, "ROWS", 17)
    assert_allclose(grids.lag_means(places, lambda d: np.exp(-d), 5), expected)


def test_neighbors_in_rank_lie_far_apart():
    """A cell is 1/6 wide, but cells of successive ranks are on average several cells apart."""
    grid = grids.Grid.of([np.array([[-1, -1, -0.4], [1, 1, 0.4]])], (12, 12, 5))
    places = grid.centers[grids.ranked(grid.centers, np.ones(720, bool))]
    apart = grids.lag_means(places, np.positive, 300)
    assert apart.min() > 0.5


def test_shuffled_units_give_a_falling_rank_lag_curve():
    """Why upstream's r of -0.9 shows nothing: interpolation alone gives it."""
    soma, responses = field(units=150, images=40, seed=3)
    positions, _ = grids.normalized(soma)
    grid = grids.Grid.of([positions], (12, 12, 6))
    values = grids.Interpolation.of(positions, grid.centers)(responses)  # independent units
    curve = grids.rank_lag_curve(values, values, grid.centers, 150)
    assert pearsonr(np.arange(len(curve)), curve)[0] < -0.7


@pytest.mark.parametrize(("plane", "other"), [("xy", 2), ("yz", 0), ("xz", 1)])
def test_maps_are_means_of_pearson_over_planes(one, plane, other):
    _, responses, grid, interpolation = one
    a, b = (interpolation(x) for x in (responses, responses[::-1]))
    reference = (1, 2)
    found = grids.similarity_map(grids.on_grid(a, grid), grids.on_grid(b, grid), plane, reference)
    first, second = (np.moveaxis(x.reshape(-1, *BINS), other + 1, -1) for x in (a, b))
    for cell in ((1, 2), (3, 1)):
        r = [
            pearsonr(first[:, *reference, k], second[:, *cell, k])[0]
            for k in range(BINS[other])
            if np.isfinite(first[0, *reference, k]) and np.isfinite(second[0, *cell, k])
        ]
        expected = np.mean(r) if r else np.nan
        assert_allclose(found[cell], expected, atol=1e-6)
    assert np.isfinite(found[reference])


def test_a_reference_moves_to_the_nearest_cell_inside_all_hulls():
    grid = grids.Grid.of([np.array([[-1, -1, -0.4], [1, 1, 0.4]])], BINS)
    inside = np.zeros((2, *BINS), bool)
    inside[:, 2, 3, 1] = inside[:, 4, 5, 0] = inside[0, 0, 0] = True
    assert grids.nearest_covered(inside, grid, "xy", (-1, -1)) == (2, 3)
    assert grids.nearest_covered(inside, grid, "yz", (1, 1)) == (5, 0)
    with pytest.raises(DataError, match="plane xy lies inside all 2 hulls"):
        grids.nearest_covered(inside & False, grid, "xy", (0, 0))


@pytest.mark.parametrize(("axis", "along"), [("x", 0), ("y", 1), ("z", 2)])
def test_change_ratio_is_its_definition(one, axis, along):
    _, responses, grid, interpolation = one
    a, b = (interpolation(x).reshape(-1, *BINS) for x in (responses, responses[::-1]))
    spacing = np.diff(grid.axes[along]).mean()
    expected = []
    for cell in np.argwhere(np.isfinite(a[0])):
        for step in (-2, -1, 1, 2):
            other = cell.copy()
            other[along] += step
            if 0 <= other[along] < BINS[along] and np.isfinite(b[0, *other]):
                here, there = (pearsonr(a[:, *cell], b[:, *c])[0] for c in (cell, other))
                expected.append(abs(there - here) / (abs(step) * spacing))
    sides = (grids.on_grid(x.reshape(len(x), -1), grid) for x in (a, b))
    found = grids.change_ratio(*sides, grid, axis, limit=2 * spacing)
    assert_allclose(np.sort(found), np.sort(expected), rtol=1e-4, atol=1e-6)


def test_a_steeper_axis_is_found():
    """Similarity that falls along z only changes along z only."""
    grid = grids.Grid.of([np.array([[-1, -1, -0.4], [1, 1, 0.4]])], BINS)
    angle = 2 * grid.centers[:, 2]
    values = np.outer([1, -1, 0, 0], np.cos(angle)) + np.outer([0, 0, 1, -1], np.sin(angle))
    z = grids.on_grid(values, grid)
    flat, steep = (grids.change_ratio(z, z, grid, k, limit=0.4) for k in "xz")
    assert np.abs(flat).max() < 1e-6 and steep.min() > 0.1


def test_welch_is_that_of_scipy_and_d_a_difference_in_deviations():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 2, 4000), rng.normal(0, 2, 3000)
    found = grids.welch(a, b)
    assert (found["t"], found["p"]) == pytest.approx(tuple(ttest_ind(a, b, equal_var=False)))
    assert found["d"] == pytest.approx(0.5, abs=0.05)
