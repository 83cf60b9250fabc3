"""Panels of similarity, of one unit's rates, and of text show what they were given."""

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from scipy import stats

from src.figures import panels
from src.figures.panels.geometry import SHADES

RNG = np.random.default_rng(0)
GROUPS = np.repeat(["cars", "faces", "ships"], (5, 8, 1))


def test_a_rank_map_shows_ranks_of_pairs(axis):
    distance = RNG.random((14, 14))
    distance += distance.T
    assert panels.rank_map(axis, distance, GROUPS) is None
    shown, above = np.asarray(axis.images[0].get_array()), np.triu_indices(14, 1)
    np.testing.assert_allclose(shown[above] * 90, stats.rankdata(distance[above]) - 1)
    np.testing.assert_array_equal(shown, shown.T)
    assert [t.get_text() for t in axis.get_yticklabels()] == ["cars", "faces", "ships"]
    assert [line.get_ydata()[0] for line in axis.lines[::2]] == [4.5, 12.5]


def test_blocks_of_correlations_are_named_and_parted(axis):
    values = np.corrcoef(RNG.normal(size=(6, 30)))
    image = panels.correlation_map(axis, values, ("measured", "predicted"))
    np.testing.assert_array_equal(image.get_array(), values)
    assert image.get_clim() == (-1, 1) and axis.get_xticks().tolist() == [1, 4]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["measured", "predicted"]
    across, along = axis.lines
    assert across.get_ydata()[0] == along.get_xdata()[0] == 2.5


def test_a_profile_has_its_groups_behind_it(axis):
    measured, predicted = RNG.normal(size=(2, 14))
    assert panels.rate_profile(axis, measured, predicted, GROUPS) is None
    drawn = {line.get_label(): line.get_ydata() for line in axis.lines}
    np.testing.assert_array_equal(drawn["measured"], measured)
    np.testing.assert_array_equal(drawn["predicted"], predicted)
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in axis.patches]
    np.testing.assert_allclose(spans, [(-0.5, 4.5), (4.5, 12.5), (12.5, 13.5)])
    shades = [to_rgb(p.get_facecolor()) for p in axis.patches]
    assert shades == [to_rgb(shade) for shade in SHADES[:3]]
    assert axis.get_xticks().tolist() == [2, 8.5, 13]


def test_every_cell_of_a_table_is_on_the_page(axis):
    table = pd.DataFrame({"model": ["a", "b"], "is": ["x", "y"], "EV": [0.5, "–"]})
    assert panels.text_table(axis, table, (0.4, 0.4, 0.2), words=2) is None
    cells = axis.tables[0].get_celld()
    words = [[cells[row, k].get_text().get_text() for k in range(3)] for row in range(3)]
    assert words == [["model", "is", "EV"], ["a", "x", "0.5"], ["b", "y", "–"]]
    sides = [cells[1, k].get_text().get_ha() for k in range(3)]
    assert sides == ["left", "left", "right"]
    np.testing.assert_allclose([cells[2, k].get_width() for k in range(3)], (0.4, 0.4, 0.2))
    panels.text_table(axis, table)
    widths = [axis.tables[1].get_celld()[0, k].get_width() for k in range(3)]
    np.testing.assert_allclose(widths, [8 / 19, 5 / 19, 6 / 19])
