"""Records: every field that says where a score is from, tables and files, paired comparison."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from src.data.errors import DataError
from src.data.feature_set import FeatureSet
from src.evaluation.likeness import Settings, score
from src.evaluation.score_record import (
    Source,
    compare,
    comparison_table,
    save_records,
    score_table,
)

SPECIFIED = {
    *("study", "model", "weights", "layer", "step", "region", "session", "metric", "version"),
    *("data", "access", "split", "n_images", "n_units", "raw", "error", "ceiling", "ceiled"),
    *("ci_low", "ci_high", "seconds", "seed", "features_hash", "data_hash"),
}


@pytest.fixture(scope="module")
def records(brain_score):
    """Two models by ridge and by RSA: features, and the same with much noise."""
    noisy = brain_score.features.values + 3 * np.random.default_rng(0).normal(size=(320, 60))
    models = (
        replace(brain_score.features, model="good", weights="w1", step=2),
        FeatureSet(noisy, brain_score.features.stimulus_ids, "noisy", layer="IT"),
    )
    source = Source("toy", "both", "fixture", "public", "public")
    return [
        score(m, brain_score.assembly, metric, source=source, settings=Settings(resamples=100))
        for metric in ("ridge", "rdm")
        for m in models
    ]


def test_a_row_states_all_that_is_specified(records):
    table = score_table(records)
    assert set(table) >= SPECIFIED | {"id", "form_r2c-2026", "form_ratio2-v1", "form_raw-2019"}
    assert set(table) >= {f.name for f in fields(records[0])} - {"arrays"}
    first = table.iloc[0]
    assert (first["study"], first["model"], first["step"]) == ("toy", "good", 2)
    assert first["form_r2c-2026"] == first["ceiled"] == first["raw"] ** 2 / first["ceiling"]
    assert first["ci_low"] < first["raw"] < first["ci_high"] and first["seconds"] > 0
    assert table["interval"].tolist() == ["bootstrap"] * 2 + ["jackknife"] * 2
    assert table["id"].is_unique and len(first["data_hash"]) == 64


def test_an_id_tells_what_a_score_depends_on(records):
    one = records[0]
    assert replace(one, raw=0.1, seconds=9.0).id == one.id
    changed = {"seed": 1, "weights": "w2", "layer": "V4", "features_hash": "0", "step": 3}
    assert len({replace(one, **{k: v}).id for k, v in changed.items()} | {one.id}) == 6
    with pytest.raises(DataError, match="version 'v9': choose of raw-2019"):
        replace(one, version="v9")
    with pytest.raises(DataError, match=r"arrays \['notes'\] of a record"):
        replace(one, arrays={"notes": np.zeros(1)})


def test_files(records, tmp_path):
    table = pd.read_csv(save_records(records, tmp_path))
    np.testing.assert_allclose(table["raw"], [r.raw for r in records], rtol=1e-8)
    with np.load(tmp_path / f"raw_{table['id'][0]}.npz") as stored:
        np.testing.assert_array_equal(stored["by_split"], records[0].arrays["by_split"])
        assert stored["by_split"].shape == (10, 24) and stored["samples"].shape == (100,)
        assert stored["unit_ceilings"].shape == (24,)


def test_models_are_compared_in_pairs(records):
    for good, noisy in (records[:2], records[2:]):
        found = compare(good, noisy)
        assert found.difference == good.raw - noisy.raw > 0
        assert 0 < found.ci_low < found.difference < found.ci_high and found.p < 0.05
        same = compare(good, good)
        assert same.difference == same.ci_low == same.ci_high == 0 and same.p == 1
    table = comparison_table(records[:2])
    assert table.columns.tolist() == ["model", "other", "difference", "ci_low", "ci_high", "p"]
    with pytest.raises(DataError, match="good and good differ in metric, interval"):
        compare(records[0], records[2])
    with pytest.raises(DataError, match="resamples > 0"):
        compare(replace(records[0], arrays={}), records[1])
