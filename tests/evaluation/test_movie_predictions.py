"""Predictions of films, a row a frame: ids, values, scores, and the way back to trials."""

import numpy as np
import pytest

from src.evaluation.ensemble import combine
from src.evaluation.metrics import correlation_to_average, single_trial_correlation
from src.evaluation.movie_predictions import by_trial, measured, movie_predictions
from src.evaluation.prediction import align, load_prediction, save_prediction
from src.models.encoder import Encoder
from src.models.stitching import predicted_trials, stitcher_of
from tests.movies import MODEL, MovieFake


@pytest.fixture(scope="module")
def made():
    """A session, its oracle trials, and what two members predict for them."""
    session = MovieFake()
    encoders = [Encoder(MODEL, {"mouse": session}, seed=s).eval() for s in (1, 2)]
    trials = session.trials("oracle")
    own = [{"member": 1}, {"member": 2}]
    return (
        session,
        trials,
        encoders,
        movie_predictions(encoders, session, trials, own, device="cpu"),
    )


def test_rows_are_frames_of_trials(made, tmp_path):
    session, trials, encoders, predictions = made
    parts = list(predicted_trials(encoders, session, trials, stitcher_of(encoders[0])))
    for k, prediction in enumerate(predictions):
        assert len(prediction.values) == sum(session.lengths[trials] - 51)
        pieces = list(by_trial(prediction))
        for trial, (name, frames, values), (span, expected) in zip(
            trials, pieces, parts, strict=True
        ):
            assert name == session.trial_ids[trial] and frames.tolist() == list(span)
            np.testing.assert_array_equal(values, expected[k])
        assert prediction.provenance["member"] == k + 1
        assert prediction.provenance["frame_policy"] == "official"
    loaded = load_prediction(save_prediction(predictions[0], tmp_path / "mouse.npz"))
    rows = np.random.default_rng(0).permutation(len(loaded.trial_ids))
    shuffled = align(loaded, loaded.trial_ids[rows], loaded.unit_ids[::-1])
    np.testing.assert_array_equal(shuffled, predictions[0].values[rows][:, ::-1])


def test_scores_over_rows_are_those_over_trials_and_frames(made):
    session, trials, _, predictions = made
    mean = combine(predictions)
    np.testing.assert_allclose(
        mean.values, (predictions[0].values + predictions[1].values) / 2, 1e-6
    )
    responses = measured(session, trials)
    written = [session.responses_of(t)[50 : session.lengths[t] - 1] for t in trials]
    np.testing.assert_array_equal(responses, np.concatenate(written))
    single = single_trial_correlation(mean.values, responses)
    expected = [np.corrcoef(mean.values[:, u], responses[:, u])[0, 1] for u in range(9)]
    np.testing.assert_allclose(single, expected, atol=1e-4)
    frames = mean.image_ids % 512  # both trials show one film, so repeats are equal frames
    shared = [f for f in range(50, session.lengths[trials].max()) if (frames == f).sum()]
    means = [
        np.stack([x[frames == f].mean(0, float) for f in shared]) for x in (mean.values, responses)
    ]
    averaged = [np.corrcoef(means[0][:, u], means[1][:, u])[0, 1] for u in range(9)]
    found = correlation_to_average(mean.values, responses, mean.image_ids)
    np.testing.assert_allclose(found, averaged, atol=1e-4)


class Longer(MovieFake):
    """One frame more counts with the policy "full"."""

    def scored_frames(self, trial, policy=""):
        return slice(50, int(self.lengths[trial]) - (policy != "full"))


@pytest.mark.parametrize("overlap", ["last", "mean"])
def test_frames_of_another_policy_are_added_and_change_none(overlap):
    session = Longer()
    encoder = Encoder(MODEL, {"mouse": session}, seed=1).eval()
    given = [encoder], session, session.trials("oracle"), stitcher_of(encoder, 5, overlap)
    pairs = zip(predicted_trials(*given), predicted_trials(*given, whole=True), strict=True)
    for (frames, values), (all_frames, more) in pairs:
        assert all_frames == range(frames.start, frames.stop + 1)
        np.testing.assert_array_equal(more[:, : len(frames)], values)
