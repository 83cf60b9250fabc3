"""Figures in the style of the house, on no screen, closed after each test."""

import matplotlib
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt

from src.figures.style import use_style


@pytest.fixture(autouse=True)
def house_style():
    with matplotlib.rc_context():
        use_style()
        yield
    plt.close("all")


@pytest.fixture
def axis():
    return plt.subplots(figsize=(4.5, 3.5))[1]
