"""Panels of maps and points, and the page of scores, show the numbers they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from src.data.assemblies import Assembly
from src.data.feature_set import FeatureSet
from src.evaluation.likeness import Settings, score
from src.figures import panels
from src.figures.score_page import score_page
from src.studies import STUDIES

VALUES = np.array([[0.0, 0.9, np.nan], [0.25, 0.5, 1.0]])


def test_a_map_is_its_numbers(axis):
    image = panels.value_map(axis, VALUES, ["V4", "IT"], ["a", "b", "c"])
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), VALUES)
    assert image.get_clim() == (0, 1)
    shown = {t.get_position(): (t.get_text(), t.get_color()) for t in axis.texts}
    assert len(shown) == 5 and shown[1, 0] == ("0.90", "white") and shown[0, 1][0] == "0.25"
    assert [t.get_text() for t in axis.get_yticklabels()] == ["V4", "IT"]


def test_a_large_map_has_shades_alone(axis):
    panels.value_map(axis, VALUES, (), (), limits=(0, 2), numbers=False)
    assert not axis.texts and axis.images[0].get_clim() == (0, 2)
    assert not len(axis.get_xticks())


def test_points_are_numbered_as_in_their_key():
    table = pd.DataFrame({"x": [0.1, 0.2, 0.3], "y": [1.0, np.nan, 3.0]}, index=["a", "b", "c"])
    _, (axis, key) = plt.subplots(1, 2)
    panels.numbered_points(axis, table, "x", "y", marked="c")
    assert [t.get_text() for t in axis.texts] == ["1", "3"]
    assert [tuple(np.ravel(line.get_data())) for line in axis.lines] == [(0.1, 1.0), (0.3, 3.0)]
    assert to_rgb(axis.texts[1].get_color()) != to_rgb(axis.texts[0].get_color())
    panels.key_of(key, table)
    assert key.texts[0].get_text() == "1  a\n2  b\n3  c"


@pytest.mark.parametrize("metric", ["v4", "it", "i2n", "mean"])
def test_numbers_do_not_lie_on_each_other(axis, metric):
    """Of the published networks, some of which are as good as others."""
    rows = pd.DataFrame([vars(one) for one in STUDIES["cornet"].published])
    rows = rows[(rows["session"] == "private")].drop_duplicates(["system", "metric"])
    table = rows.pivot_table("value", "system", "metric", sort=False).dropna()
    axis.figure.set_size_inches(2.7, 2.9)
    panels.numbered_points(axis, table, "top1", metric)
    axis.figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in axis.texts]
    assert len(boxes) == 11
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_ceiling_lies_where_it_is_and_zero_is_seen(axis):
    axis.plot([0.2], [0.5], "o")
    panels.ceiling_band(axis, 0.8, 0.9)
    (band,) = axis.patches
    assert band.get_y() == 0.8 and band.get_height() == pytest.approx(0.1)
    assert axis.texts[0].get_text() == "ceiling" and axis.get_ylim() == (0, 1.05)


@pytest.mark.parametrize("resamples", [0, 20])
def test_a_page_shows_every_score_and_the_best_ones_forms(resamples):
    rng = np.random.default_rng(0)
    ids, x = np.arange(60).astype(str), rng.normal(size=(60, 8))
    stimuli = pd.DataFrame({"stimulus_id": np.tile(ids, 2), "object_name": np.tile(["a", "b"], 60)})
    values = np.tile(x @ rng.normal(size=(8, 5)), (2, 1)) + rng.normal(size=(120, 5))
    stimuli["repetition"] = np.repeat([0, 1], 60)
    assembly = Assembly(values, stimuli, pd.DataFrame({"region": ["IT"] * 5}))
    how = Settings(components=3, resamples=resamples)
    layers = {"good": x, "bad": rng.normal(size=(60, 8))}
    records = [
        score(FeatureSet(f, ids, "m", layer=n), assembly, settings=how) for n, f in layers.items()
    ]
    page = score_page(records, "a title")
    top, left, right = page.axes
    assert [t.get_text() for t in top.get_yticklabels()] == ["good, IT", "bad, IT"]
    scores = [line.get_xdata()[0] for line in top.lines if len(line.get_xdata()) == 1]
    np.testing.assert_allclose(scores, [r.raw for r in records])
    heights = sum(patch.get_height() for patch in left.patches)
    assert heights == 5 and page._suptitle.get_text() == "a title"
    cells = {k: c.get_text().get_text() for k, c in right.tables[0].get_celld().items()}
    assert cells[1, 0] == "raw-2019" and cells[1, 2] == f"{records[0].raw:.3f}"
    assert cells[3, 1] == "r^2 / c"
