"""Scores by output step and by stitching, and shares of levels, against sums written out."""

import numpy as np
import pytest
import torch

from src.correlation import pearson
from src.evaluation.lags import overlap_scores, step_scores
from src.evaluation.levels import level_table
from src.evaluation.movie_predictions import measured, movie_predictions
from src.models.encoder import Encoder
from tests.movies import MODEL, MovieFake


@pytest.fixture(scope="module")
def made():
    """A session and an encoder whose levels are not degenerate."""
    session = MovieFake()
    encoder = Encoder(MODEL, {"mouse": session}, seed=1).eval()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in encoder.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=random))
    return session, encoder


def test_each_step_is_scored_on_its_own_frames(made):
    session, encoder = made
    trials = session.trials("oracle")
    table = step_scores(encoder, session, trials, stride=4)
    assert table["lag"].tolist() == list(range(14, -1, -1))
    for step in (0, 14):
        p, r = [], []
        for trial in trials:
            last = session.lengths[trial] - 1 - 30
            first = 35 - (15 - 4)
            starts = sorted({*range(first, last, 4), last})
            batch = session.clips(np.full(len(starts), trial), np.array(starts))
            with torch.no_grad():
                p.append(encoder(batch, "mouse")[:, step].numpy())
            r.append(session.responses_of(trial)[np.array(starts) + 15 + step])
        expected = pearson(np.concatenate(p), np.concatenate(r)).mean()
        assert table["score"][step] == pytest.approx(expected, abs=1e-5)


def test_windows_end_to_end_are_the_prediction(made):
    session, encoder = made
    trials = session.trials("oracle")
    table = overlap_scores(encoder, session, trials, (15, 5)).set_index(["stride", "overlap"])
    (prediction,) = movie_predictions([encoder], session, trials, [{}], device="cpu")
    expected = pearson(prediction.values, measured(session, trials)).mean()
    assert table["score"][15, "last"] == pytest.approx(expected)
    assert len(set(table["score"])) == 4


def test_shares_add_up_to_the_prediction(made):
    session, encoder = made
    trials = session.trials("oracle")[:1]
    table = level_table(encoder, session, trials)
    assert table["level"].tolist() == [1, 2, 4] and (table["contribution"] > 0).all()
    scored = session.scored_frames(trials[0])
    starts = np.unique(np.append(np.arange(35, scored.stop - 30, 15), scored.stop - 30))
    batch = session.clips(np.full(len(starts), trials[0]), starts)
    readout = encoder.readouts["mouse"]
    with torch.no_grad():
        x = encoder.features(batch, "mouse", None)
        levels = readout.levels(x, encoder.shift(batch, "mouse")[:, -15:])
        weights = readout.weights(levels)
        y = sum(w * level for w, level in zip(weights, levels, strict=True)) + readout.bias
    torch.testing.assert_close(y, encoder.linear(batch, "mouse"))
    for row, weight, level in zip(table.itertuples(), weights, levels, strict=True):
        assert row.weight == pytest.approx(weight.mean().item(), rel=1e-5)
        spread = (weight * level).flatten(0, 1).std(0, correction=0).mean().item()
        assert row.contribution == pytest.approx(spread, rel=1e-4)
