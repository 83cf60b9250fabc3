"""Gaussian windows: their weights against the formula, one by one."""

import numpy as np
import pytest

from src.models.windows import WindowGrid

GRID = WindowGrid(3, 0.5, (0.2, 0.4))


def test_every_window_is_a_gaussian_around_its_center():
    weights, table = GRID.weights(6, 8), GRID.table()
    assert weights.shape == (2 * 9 + 1, 6, 8) and len(table) == 19
    for window, row in zip(weights, table.itertuples(), strict=True):
        expected = np.empty((6, 8))
        for i in range(6):
            for j in range(8):
                y, x = (i + 0.5) / 3 - 1, (j + 0.5) / 4 - 1
                expected[i, j] = np.exp(-((x - row.x) ** 2 + (y - row.y) ** 2) / 2 / row.sigma**2)
        np.testing.assert_allclose(window, expected / expected.sum(), rtol=1e-5)


def test_the_last_window_is_the_whole_map():
    np.testing.assert_allclose(GRID.weights(6, 8)[-1], 1 / 48)
    assert np.isinf(GRID.table()["sigma"].iloc[-1])


def test_windows_are_the_same_places_at_every_resolution():
    """The center of mass of windows well inside the map, on a coarse and on a fine map."""
    for size in (14, 112):
        weights = GRID.weights(size, size)[:9]
        middles = (2 * np.arange(size) + 1) / size - 1
        x, y = (np.einsum("vhw,w->v", w, middles) for w in (weights, weights.transpose(0, 2, 1)))
        table = GRID.table()[:9]
        assert x == pytest.approx(table["x"].to_numpy(), abs=0.02)
        assert y == pytest.approx(table["y"].to_numpy(), abs=0.02)
