"""The look of figures: fonts, colors, the note on simulated data, the same bytes every time."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.layout_engine import ConstrainedLayoutEngine

from src.figures.style import INK, MODEL_COLORS, mark_simulated, model_color
from src.manifest import save_figure
from src.paths import ROOT
from src.studies import STUDIES

SCRIPT = Path(__file__).with_name("draw_once.py")


def test_font_is_one_that_matplotlib_brings():
    assert matplotlib.rcParams["font.family"] == ["DejaVu Sans"]
    plt.subplots()[0].canvas.draw()  # a missing font would warn, and warnings are errors


def test_models_have_colors_of_their_own():
    assert len(set(MODEL_COLORS.values())) == len(MODEL_COLORS)
    assert {"ln", "cnn", "wide", "ensemble"} <= set(MODEL_COLORS)
    assert model_color("wide x 10") == MODEL_COLORS["ensemble"] != model_color("wide")
    assert model_color("a model nobody planned") not in MODEL_COLORS.values()


def test_models_of_films_have_colors_of_their_own():
    plans = STUDIES["sensorium2023"].profile("demo").plans
    drawn = [model_color(p.model.name) for p in plans if not p.question]
    assert len(set(drawn)) == len(drawn) == 4 and INK not in drawn


def test_model_colors_stay_apart_without_red_and_green():
    """Simulated deuteranopia (Machado et al. 2009, severity 1), distance in RGB."""
    deuteranopia = np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    )
    seen = [deuteranopia @ to_rgb(MODEL_COLORS[m]) for m in ("ln", "cnn", "wide", "ensemble")]
    for i, a in enumerate(seen):
        for b in seen[:i]:
            assert np.linalg.norm(a - b) > 0.15


@pytest.mark.parametrize("size", [(3.8, 3.6), (9, 3), (9, 8)])
def test_simulated_data_are_marked_below_the_panels(size):
    figure, axes = plt.subplots(1, 2, figsize=size)
    for axis in axes:
        axis.set(xlabel="a label", ylabel="another")
    mark_simulated(figure)
    figure.canvas.draw()
    (note,) = figure.texts
    assert note.get_text() == "simulated data"
    box = note.get_window_extent()
    assert figure.bbox.containsx(box.x0) and figure.bbox.containsx(box.x1) and box.y0 > 0
    for axis in axes:
        assert axis.get_tightbbox().y0 >= box.y1 - 1


def test_same_figure_gives_the_same_bytes_in_another_process(tmp_path):
    here, there = tmp_path / "here.png", tmp_path / "there.png"
    runpy.run_path(str(SCRIPT))["draw"](here)
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, SCRIPT, there], env=environment, check=True)
    for suffix in (".png", ".pdf"):
        assert here.with_suffix(suffix).read_bytes() == there.with_suffix(suffix).read_bytes()


def test_saving_a_figure_leaves_png_and_pdf(axis, tmp_path):
    axis.plot([1, 2])
    path = tmp_path / "a.png"
    save_figure(axis.figure, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pdf", "a.png"]


class LastBit(ConstrainedLayoutEngine):
    """Constrained layout whose solver rounded the other way."""

    def execute(self, figure):
        super().execute(figure)
        for axis in figure.axes:
            bounds = axis.get_position(original=True).bounds
            axis._set_position([x + 1e-13 for x in bounds], which="original")


def test_last_bits_of_the_layout_do_not_reach_the_file(tmp_path):
    saved = {}
    for engine in ("constrained", LastBit()):
        figure, axes = plt.subplots(2, 2, layout=engine)
        for axis in axes.flat:
            points = axis.scatter(*np.random.default_rng(0).random((2, 2000)), c=np.arange(2000))
            axis.set(xlabel="a label", ylabel="another", title="a title")
        figure.colorbar(points, ax=axes)
        save_figure(figure, path := tmp_path / "a.png")
        saved[engine] = path.with_suffix(".pdf").read_bytes(), path.read_bytes()
    first, second = saved.values()
    assert first == second


def test_what_else_is_not_real_is_said_aloud():
    figure, _ = plt.subplots(figsize=(3.8, 3))
    mark_simulated(figure, "random prefilter, not AlexNet's")
    figure.canvas.draw()
    (note,) = figure.texts
    assert note.get_text() == "RANDOM PREFILTER, NOT ALEXNET'S   simulated data"
    assert note.get_window_extent().x0 > 0
