"""Correlations with properties against scipy; intervals, p values, corrections and groups."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr

from src.analyses import relations

IMAGES = 40


def made(slope=0.0, sessions=("a", "b"), images=IMAGES, seed=0):
    """Performance of the same images in all sessions, and two properties, the second of some."""
    rng = np.random.default_rng(seed)
    x, box, shared = rng.normal(size=(3, images))
    box[::4] = np.nan
    parts = [
        pd.DataFrame(
            {
                "session": session,
                "image_id": 7 + np.arange(images),
                "x": x,
                "box": box,
                "score": slope * x + shared + 0.3 * rng.normal(size=images),
            }
        )
        for session in sessions
    ]
    return pd.concat(parts)


def related(table, resamples=300, seed=0):
    generator = np.random.default_rng(seed)
    found = relations.relation_table(table, "score", ("x", "box"), generator, resamples)
    return found.set_index(["statistic", "property", "session"]).sort_index()


def test_values_are_those_of_scipy_and_their_means():
    table = made(0.5)
    found = related(table)
    for statistic, function in (("pearson", pearsonr), ("spearman", spearmanr)):
        for name in ("x", "box"):
            known = table.dropna(subset=name)
            expected = [function(one[name], one["score"])[0] for _, one in known.groupby("session")]
            rows = found.loc[statistic, name]
            np.testing.assert_allclose(rows.loc[["a", "b"], "r"], expected, rtol=1e-9)
            np.testing.assert_allclose(rows.loc["mean of 2", "r"], np.mean(expected))
    assert (
        found.loc[("pearson", "x", "a"), "n"] == 40
        and found.loc[("pearson", "box", "a"), "n"] == 30
    )


def test_ranks_in_a_resample_are_those_of_the_resampled_values():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 5, 12).astype(float)  # with ties
    weights = rng.multinomial(12, np.full(12, 1 / 12), size=20)
    found = relations.weighted_ranks(x, weights)
    for ranks, weight in zip(found, weights, strict=True):
        drawn = np.repeat(np.arange(12), weight)
        np.testing.assert_allclose(ranks[drawn], rankdata(x[drawn]))


@pytest.mark.parametrize("statistic", ["pearson", "spearman"])
def test_a_planted_relation_is_found_and_its_absence_too(statistic):
    there, absent = related(made(1.5)), related(made(0.0))
    row = there.loc[statistic, "x", "mean of 2"]
    assert row["low"] > 0.3 and row["p_holm"] <= 2 / 301
    row = absent.loc[statistic, "x", "mean of 2"]
    assert row["low"] < 0 < row["high"] and row["p"] > 0.05


def test_p_is_uniform_where_nothing_is_planted():
    """Two sessions share their images, and what is hard in one is hard in the other."""
    tables = (made(images=12, seed=seed) for seed in range(25))
    p = [related(t, 39, s).loc[("pearson", "x", "mean of 2"), "p"] for s, t in enumerate(tables)]
    assert np.mean(np.array(p) <= 0.25) == pytest.approx(0.25, abs=0.2)
    assert 0.3 < np.mean(p) < 0.7


def test_permutation_p_agrees_with_that_of_pearson():
    table = made(0.3, sessions=("a",), seed=4)
    row = related(table, 4000).loc["pearson", "x", "a"]
    assert row["p"] == pytest.approx(pearsonr(table["x"], table["score"])[1], abs=0.02)


@pytest.mark.parametrize(
    ("statistic", "function"), [("pearson", pearsonr), ("spearman", spearmanr)]
)
def test_p_of_five_images_is_that_of_all_their_orders(statistic, function):
    """Few images have few orders, and those that tie with the one observed count."""
    table = pd.DataFrame({"session": "a", "image_id": range(5), "x": [1.0, 2, 3, 4, 5]})
    table["score"] = table["box"] = [1.0, 2, 3, 5, 4]
    all_r = [function(table["x"], list(y))[0] for y in permutations(table["score"])]
    exact = np.mean(np.abs(all_r) >= 0.9 - 1e-9)
    found = related(table, 3000).loc[statistic, "x", "a"]
    assert found["r"] == pytest.approx(0.9) and found["p"] == pytest.approx(exact, abs=0.02)


def test_holm_as_worked_by_hand():
    """Sorted .01 .02 .03 .2 times 4 3 2 1, never falling: .04 .06 .06 .2."""
    np.testing.assert_allclose(relations.holm([0.2, 0.01, 0.03, 0.02]), [0.2, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(relations.holm([0.9, 0.8]), [1, 1])


def test_p_is_corrected_within_statistic_and_session():
    found = related(made(0.4))
    for (_, _), rows in found.groupby(level=["statistic", "session"]):
        np.testing.assert_allclose(rows["p_holm"], relations.holm(rows["p"]))
        assert len(rows) == 2


def test_a_property_of_three_images_has_no_row():
    table = made()
    table.loc[table["image_id"] > 11, "box"] = np.nan
    assert "box" not in related(table).index.get_level_values("property")


def test_groups_against_their_means_and_planted_differences():
    rng = np.random.default_rng(2)
    groups = np.array(["animal"] * 20 + ["human"] * 15 + ["rare"])
    values = rng.normal(size=36) + 2.0 * (groups == "human")
    table, p = relations.group_table(values, groups, rng, 499)
    assert table["group"].iloc[0] == "human" and p == 1 / 500
    rows = table.set_index("group")
    for group in ("animal", "human"):
        one = values[groups == group]
        row = rows.loc[group]
        assert (row["images"], row["mean"]) == (len(one), pytest.approx(one.mean()))
        width = 2 * 1.96 * one.std() / np.sqrt(len(one))
        assert row["high"] - row["low"] == pytest.approx(width, rel=0.15)
    assert rows.loc["rare", "images"] == 1 and np.isnan(rows.loc["rare", "low"])
    assert relations.group_table(rng.normal(size=36), groups, rng, 499)[1] > 0.05
