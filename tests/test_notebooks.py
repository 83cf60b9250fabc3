"""Notebooks as documents: twins, one parameters cell, short cells, no definitions, no outputs."""

import ast
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from statistics import median

import jupytext
import numpy as np
import pandas as pd
import pytest

from src.evaluation.metrics import single_trial_correlation
from src.evaluation.submission import load_pair
from src.parameters import parameters_of, tagged
from src.paths import ROOT
from src.studies import STUDIES

SOURCES = sorted((ROOT / "notebooks").glob("*/*.py"))
EACH = pytest.mark.parametrize("path", SOURCES, ids=lambda p: f"{p.parent.name}/{p.stem}")
COMMON = ("profile", "recording", "data_root", "output_root")


@cache
def read(path):
    return jupytext.read(path)


def code_cells(path):
    return [cell.source for cell in read(path).cells if cell.cell_type == "code"]


def test_every_study_has_its_stages():
    for study in STUDIES:
        stems = {path.stem for path in SOURCES if path.parent.name == study}
        assert {"01_preprocess", "02_train", "03_predict", "04_evaluate"} <= stems


@EACH
def test_the_twin_is_equal_cell_by_cell(path):
    """After an edit: jupytext --update --to ipynb notebooks/*/*.py"""
    twin = path.with_suffix(".ipynb")
    assert twin.is_file(), "no twin: jupytext --update --to ipynb notebooks/*/*.py"
    ours, theirs = read(path), jupytext.read(twin)
    plain = [
        [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in notebook.cells]
        for notebook in (ours, theirs)
    ]
    assert plain[0] == plain[1]
    assert ours.metadata.kernelspec == theirs.metadata.kernelspec
    assert theirs.metadata.kernelspec["name"] == "python3"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("*/*.ipynb")), ids=lambda p: p.name
)
def test_a_twin_has_a_source_and_no_outputs(path):
    assert path.with_suffix(".py").is_file()
    for cell in jupytext.read(path).cells:
        assert cell.cell_type != "code" or (cell.outputs, cell.execution_count) == ([], None)


@EACH
def test_one_cell_holds_typed_commented_parameters(path):
    assert len(tagged(read(path), "parameters")) == 1
    parameters = parameters_of(read(path))
    assert all(parameter.help for parameter in parameters.values())
    if path.stem[:2] != "00":
        assert set(COMMON) <= set(parameters)
    for name in COMMON:
        same = {parameters_of(read(p)).get(name) for p in SOURCES if p.stem[:2] != "00"}
        assert len(same) == 1, f"{name} differs between notebooks: {same}"


@EACH
def test_a_notebook_tells_a_story(path):
    """A question first, prose between short cells of code, a finding last."""
    first, *_, last = read(path).cells
    assert first.cell_type == "markdown" and re.match(rf"# {path.stem[:2]} · ", first.source)
    assert "?" in first.source
    assert last.cell_type == "markdown"
    prose = " ".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    assert len(prose.split()) >= 250
    lengths = [len(source.splitlines()) for source in code_cells(path)]
    assert median(lengths) <= 10 and max(lengths) <= 30


@EACH
def test_definitions_live_in_src(path):
    banned = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | ast.While
    for source in code_cells(path):
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, banned), source
            assert not (isinstance(node, ast.For) and "epoch" in ast.unparse(node.target)), source


@EACH
def test_models_and_recipes_come_from_the_study(path):
    """Each is configured once, in src/studies; a notebook says what it opens or imports."""
    built = {
        ast.unparse(node.func)
        for source in code_cells(path)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Config")
    }
    assert built <= {"InputConfig", "ImportConfig"}


@EACH
def test_a_notebook_declares_what_it_writes(path):
    assert any(re.search(r"\bdeclare\(", source) for source in code_cells(path))


@EACH
def test_a_notebook_names_no_place(path):
    """Everything is found from the package and the parameters, so any working directory will do."""
    text = "\n".join(code_cells(path))
    assert not re.search(r"os\.chdir|sys\.path|getcwd|['\"](\.\./|/|~)", text)


def test_papermill_runs_a_notebook_as_people_expect(smoke_run, tmp_path):
    """The README's command, in another working directory and with folders of its own."""
    shutil.copytree(smoke_run.data, tmp_path / "data")
    twin = ROOT / "notebooks/sensorium2022/02_train.ipynb"
    given = {"member": "2", "profile": "smoke", "data_root": "data", "output_root": "figures"}
    parameters = [word for item in given.items() for word in ("-p", *item)]
    private = {name: str(tmp_path / name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
    done = subprocess.run(
        [sys.executable, "-m", "papermill", twin, "out.ipynb", *parameters],
        cwd=tmp_path,
        env=os.environ | private,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (injected,) = tagged(jupytext.read(tmp_path / "out.ipynb"), "injected-parameters")
    assert "member = 2" in injected.source
    assert (tmp_path / "figures/sensorium2022/smoke/02_wide_member_02.png").exists()


def test_predictions_are_written_as_the_competition_wants_them(smoke_run, tmp_path):
    """Every mouse and test set gets its file; ground truth only where responses are known."""
    shutil.copytree(smoke_run.data, tmp_path / "data")
    given = {"profile": "smoke", "submission": "true", "data_root": tmp_path / "data"}
    given["output_root"] = tmp_path / "figures"
    options = [word for name, value in given.items() for word in ("-p", name, str(value))]
    notebook = ROOT / "notebooks/sensorium2022/03_predict.py"
    command = [sys.executable, "-m", "src.run", notebook, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "data/runs/sensorium2022/smoke/predictions/wide/submission"
    live, final = "submission_file_live_test.csv", "submission_file_final_test.csv"
    found = {p.name: sorted(f.name for f in p.iterdir()) for p in folder.iterdir()}
    assert found == {
        "21067-10-18": ["ground_truth_file_test.csv", live],
        "26872-17-20": [final, live],
        "27204-5-13": [final, live],
    }
    mouse = folder / "21067-10-18"
    p, r, _ = load_pair(mouse / live, mouse / "ground_truth_file_test.csv")
    units = pd.read_csv(smoke_run.output / "sensorium2022/smoke/tables/units.csv")
    ours = units[(units["model"] == "wide x 2") & (units["session"] == mouse.name)]["single"]
    np.testing.assert_allclose(single_trial_correlation(p, r), ours, atol=1e-7)
