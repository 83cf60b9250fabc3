"""What is printed at a run's end, also where only a part of the notebooks was run."""

import subprocess
import sys

import pytest

from src import manifest, summary
from src.paths import ROOT


@pytest.fixture
def run(tmp_path):
    """A run of one notebook, which wrote a table of scores and a figure."""
    folder = tmp_path / "cornet/demo"
    (folder / "tables").mkdir(parents=True)
    table, figure = folder / "tables/scores.csv", folder / "04_scores.png"
    table.write_text("model,session,single\nsmall,a,0.25\n")
    figure.write_bytes(b"")
    notebook = {"seconds": 60, "peak_memory_mb": 9, "outputs": [str(table), str(figure)]}
    record = {"title": "CORnets", "notebooks": [notebook]}
    return manifest.save_json(record, folder / "manifest.json")


def test_scores_figures_and_cost_are_told(run):
    lines = list(summary.all_lines([run]))
    assert "small  a        0.250" in lines and any("04_scores.png" in line for line in lines)
    assert "\n1 notebooks, 1.0 minutes together, 9 MB at most" in lines
    assert not any("not there yet" in line for line in lines)


def test_what_a_part_of_a_run_did_not_make_is_one_line(run):
    """No manifest, of one study or of all, whose pattern the shell hands over as it is."""
    absent = [run.parents[2] / study / "demo/manifest.json" for study in ("nsd_gnet", "*")]
    command = [sys.executable, "-m", "src.summary"]
    for path in absent:
        done = subprocess.run([*command, path], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{path}: not there yet; the same command without --until")
        assert done.stdout.count("\n") == 1
    told = list(summary.all_lines([*absent, run]))
    assert told[0].startswith(f"{absent[0]}, {absent[1]}: not there yet")
    assert told[1:] == list(summary.all_lines([run]))


def test_a_table_that_is_gone_is_named(run):
    table = run.parent / "tables/scores.csv"
    table.unlink()
    assert [line for line in summary.all_lines([run]) if str(table) in line] == [
        f"{table}: not there yet; the same command without --until or the like makes it"
    ]
