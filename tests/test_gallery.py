"""The README's numbers are those of the committed tables, and simulated rows say so."""

import pandas as pd

from src import gallery


def test_readme_shows_the_committed_tables():
    block = gallery.BLOCK.search(gallery.README.read_text())[0]
    assert gallery.results_markdown().strip() in block


def test_a_simulated_run_is_called_simulated(tmp_path, monkeypatch):
    run = tmp_path / "sensorium2022" / "demo"
    (run / "tables").mkdir(parents=True)
    row = dict.fromkeys([name for name in gallery.COLUMNS if name != "track"], 0.25)
    row |= {"data": "simulated", "model": "cnn", "session": "mean of 2", "n_units": 100}
    pd.DataFrame([row, row | {"session": "21067-10-18"}]).to_csv(run / "tables/scores.csv")
    (run / "04_scores.png").write_bytes(b"png")
    monkeypatch.setattr(gallery, "GALLERY", tmp_path / "gallery")
    gallery.keep(run)
    table = gallery.results_markdown()
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
    table = gallery.results_markdown()
    assert "| simulated | compact | oracle, pooled | 190 | 0.250 | 0.500 |" in table
    assert "| simulated | compact | main, pooled | 190 | 0.250 | 0.500 |" in table
    assert "90001" not in table


def test_scores_by_region_are_rows_of_the_layers_chosen(tmp_path, monkeypatch):
    run = tmp_path / "cornet" / "demo"
    (run / "tables").mkdir(parents=True)
    row = dict.fromkeys(gallery.BY_REGION, 0.25) | {"data": "simulated", "model": "cornet_z"}
    row |= {"region": "IT", "place": "V4", "n_units": 48, "headline": True, "session": "all"}
    rows = [row, row | {"place": "V1", "headline": False}, row | {"region": "V4", "ceiling": None}]
    pd.DataFrame(rows).to_csv(run / "tables/scores.csv")
    (run / "04_scores.png").write_bytes(b"png")
    monkeypatch.setattr(gallery, "GALLERY", tmp_path / "gallery")
    gallery.keep(run)
    table = gallery.results_markdown()
    assert "**cornet, demo**" in table and "| V1 |" not in table
    assert "| simulated | cornet_z | IT | V4 | 48 | 0.250 | 0.250 | 0.250 |" in table
    assert "| simulated | cornet_z | V4 | V4 | 48 | 0.250 |  | 0.250 |" in table
