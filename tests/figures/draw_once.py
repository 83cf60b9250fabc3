"""Draw and save one figure: `python draw_once.py PATH`."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd

from src.figures.panels import learning_curve
from src.figures.style import mark_simulated, use_style
from src.manifest import save_figure


def draw(path: Path) -> None:
    use_style()
    figure, axis = plt.subplots()
    history = pd.DataFrame({"epoch": [1, 2, 3], "validation": [0.1, 0.3, 0.2]})
    learning_curve(axis, history.assign(learning_rate=[1, 1, 0.3]), "cnn")
    axis.set_title("déjà vu: µm")
    mark_simulated(figure)
    save_figure(figure, path)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
