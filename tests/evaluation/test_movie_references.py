"""References of films: a linear cortex is found, one that answers late or to nothing is not."""

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from scipy.special import xlogy

from src.correlation import pearson
from src.evaluation.movie_references import FILMS, GRID, reference_results
from src.evaluation.movie_results import MovieResults, frame_rows, unit_table
from src.studies import STUDIES
from tests.movies import MovieFake


def cortex(lag):
    """A mouse whose units are linear in the grid, `lag` frames late, and its test rows."""
    session = MovieFake(n_units=6, n_trials=30)
    session.lengths[:] = 72  # of repeats of a film too
    videos = torch.from_numpy(session.videos[:, 0])
    seen = F.adaptive_avg_pool2d(videos, GRID).flatten(2).numpy()
    weights = np.random.default_rng(0).normal(size=(seen.shape[2], 6))
    session.truth = (np.roll(seen, lag, 1) @ weights + 40).astype(np.float32)
    session.mean_response = session.truth.mean((0, 1))
    trials = session.trials("oracle")
    rows, _ = frame_rows(session, trials)
    r = np.concatenate([session.truth[i, session.scored_frames(i)] for i in trials])
    return session, MovieResults("a", rows, np.full(len(r), "natural"), session.unit_ids, r, {})


@pytest.mark.parametrize("lag", [0, 3])
def test_a_linear_map_of_the_frame_finds_what_answers_at_once(lag):
    session, found = cortex(lag)
    assert len(session.trials("train")) < FILMS  # all are used
    made = reference_results(found, session).predictions
    scores = pearson(made["frame shown"], found.responses)
    assert (scores > 0.99).all() if lag == 0 else (np.abs(scores) < 0.6).all()


def test_the_mean_response_scores_0_and_its_loss_is_that_of_the_rate():
    session, found = cortex(0)
    table = unit_table([reference_results(found, session)], seed=0)
    means = table[table["model"] == "mean response"]
    assert (means["single"] == 0).all()
    rates = session.mean_response
    loss = (rates - xlogy(found.responses, rates)).mean(0)
    np.testing.assert_allclose(means["poisson"], loss, rtol=1e-5)


def test_every_model_of_the_smoke_run_beats_both_references(smoke_run):
    """Specification sensorium2023, 14: by its score, and by the loss that it was trained for."""
    tables = smoke_run.output / "sensorium2023/smoke/tables"
    found = pd.read_csv(tables / "references.csv").set_index("model")
    references = found.loc[["mean response", "frame shown"]]
    trained = found.drop(references.index)
    main = STUDIES["sensorium2023"].profile("smoke").main
    assert set(trained.index) == {plan.model.name for plan in main}
    assert trained["single"].min() > references["single"].max()
    assert trained["poisson"].max() < references["poisson"].min()
    members = pd.read_csv(tables / "ensemble_members.csv").set_index("members")
    assert members["worst"][1] > references["single"].max()
