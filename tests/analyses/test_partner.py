"""One mouse as a model of another: found by shared films, exact where responses are linear."""

from types import SimpleNamespace

import numpy as np
import pytest

from src.analyses.partner import fit_partner, partners, predict_from_partner
from src.config import InputConfig
from src.correlation import pearson
from src.data.errors import DataError
from src.data.movie_leaks import shared_videos
from src.data.movies import open_movie_sessions
from src.evaluation.movie_predictions import measured

PUBLIC, SCORED = "90001-1-1", "90011-2-1"


def fake(responses, films, tiers, key):
    """Trials in memory, in the part of a MovieSession's interface that is used."""
    films, tiers = np.array(films), np.array(tiers)
    return SimpleNamespace(
        key=key,
        n_units=responses[0].shape[1],
        unit_ids=np.arange(responses[0].shape[1]),
        trial_ids=np.arange(len(films)).astype(str),
        video_sha256=films,
        image_ids=np.unique(films, return_inverse=True)[1],
        trials=lambda tier: np.flatnonzero(tiers == tier),
        withheld_trials=lambda trials: np.zeros(len(trials), bool),
        responses_of=lambda i: responses[i],
        scored_frames=lambda i, _policy="": slice(50, len(responses[i]) - 1),
    )


def test_a_linear_copy_of_the_partner_is_predicted_exactly():
    draw = np.random.default_rng(0)
    mix = draw.normal(size=(6, 3))
    films, tiers = [f"{i}" for i in range(12)], ["train"] * 10 + ["oracle"] * 2
    theirs = [draw.gamma(1, 1, (120, 6)) for _ in films]
    ours = [np.vstack([x[:1], x[:-1]]) @ mix for x in theirs]  # one frame later
    session, partner = fake(ours, films, tiers, "ours"), fake(theirs, films, tiers, "theirs")
    found = predict_from_partner(
        fit_partner(session, partner), session, partner, np.array([10, 11])
    )
    assert pearson(found.values, measured(session, np.array([10, 11]))).min() > 0.999
    with pytest.raises(DataError, match="has no responses to film other"):
        lost = fake(ours, [*films[:11], "other"], tiers, "ours")
        predict_from_partner(fit_partner(session, partner), lost, partner, np.array([11]))
    alone = fake(ours, [f"x{i}" for i in range(12)], tiers, "alone")
    with pytest.raises(DataError, match="share 0 training films"):
        fit_partner(alone, partner)


def test_partners_are_found_and_their_tests_are_public(films):
    sessions = open_movie_sessions(films.processed, InputConfig(scale="full"))
    assert partners(shared_videos(sessions), sessions) == {SCORED: PUBLIC}
    fit = fit_partner(sessions[SCORED], sessions[PUBLIC])
    trials = sessions[SCORED].trials("oracle")
    made = predict_from_partner(fit, sessions[SCORED], sessions[PUBLIC], trials)
    assert made.values.shape == (249 * len(trials), sessions[SCORED].n_units)
    assert np.isfinite(made.values).all()
