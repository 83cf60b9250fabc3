"""Shares of units one model wins: all, none, and what a coin gives."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from src.analyses.wins import together, wins

RNG = np.random.default_rng(0)
IDS = np.repeat(np.arange(30), 3)
SIGNAL = RNG.normal(size=(30, 40))[IDS]
RESPONSES = SIGNAL + RNG.normal(size=SIGNAL.shape)


def compared(noise_first, noise_second, seed=1):
    models = (SIGNAL + k * RNG.normal(size=(30, 40))[IDS] for k in (noise_first, noise_second))
    return wins(*models, RESPONSES, IDS, 50, np.random.default_rng(seed))


def test_the_better_model_wins_and_a_coin_does_not():
    found = compared(2.0, 0.5)
    row = found.row(np.ones(40, bool))
    assert row["score"] > 85 and row["low"] > 70 and row["low"] <= row["score"] <= row["high"]
    assert row["chance_low"] < 50 < row["chance_high"] < row["low"]
    reverse = compared(0.5, 2.0).row(np.ones(40, bool))
    assert reverse["score"] < 15


def test_observed_wins_are_those_of_scipy():
    first, second = (SIGNAL + RNG.normal(size=SIGNAL.shape) for _ in range(2))
    found = wins(first, second, RESPONSES, IDS, 3, np.random.default_rng(0))
    theirs = [
        pearsonr(second[:, u], RESPONSES[:, u])[0] > pearsonr(first[:, u], RESPONSES[:, u])[0]
        for u in range(40)
    ]
    np.testing.assert_array_equal(found.observed, theirs)


def test_equal_models_never_win():
    found = wins(SIGNAL, SIGNAL, RESPONSES, IDS, 5, np.random.default_rng(0))
    assert not (found.observed.any() or found.drawn.any() or found.swapped.any())
    apart = wins(SIGNAL, SIGNAL, RESPONSES, IDS, 50, np.random.default_rng(0), over="trials")
    assert 0.4 < apart.drawn.mean() < 0.6  # as published: each drawn by itself


def test_sessions_are_put_side_by_side():
    a, b = compared(1, 1), compared(2.0, 0.2)
    both = together([a, b])
    assert both.drawn.shape == (50, 80)
    first = np.arange(80) < 40
    assert both.row(first) == pytest.approx(a.row(np.ones(40, bool)))
