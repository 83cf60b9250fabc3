"""Panels of a search show every trial, by how it ended."""

import numpy as np
import pandas as pd

from src.figures import panels

TRIALS = pd.DataFrame(
    {
        "trial": [0, 1, 2, 3],
        "state": ["complete", "pruned", "diverged", "complete"],
        "score": [0.1, 0.05, np.nan, 0.3],
        "best": [0.1, 0.1, 0.1, 0.3],
        "learning_rate": [1e-5, 1e-4, 1e-1, 1e-3],
        "jitter": [1, 4, 2, 3],
    }
)


def test_every_trial_is_a_mark_by_how_it_ended(axis):
    panels.trial_scores(axis, TRIALS, "learning_rate")
    drawn = {c.get_label(): np.asarray(c.get_offsets()).tolist() for c in axis.collections}
    assert drawn == {
        "complete": [[1e-5, 0.1], [1e-3, 0.3]],
        "pruned": [[1e-4, 0.05]],
        "diverged": [[1e-1, 0.0]],
    }
    assert axis.get_xscale() == "log" and axis.get_xlabel() == "learning rate"


def test_values_within_two_decades_are_drawn_as_they_are(axis):
    panels.trial_scores(axis, TRIALS, "jitter")
    assert axis.get_xscale() == "linear"


def test_the_best_so_far_is_a_step(axis):
    panels.best_so_far(axis, TRIALS)
    trials, best = axis.lines
    assert best.get_drawstyle() == "steps-post"
    np.testing.assert_array_equal(best.get_xydata(), TRIALS[["trial", "best"]])
    np.testing.assert_array_equal(trials.get_xydata(), TRIALS[["trial", "score"]])
