"""Tables of scores: every unit stays, withheld sessions are skipped, the unknown is no number."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from src.data.errors import DataError
from src.evaluation import ceilings, metrics
from src.evaluation.scores import SCORES, readable, summary_table, unit_table
from src.manifest import save_table

COLUMNS = [
    *("session", "unit_id", "x", "y", "z", "area", "layer", "n_test_trials", "n_test_images"),
    *(
        "single",
        "avg",
        "ev",
        "r2",
        "mse",
        "mae",
        "fev",
        "feve",
        "kept",
        "oracle_jk",
        "oracle_cons",
        "cc_max",
        "cc_norm",
    ),
    *("status", "n_single_trial_images"),
]
U = 6


def fake_session(key="mouse", coordinates=True):
    rng = np.random.default_rng(0)
    return SimpleNamespace(
        key=key,
        unit_ids=np.array([1, 2, 4, 5, 9, 11]),
        coordinates=rng.random((U, 3)) if coordinates else None,
        area=np.full(U, "V1") if coordinates else None,
        layer=np.full(U, "L2/3") if coordinates else None,
    )


def trials(seed=0):
    """20 images, one with a single trial; unit 3 is noise, unit 5 is silent."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(np.repeat(np.arange(20), [1, *rng.integers(7, 11, 19)]))
    signal = rng.normal(size=(20, U))[ids]
    signal[:, 3] = 0
    r = signal + 0.5 * rng.normal(size=signal.shape)
    r[:, 5] = 0
    return signal + 0.3, r, ids


def test_unit_table_keeps_every_unit_in_file_order():
    session, (p, r, ids) = fake_session(), trials()
    table = unit_table(session, p, r, ids)
    assert list(table.columns) == COLUMNS
    assert table["unit_id"].tolist() == [1, 2, 4, 5, 9, 11]
    np.testing.assert_array_equal(table[["x", "y", "z"]], session.coordinates)
    assert (table["n_test_trials"] == len(r)).all() and (table["n_test_images"] == 20).all()
    assert (table["n_single_trial_images"] == 1).all()
    assert table["status"].tolist() == ["scored"] * 5 + ["withheld"]
    assert table["kept"].tolist() == [True, True, True, False, True, False]


def test_unit_table_holds_the_metrics():
    p, r, ids = trials()
    table = unit_table(fake_session(), p, r, ids).iloc[:5]
    r, p = r[:, :5], p[:, :5]
    average = metrics.correlation_to_average(p, r, ids)
    expected = {
        "single": metrics.single_trial_correlation(p, r),
        "avg": average,
        "fev": metrics.fev(r, ids),
        "feve": metrics.feve(p, r, ids),
        "oracle_jk": ceilings.oracle_jackknife(r, ids),
        "oracle_cons": ceilings.oracle_conservative(r, ids),
        "cc_max": ceilings.cc_max(r, ids),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, err_msg=name)
    means = [pd.DataFrame(x).groupby(ids).mean() for x in (r, p)]
    for name, score in {
        "r2": sklearn.metrics.r2_score,
        "mse": sklearn.metrics.mean_squared_error,
        "mae": sklearn.metrics.mean_absolute_error,
    }.items():
        values = score(*means, multioutput="raw_values")
        np.testing.assert_allclose(table[name], values, err_msg=name)
    assert (table["ev"] > table["r2"] + 0.01).all()  # blind to the constant that is added
    reachable = table["cc_max"] > 0
    ratio = table["avg"] / table["cc_max"]
    np.testing.assert_allclose(table["cc_norm"][reachable], ratio[reachable])


def test_unit_table_without_coordinates(tmp_path):
    table = unit_table(fake_session(coordinates=False), *trials())
    assert list(table.columns) == COLUMNS
    assert table[["x", "y", "z", "area", "layer"]].isna().all(axis=None)
    back = pd.read_csv(save_table(table, tmp_path / "units.csv"))
    np.testing.assert_allclose(back["feve"], table["feve"], rtol=1e-8)


def test_unit_table_without_repeats():
    p, r, _ = trials()
    table = unit_table(fake_session(), p, r, np.arange(len(r)))
    assert table["status"].tolist() == ["no_repeats"] * 5 + ["withheld"]
    assert table[["fev", "feve", "oracle_jk", "cc_max", "cc_norm"]].isna().all(axis=None)
    np.testing.assert_array_equal(table["single"], table["avg"])


def test_withheld_session_has_no_score():
    p, r, ids = trials()
    table = unit_table(fake_session(), p, np.zeros_like(r), ids)
    assert (table["status"] == "withheld").all() and not table["kept"].any()
    assert table[list(SCORES)].isna().all(axis=None)


@pytest.mark.parametrize(
    "change",
    [
        lambda p, r, ids: (p, r[:, :-1], ids),
        lambda p, r, ids: (p[:-1], r, ids),
        lambda p, r, ids: (p[:, 1:], r[:, 1:], ids),
        lambda p, r, ids: (p, r, ids[:-1]),
    ],
)
def test_shapes_that_do_not_fit_are_named(change):
    p, r, ids = change(*trials())
    message = (
        f"session 'mouse': expected ({len(ids)}, 6), predictions are {p.shape} "
        f"and responses {r.shape}: re-run 03_predict"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        unit_table(fake_session(), p, r, ids)


@pytest.fixture
def three_mice():
    """Tables of two scored mice and one whose responses are withheld."""
    tables = [unit_table(fake_session(f"mouse{k}"), *trials(k)) for k in (1, 2)]
    p, r, ids = trials(3)
    return pd.concat([*tables, unit_table(fake_session("hidden"), p, 0 * r, ids)])


def test_summary_skips_withheld_sessions(three_mice):
    summary = summary_table(three_mice)
    assert summary["session"].tolist() == ["mouse1", "mouse2", "hidden", "mean of 2"]
    assert summary["status"].tolist() == ["scored", "scored", "withheld", "scored"]
    assert summary["n_scored"].tolist() == [5, 5, 0, 10]
    first, second, hidden, mean = (row for _, row in summary.iterrows())
    for score in ("single", "avg", "fev", "feve", "cc_norm", "avg_median"):
        assert mean[score] == pytest.approx((first[score] + second[score]) / 2), score
        assert np.isnan(hidden[score])


def test_summary_averages_feve_over_kept_units_and_the_rest_over_all(three_mice):
    units = three_mice[three_mice["session"] == "mouse1"].iloc[:5]
    row = summary_table(three_mice).iloc[0]
    kept = units["fev"] >= 0.15
    assert not kept.all() and row["n_kept"] == kept.sum()
    assert row["feve"] == pytest.approx(units["feve"][kept].mean())
    assert row["avg"] == pytest.approx(units["avg"].mean())
    assert row["single_median"] == pytest.approx(units["single"].median())


def test_summary_of_several_models(three_mice):
    both = pd.concat([three_mice.assign(model=m) for m in ("cnn", "ln")])
    summary = summary_table(both)
    assert summary["model"].tolist() == ["cnn"] * 4 + ["ln"] * 4
    single = summary_table(three_mice)
    pd.testing.assert_frame_equal(summary.iloc[:4].drop(columns="model"), single)


def test_only_withheld_sessions_make_no_number(three_mice):
    summary = summary_table(three_mice[three_mice["session"] == "hidden"])
    assert summary["session"].tolist() == ["hidden", "mean of 0"]
    assert summary["status"].tolist() == ["withheld", "withheld"]
    assert summary["avg"].isna().all()


def test_nothing_unknown_is_printed_as_a_number(three_mice, tmp_path):
    summary = summary_table(three_mice)
    text = readable(summary).to_string()
    assert "nan" not in text.lower() and "–" in text
    assert readable(summary)["avg"].iloc[0] == f"{summary['avg'].iloc[0]:.3f}"
    assert "nan" not in save_table(summary, tmp_path / "t.csv").read_text().lower()
