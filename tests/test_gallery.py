"""The numbers shown are those of the committed tables, and simulated rows say so."""

import re

import pandas as pd
import pytest

from src import gallery
from src.paths import ROOT


@pytest.mark.parametrize("path", ["README.md", "figures/README.md"])
def test_pages_show_the_committed_tables(path):
    """Stale after a change of figures/gallery or of a published number: python -m src.gallery"""
    known, text = gallery.blocks()[ROOT / path], (ROOT / path).read_text()
    assert {m[2] for m in gallery.BLOCK.finditer(text)} == set(known)
    assert gallery.with_blocks(text, known) == text
    assert all(len(block.splitlines()) > 10 for block in known.values())


@pytest.mark.parametrize("path", ["README.md", "figures/README.md", "notebooks/README.md"])
def test_links_lead_somewhere(path):
    page = ROOT / path
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    local = [link for link in links if "://" not in link]
    assert len(local) > 15 and [x for x in local if not (page.parent / x).exists()] == []


def test_the_notebooks_page_names_every_notebook():
    page = (ROOT / "notebooks/README.md").read_text()
    stems = {path.stem for path in (ROOT / "notebooks").glob("*/*.py")}
    assert {stem for stem in stems if f"`{stem}`" not in page} == set()


def test_every_kept_figure_has_its_tables_and_main_scores():
    kept = {p.stem for p in gallery.GALLERY.glob("*.png")}
    assert kept == {p.stem for p in gallery.GALLERY.glob("*.csv")}
    assert kept <= {p.stem for p in (gallery.GALLERY / "results").glob("*.csv")}


def test_simulated_rows_of_the_readme_are_marked_and_never_subtracted():
    known = gallery.kept_results()
    assert set(known["data"]) == {"simulated", "recorded"}
    count = 0
    for block in gallery.results_markdown(known).strip().split("\n\n["):
        title, _, _, _, *lines = block.splitlines()
        differences = {line.strip("|").split("|")[-1].strip() for line in lines}
        assert title.endswith(("**recorded data**", "**simulated data**"))
        assert title.endswith("recorded data**") or differences <= {"", "none: simulated data"}
        count += len(lines)
    assert count == len(known)
    short = gallery.brief_markdown(known).splitlines()[2:]
    marked = [line for line in short if line.split("|")[2].startswith(" simulated")]
    assert marked and len(marked) < len(short) and not any("difference" in line for line in marked)
    assert sum(line.count("difference") for line in short) == known["difference"].notna().sum()


def test_a_short_table_holds_every_score():
    known = gallery.kept_results()
    short = gallery.brief_markdown(known)
    ours = [cell.split("|")[4].split("<br>") for cell in short.splitlines()[2:]]
    assert sum(map(len, ours)) == len(known)
    assert all(f" {score:.3f}".replace("0.", ".", 1) in short for score in known["ours"])


def test_a_simulated_run_is_called_simulated(tmp_path, monkeypatch):
    run = tmp_path / "sensorium2022" / "demo"
    (run / "tables").mkdir(parents=True)
    row = dict.fromkeys([name for name in gallery.COLUMNS if name != "track"], 0.25)
    row |= {"data": "simulated", "model": "cnn", "session": "mean of 2", "n_units": 100}
    pd.DataFrame([row, row | {"session": "21067-10-18"}]).to_csv(run / "tables/scores.csv")
    (run / "04_scores.png").write_bytes(b"png")
    monkeypatch.setattr(gallery, "GALLERY", tmp_path / "gallery")
    gallery.keep(run)
    table = gallery.scores_markdown()
    assert "| simulated | cnn | mean of 2 | 100 | 0.250 | 0.250 | 0.250 | 0.250 |" in table
    assert "21067" not in table
    assert (tmp_path / "gallery/sensorium2022_demo.png").read_bytes() == b"png"


def test_scores_of_films_name_their_track(tmp_path, monkeypatch):
    run = tmp_path / "sensorium2023" / "demo"
    (run / "tables").mkdir(parents=True)
    row = {"data": "simulated", "model": "compact", "session": "pooled", "n_units": 190}
    row |= {"track": "oracle", "single": 0.25, "avg": 0.5, "headline": True}
    rows = [row, row | {"track": "main"}, row | {"session": "90001-1-1", "headline": False}]
    pd.DataFrame(rows).to_csv(run / "tables/scores.csv")
    (run / "04_scores.png").write_bytes(b"png")
    monkeypatch.setattr(gallery, "GALLERY", tmp_path / "gallery")
    gallery.keep(run)
    table = gallery.scores_markdown()
    assert "| simulated | compact | oracle, pooled | 190 | 0.250 | 0.500 |" in table
    assert "| simulated | compact | main, pooled | 190 | 0.250 | 0.500 |" in table
    assert "90001" not in table


def test_scores_by_region_are_rows_of_the_layers_chosen(tmp_path, monkeypatch):
    run = tmp_path / "cornet" / "demo"
    (run / "tables").mkdir(parents=True)
    row = dict.fromkeys(gallery.BY_REGION, 0.25) | {"data": "simulated", "model": "cornet_z"}
    row |= {"region": "IT", "place": "V4", "n_units": 48, "headline": True, "session": "all"}
    row |= {"ci_low": 0.2, "ci_high": 0.3}
    rows = [row, row | {"place": "V1", "headline": False}, row | {"region": "V4", "ceiling": None}]
    pd.DataFrame(rows).to_csv(run / "tables/scores.csv")
    (run / "04_scores.png").write_bytes(b"png")
    monkeypatch.setattr(gallery, "GALLERY", tmp_path / "gallery")
    gallery.keep(run)
    table = gallery.scores_markdown()
    assert "### cornet, demo" in table and "| V1 |" not in table
    assert "| simulated | cornet_z | IT | V4 | 48 | 0.250 | 0.250 | 0.250 |" in table
    assert "| simulated | cornet_z | V4 | V4 | 48 | 0.250 |  | 0.250 |" in table
