"""Main scores meet published numbers, and differ from them only where both are of the same data."""

import math
from contextlib import redirect_stdout
from io import StringIO
from types import SimpleNamespace

import jupytext
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from src import contents, manifest, results, summary
from src.data.errors import DataError
from src.paths import ROOT
from src.studies import STUDIES
from src.studies.main_scores import MAIN_SCORES

MOUSE = "21067-10-18"


def write_run(root, study, run, scores, **tables):
    """Tables of a run as its 04_evaluate leaves them."""
    folder = root / study / run / "tables"
    folder.mkdir(parents=True)
    for name, rows in {"scores": scores, **tables}.items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)


def mice(data):
    """Two rows of scores of SENSORIUM 2022, and the interval of one."""
    row = {"data": data, "model": "cnn", "n_units": 48, "single": 0.25, "avg": 0.6, "feve": None}
    ends = {"model": "cnn", "metric": "avg", "session": MOUSE, "score": 0.6}
    return (
        [row | {"session": MOUSE}, row | {"session": "mean of 2", "avg": 0.5}],
        [ends | {"low": 0.55, "high": 0.65}],
    )


def table_of(root, study, run):
    found = results.results_table(root, [(study, run)])
    return found.set_index(["model", "scored on", "metric"])


def test_a_recorded_score_stands_beside_the_published_one_and_its_difference(tmp_path):
    scores, intervals = mice("recorded")
    write_run(tmp_path, "sensorium2022", "full", scores, intervals=intervals)
    table = table_of(tmp_path, "sensorium2022", "full")
    row = table.loc["cnn", MOUSE, "r, mean of repeats"]
    assert (row["ours"], row["low"], row["high"]) == (0.6, 0.55, 0.65)
    assert (row["published"], row["status"]) == (0.542, "stored output")
    assert row["difference"] == pytest.approx(0.058) and row["no difference"] == ""
    mean = table.loc["cnn", "mean of 2", "r, mean of repeats"]
    assert mean["ours"] == 0.5 and pd.isna(mean[["low", "published", "difference"]]).all()
    assert "FEVE" not in table.index.get_level_values("metric")  # no value, no row


@pytest.mark.parametrize("run", ["demo", "full"])
def test_simulated_data_differ_by_nothing(tmp_path, run):
    scores, intervals = mice("simulated")
    write_run(tmp_path, "sensorium2022", run, scores, intervals=intervals)
    row = table_of(tmp_path, "sensorium2022", run).loc["cnn", MOUSE, "r, mean of repeats"]
    assert row["published"] == 0.542 and math.isnan(row["difference"])
    assert row["no difference"] == "simulated data"


def test_a_recording_of_ones_own_has_no_literature(tmp_path):
    scores, _ = mice("recorded")
    write_run(tmp_path, "sensorium2022", "mine", scores)
    table = table_of(tmp_path, "sensorium2022", "mine")
    assert len(table) == 3 and table[["published", "difference", "low"]].isna().all(axis=None)


def test_numbers_of_another_split_are_not_subtracted(tmp_path):
    row = {"data": "recorded", "model": "gnet8j", "session": "subj01", "n_units": 9}
    for profile, difference in (("full", None), ("legacy", 0.039)):
        write_run(tmp_path, "nsd_gnet", profile, [row | {"single": 0.3, "single_median": 0.4}])
        (found,) = table_of(tmp_path, "nsd_gnet", profile).to_dict("records")
        assert found["published"] == 0.361
        expected = difference or pytest.approx(math.nan, nan_ok=True)
        assert found["difference"] == pytest.approx(expected, nan_ok=True)
        assert ("trained on" in found["no difference"]) == (profile == "full")


def test_an_interval_of_another_score_is_not_taken(tmp_path):
    """Intervals of films name no track, and may be of other frames."""
    row = {"data": "recorded", "model": "linear", "session": "mean of 2", "n_units": 9}
    row |= {"frames": "official", "track": "main", "single": 0.2}
    ends = {"model": "linear", "metric": "single", "session": "mean of 2", "low": 0.1, "high": 0.3}
    for name, score in (("a", 0.2), ("b", 0.21)):
        write_run(tmp_path, "sensorium2023", name, [row], intervals=[ends | {"score": score}])
        (found,) = table_of(tmp_path, "sensorium2023", name).to_dict("records")
        assert math.isnan(found["low"]) == (name == "b")


def test_a_score_named_for_a_run_stands_in_place_of_the_general_one(tmp_path):
    row = {"data": "recorded", "model": "compact", "session": "mean of 1", "n_units": 1}
    write_run(
        tmp_path,
        "sensorium2023",
        "lgn",
        [row | {"frames": "official", "track": "main", "single": 0.8}],
    )
    (found,) = table_of(tmp_path, "sensorium2023", "lgn").to_dict("records")
    assert found["system"] == "ridge on 12 frames"
    assert found["difference"] == pytest.approx(0.053)


def test_a_table_must_say_whether_its_data_are_simulated(tmp_path):
    write_run(
        tmp_path,
        "nsd_gnet",
        "v1_bold",
        [],
        **{"10_agreement": [{"of": "x", "r": 0.9, "low": 0, "high": 1}]},
    )
    (tmp_path / "nsd_gnet/v1_bold/tables/scores.csv").unlink()
    with pytest.raises(DataError, match=r"10_agreement.csv: no column data"):
        results.run_scores(tmp_path, "nsd_gnet", "v1_bold")


def test_no_run_is_no_row(tmp_path):
    assert results.results_table(tmp_path, [("cornet", "demo")]).empty
    assert list(results.runs_of(tmp_path)) == []


@pytest.mark.parametrize("study", STUDIES)
def test_main_scores_name_what_is_published_and_where_it_may_be_compared(study):
    for one in MAIN_SCORES[study]:
        if one.beside and not one.runs:
            assert one.beside in STUDIES[study].published
            assert set(one.alike) <= set(STUDIES[study].profiles)
            assert not {STUDIES[study].profile(name).simulation for name in one.alike} - {None}
        assert not one.beside or (one.beside.source and one.beside.status)
    assert any(one.beside for one in MAIN_SCORES[study]) and any(
        s.brief for s in MAIN_SCORES[study]
    )


@pytest.mark.parametrize("study", STUDIES)
def test_every_notebook_asks_one_question(study, tmp_path):
    found = contents.chapters(study, tmp_path)
    assert [c.stem for c in found] == sorted(c.stem for c in found) and found[0].stem[:2] == "04"
    assert all("?" in c.question and c.title.startswith(c.stem[:2]) for c in found)
    page = contents.contents_markdown(found, tmp_path)
    assert found[-1].stem in page and "![" not in page


def run_cells(path, **parameters):
    """Run a notebook's cells here: a smoke run of all studies runs them in a kernel."""
    names = {}
    for cell in jupytext.read(path).cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
            names |= parameters if "parameters" in cell.metadata.get("tags", []) else {}
    plt.close("all")


@pytest.fixture(scope="module")
def summarized(tmp_path_factory):
    """Both notebooks of the summary, run where one study has results and figures."""
    root = tmp_path_factory.mktemp("figures")
    scores, intervals = mice("simulated")
    write_run(root, "sensorium2022", "demo", scores, intervals=intervals)
    drawn = (ROOT / "figures/gallery/sensorium2022_demo.png").read_bytes()
    for name in ("04_ceiling", "04_scores", "06_maps"):
        (root / f"sensorium2022/demo/{name}.png").write_bytes(drawn)
    said = {}
    for stem in ("01_results_table", "02_figure_gallery"):
        with redirect_stdout(StringIO()) as out:
            run_cells(ROOT / f"notebooks/summary/{stem}.py", output_root=str(root))
        said[stem] = out.getvalue()
    return SimpleNamespace(folder=root / "summary/demo", said=said)


def test_the_summary_has_what_was_run_and_names_what_was_not(summarized):
    table = pd.read_csv(summarized.folder / "tables/results.csv")
    assert list(table) == results.COLUMNS and len(table) == 3
    assert set(table["study"]) == {"sensorium2022"}
    told = summarized.said["01_results_table"].splitlines()
    assert "cornet: no scores; bash run_all.sh --profile demo --study cornet makes them" in told
    assert len(told) == len(STUDIES) - 1 and (summarized.folder / "01_results.png").exists()


def test_the_gallery_links_figures_that_exist(summarized):
    page = (summarized.folder / "gallery.md").read_text()
    links = [part.split(")")[0] for part in page.split("](")[1:]]
    assert len(links) == 3 and all((summarized.folder / link).exists() for link in links)
    assert links[0].endswith("04_scores.png")
    assert page.count("Not drawn in this run: ") == len(STUDIES)
    assert [p.name for p in summarized.folder.glob("02_*.png")] == ["02_sensorium2022.png"]


def test_a_run_of_all_studies_ends_with_the_summary(summarized):
    record = {"title": "All studies", "notebooks": [{"seconds": 60, "peak_memory_mb": 9}]}
    record["notebooks"][0]["outputs"] = [str(p) for p in summarized.folder.rglob("*.*")]
    manifests = [
        summarized.folder / "manifest.json",
        summarized.folder.parents[1] / "cornet/demo/manifest.json",
    ]
    for path in manifests:
        path.parent.mkdir(parents=True, exist_ok=True)
        manifest.save_json(record, path)
    lines = list(summary.all_lines(manifests))
    assert sum(line.startswith("sensorium2022  simulated  cnn") for line in lines) == 3
    assert any("02_sensorium2022.png" in line for line in lines)
    assert lines[-1].endswith("gallery.md")
    assert not any("gallery.md" in line for line in summary.all_lines(manifests[1:]))
