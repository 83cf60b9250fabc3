"""When a record still stands for its job, and what the manifest holds."""

import json
import os

import pytest

from src import records

GIVEN = {"profile": "smoke", "recording": "", "member": 2}


@pytest.fixture
def finished(tmp_path):
    """A record and the artifact it names."""
    artifact = tmp_path / "scores.csv"
    artifact.write_text("r\n0.5\n")
    content = {
        "notebook": "notebooks/study/02_train.py",
        "code": "c0de",
        "parameters": {**GIVEN, "seed": 42},
        "changed": ["profile", "member"],
        "outputs": {str(artifact): "0" * 64},
    }
    record = tmp_path / "02_train_wide_2.json"
    record.write_text(json.dumps(content))
    return record, artifact


def test_a_record_stands_for_its_job(finished):
    assert records.outdated(finished[0], GIVEN, "c0de") is None


@pytest.mark.parametrize("other", [{"member": 3}, {"profile": "demo"}, {"recording": "mine"}])
def test_other_parameters_are_another_job(finished, other):
    assert "other parameters" in records.outdated(finished[0], GIVEN | other, "c0de")


def test_a_parameter_set_by_hand_is_another_job(finished):
    content = json.loads(finished[0].read_text())
    content["parameters"]["seed"], content["changed"] = 7, ["profile", "member", "seed"]
    finished[0].write_text(json.dumps(content))
    assert records.outdated(finished[0], GIVEN, "c0de") == "made with its own seed"


def test_how_many_processes_trained_does_not_matter(finished):
    content = json.loads(finished[0].read_text())
    content["parameters"]["processes"], content["changed"] = 2, ["profile", "member", "processes"]
    finished[0].write_text(json.dumps(content))
    assert records.outdated(finished[0], GIVEN, "c0de") is None


def test_other_code_outdates_a_record(finished):
    assert "changed, or what it imports" in records.outdated(finished[0], GIVEN, "other")
    content = json.loads(finished[0].read_text())
    del content["code"]  # as in records of former versions
    finished[0].write_text(json.dumps(content))
    assert "changed, or what it imports" in records.outdated(finished[0], GIVEN, "c0de")


def test_a_missing_artifact_outdates_its_record(finished):
    finished[1].unlink()
    assert "scores.csv is gone" in records.outdated(finished[0], GIVEN, "c0de")


def test_an_edited_artifact_outdates_its_record(finished):
    record, artifact = finished
    later = record.stat().st_mtime_ns + 1
    os.utime(artifact, ns=(later, later))
    assert "scores.csv was changed" in records.outdated(record, GIVEN, "c0de")


def test_jobs_of_one_notebook_have_their_own_names():
    assert records.job_name("02_train", {"member": 3, "model": "wide", "seed": 1}) == (
        "02_train_wide_3"
    )
    assert records.job_name("04_evaluate", {"profile": "demo"}) == "04_evaluate"
    some = {"subjects": "subj01 subj02", "areas": "V1", "model": "gnet8j", "member": 1}
    assert records.job_name("02_train", some) == "02_train_gnet8j_1_subj01_subj02_V1"


def test_the_manifest_holds_all_records_in_order(tmp_path):
    for name in ("02_b", "01_a"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"notebook": name}))
    target = tmp_path / "run" / "manifest.json"
    records.merge("A study", target, tmp_path.glob("*.json"))
    content = json.loads(target.read_text())
    assert content["title"] == "A study"
    assert content["notebooks"] == [{"notebook": "01_a"}, {"notebook": "02_b"}]
