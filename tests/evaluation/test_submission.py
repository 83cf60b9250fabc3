"""The competition's files, against pandas and literal evaluation; every fault is named."""

import ast
import csv
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from src.data.errors import DataError
from src.evaluation.metrics import correlation_to_average
from src.evaluation.prediction import Prediction
from src.evaluation.submission import NAMES, export, load, load_pair

UNITS = np.array([1, 2, 4, 5, 9])


@pytest.fixture
def predicted():
    rng = np.random.default_rng(0)
    values = (rng.gamma(0.5, 2, (12, 5)) * 10.0 ** rng.integers(-9, 4, (12, 5))).astype(np.float32)
    trial_ids = np.array([f"{i:032x}" for i in rng.permutation(12)])
    return Prediction(values, trial_ids, np.arange(12) % 4 + 100, UNITS)


def literal(path):
    """The file as published code reads it."""
    table = pd.read_csv(path)
    for column in table.columns[2:]:
        table[column] = table[column].map(ast.literal_eval)
    return table


@pytest.mark.parametrize(("kind", "tier"), NAMES)
def test_files_are_the_competitions_to_the_column(predicted, tmp_path, kind, tier):
    path = export(predicted, tmp_path, kind, tier)
    live = {"prediction": "submission_file_live_test", "responses": "ground_truth_file_test"}
    final = {k: re.sub("(live_)?test", "final_test", name) for k, name in live.items()}
    assert path.name == f"{(live if tier == 'test' else final)[kind]}.csv"
    header = path.read_text().splitlines()[0]
    assert header == f"trial_indices,image_ids,{kind},neuron_ids"
    table = literal(path)
    assert table["trial_indices"].tolist() == predicted.trial_ids.tolist()
    assert table["image_ids"].tolist() == predicted.image_ids.tolist()
    assert table["neuron_ids"].tolist() == [UNITS.tolist()] * 12
    np.testing.assert_array_equal(np.float32(table[kind].tolist()), predicted.values)


def test_what_is_written_comes_back(predicted, tmp_path):
    back = load(export(predicted, tmp_path, "prediction", "test"))
    for name in ("values", "trial_ids", "image_ids", "unit_ids"):
        np.testing.assert_array_equal(getattr(back, name), getattr(predicted, name))
    assert back.values.dtype == np.float32


def test_one_unit_and_plain_trial_numbers(tmp_path):
    one = Prediction(np.float32([[0.5], [2]]), np.array(["3", "10"]), np.array([7, 7]), UNITS[:1])
    back = load(export(one, tmp_path, "prediction", "test"))
    assert back.trial_ids.tolist() == ["3", "10"] and back.values.tolist() == [[0.5], [2]]


def test_a_file_of_pandas_with_double_precision_is_read(predicted, tmp_path):
    values = predicted.values.astype(np.float64) * (1 + 1e-12)
    columns = {"trial_indices": np.arange(12), "image_ids": predicted.image_ids}
    columns |= {"prediction": values.tolist(), "neuron_ids": [UNITS.tolist()] * 12}
    pd.DataFrame(columns).to_csv(tmp_path / "theirs.csv", index=False)
    np.testing.assert_allclose(load(tmp_path / "theirs.csv").values, values, rtol=1e-7)


def test_reading_leaves_the_field_limit_of_csv_alone(predicted, tmp_path):
    before = csv.field_size_limit()
    load(export(predicted, tmp_path, "prediction", "test"))
    assert csv.field_size_limit() == before


def test_order_of_rows_and_units_does_not_matter(predicted, tmp_path):
    """Trials are matched by trial_indices, units by neuron_ids, also where one row lists others."""
    rng = np.random.default_rng(1)
    truth = export(predicted, tmp_path, "responses", "test")
    path = export(predicted, tmp_path, "prediction", "test")
    table = literal(path)
    for row in (2, 5):
        order = rng.permutation(5)
        for column in ("prediction", "neuron_ids"):
            table.at[row, column] = [table.at[row, column][i] for i in order]
    table.sample(frac=1, random_state=0).to_csv(path, index=False)
    p, r, image_ids = load_pair(path, truth)
    np.testing.assert_array_equal(p, r)
    np.testing.assert_array_equal(r, predicted.values)
    np.testing.assert_allclose(correlation_to_average(p, r, image_ids), 1, atol=1e-6)


FAULTS = {
    "index column": (lambda t: t.reset_index(), "columns are index, trial_indices, .* without an"),
    "other names": (lambda t: t.rename(columns={"prediction": "responses"}), "columns are trial_"),
    "other order": (lambda t: t[t.columns[::-1]], "columns are neuron_ids, prediction"),
    "a trial twice": (lambda t: pd.concat([t, t[3:4]]), "trial 0000.* is there 2 times"),
    "no trials": (lambda t: t[:0], "has no trials"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_table_with_a_fault_is_refused(predicted, tmp_path, fault):
    change, message = FAULTS[fault]
    path = export(predicted, tmp_path, "prediction", "test")
    change(pd.read_csv(path)).to_csv(path, index=False)
    with pytest.raises(DataError, match=message):
        load(path)


CELLS = {
    "too few values": ("prediction", "[1, 2, 3, 4]", "4 prediction values but 5 neuron_ids"),
    "no number": ("prediction", "[1, 2, x, 4, 5]", r"prediction is no list .*\[1, 2, x"),
    "half a number": ("prediction", "[1, 2, 3, 4, 5z]", "prediction is no list of numbers"),
    "an empty place": ("prediction", "[1, 2, , 4, 5]", "prediction is no list of numbers"),
    "a bare number": ("prediction", "1", "prediction is no list of numbers: 1"),
    "code": ("prediction", "__import__('os').getcwd()", "no list of numbers"),
    "nan": ("prediction", "[1, 2, nan, 4, 5]", "values that are not finite"),
    "another unit": ("neuron_ids", "[1, 2, 4, 5, 8]", r"not the 5 of the first row \(unit [89]"),
    "a unit less": ("neuron_ids", "[1, 2, 4, 5]", r"4 neuron_ids, not the 5 .* \(unit 9"),
    "a unit twice": ("neuron_ids", "[1, 2, 4, 5, 5]", "a unit twice"),
}


@pytest.mark.parametrize("fault", CELLS)
def test_a_row_with_a_fault_is_named(predicted, tmp_path, fault):
    column, cell, message = CELLS[fault]
    path = export(predicted, tmp_path, "prediction", "test")
    table = pd.read_csv(path)
    table.loc[4, column] = cell
    table.to_csv(path, index=False)
    with pytest.raises(DataError, match=f"trial {predicted.trial_ids[4]}: .*{message}"):
        load(path)


def test_a_file_that_is_cut_off_is_refused(predicted, tmp_path):
    path = export(predicted, tmp_path, "prediction", "test")
    text = path.read_text()
    for end in (len(text) - 8, text.rindex(',"['), text.rindex('"[')):
        path.write_text(text[:end])
        with pytest.raises(DataError, match=r"line \d+: .*cut off|ids is no list"):
            load(path)


def test_files_that_do_not_belong_together_do_not_score(predicted, tmp_path):
    truth = export(predicted, tmp_path, "responses", "test")
    path = export(predicted, tmp_path, "prediction", "test")
    table = pd.read_csv(path)
    table[:-1].to_csv(path, index=False)
    with pytest.raises(DataError, match="11 trials where 12 are wanted, 1 missing"):
        load_pair(path, truth)
    table.assign(image_ids=[*table["image_ids"][:-1], 999]).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"shows image 999 in .*submission.* but 103 in .*ground"):
        load_pair(path, truth)
    table.assign(neuron_ids="[1, 2, 4, 5, 8]").to_csv(path, index=False)
    with pytest.raises(DataError, match=r"5 units where 5 are wanted, 1 missing \(first: 9\)"):
        load_pair(path, truth)


def test_what_is_not_finite_is_not_submitted(predicted, tmp_path):
    predicted.values[3, 2] = np.nan
    with pytest.raises(DataError, match="prediction of tier test has values that are not finite"):
        export(predicted, tmp_path, "prediction", "test")
    assert not list(tmp_path.iterdir())


def test_a_trial_id_that_would_break_the_table_is_refused(predicted, tmp_path):
    odd = replace(predicted, trial_ids=np.array([f"{i},0" for i in range(12)]))
    with pytest.raises(DataError, match="trial id '0,0' is neither a number nor a hex string"):
        export(odd, tmp_path, "prediction", "test")
