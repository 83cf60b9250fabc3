"""Scores of films against published outputs, scipy, brute force and the simulator's truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from src.config import InputConfig
from src.correlation import pearson
from src.data.errors import DataError
from src.data.movies import open_movie_sessions
from src.evaluation import movie_metrics as metrics
from src.evaluation.movie_metrics import FrameRows
from src.evaluation.movie_results import (
    by_stimulus,
    frame_rows,
    load_movie_results,
    movie_comparisons,
    movie_intervals,
    published_table,
    results_of,
    summary,
    unit_table,
)
from src.evaluation.prediction import Prediction, save_prediction
from src.seeds import numpy_stream
from src.simulate.movie_truth import load_movie_truth
from src.studies import STUDIES

TIERS = ("oracle", "live_test_main", "live_test_bonus", "final_test_main", "final_test_bonus")


def repeated(videos=3, repeats=4, frames=40, units=5, noise=1.0, seed=0):
    """Rows, predictions and responses of repeated films, of unequal numbers of repeats."""
    draw = np.random.default_rng(seed)
    signal = draw.normal(size=(videos, frames, units))
    trials, r, p = [], [], []
    for v in range(videos):
        for _ in range(repeats + v):
            trials.append(v)
            r.append(signal[v] + noise * draw.normal(size=(frames, units)))
            p.append(signal[v] + 0.5 * draw.normal(size=(frames, units)))
    order = draw.permutation(len(trials))
    video = np.repeat(np.array(trials)[order] + 100, frames)
    rows = FrameRows(
        np.repeat(order, frames), video, np.tile(np.arange(50, 50 + frames), len(order))
    )
    return rows, np.concatenate([p[i] for i in order]), np.concatenate([r[i] for i in order])


def test_single_trial_correlation_equals_the_published(shared):
    path = shared / "fixtures/sensorium2023/dynamic_vfm_outputs.npz"
    if not path.is_file():
        pytest.skip("no stored outputs of the published model")
    with np.load(path) as stored:
        responses, output, value = (stored[f"corr.{n}"] for n in ("responses", "output", "value"))
    target = responses.transpose(0, 2, 1)[:, 15:].reshape(-1, responses.shape[1])
    found = pearson(output.reshape(target.shape), target)
    np.testing.assert_allclose(found, value, atol=1e-6)
    assert found[4] == 0


def test_averages_equal_loops_over_videos_and_repeats():
    rows, p, r = repeated()
    means = {}
    for v in np.unique(rows.videos):
        trials = [rows.trials == t for t in np.unique(rows.trials[rows.videos == v])]
        means[v] = [np.mean([x[t] for t in trials], axis=0) for x in (p, r)]
    both = [np.concatenate([m[k] for m in means.values()]) for k in (0, 1)]
    wanted = [np.corrcoef(both[0][:, u], both[1][:, u])[0, 1] for u in range(5)]
    np.testing.assert_allclose(metrics.average_concatenated(p, r, rows), wanted, atol=1e-7)
    each = [[np.corrcoef(a[:, u], b[:, u])[0, 1] for u in range(5)] for a, b in means.values()]
    np.testing.assert_allclose(metrics.average_per_video(p, r, rows), np.mean(each, 0), atol=1e-7)


def test_signal_power_of_a_known_signal():
    """Closed form: of repeats s + noise, SP is the variance of s."""
    draw = np.random.default_rng(1)
    signal = draw.normal(0, 1.5, (4000, 3)) * [1, 2, 0]
    repeats = signal + draw.normal(0, 2, (8, 4000, 3))
    found = metrics.signal_power(repeats)
    np.testing.assert_allclose(found, signal.var(0, ddof=1), atol=0.12)
    assert np.isnan(metrics.signal_power(repeats[:1])).all()


def test_cc_norm_of_the_signal_itself_is_1_and_without_signal_unknown():
    draw = np.random.default_rng(2)
    signal = draw.normal(size=(3000, 2)) * [1, 0]
    r = signal + draw.normal(size=(10, 3000, 2))
    r[:, :, 1] -= r[:, :, 1].mean(0)  # not even by chance do repeats agree
    found = metrics.normalized_correlation(np.broadcast_to(signal, r.shape), r)
    assert found[0] == pytest.approx(1, abs=0.02) and np.isnan(found[1])
    half = metrics.normalized_correlation(signal + draw.normal(size=(3000, 2)) + 0 * r, r)
    assert half[0] == pytest.approx(np.sqrt(0.5), abs=0.03)
    rows, p, r = repeated(noise=0.5)
    each = []
    for v in np.unique(rows.videos):
        trials = [rows.trials == t for t in np.unique(rows.trials[rows.videos == v])]
        pair = (np.stack([x[t] for t in trials]) for x in (p, r))
        each.append(metrics.normalized_correlation(*pair))
    np.testing.assert_allclose(metrics.cc_norm(p, r, rows), np.mean(each, 0))


def test_reliability_of_halves_is_that_of_all_repeats():
    """Signal 1 and noise n^2 over k repeats: reliability 1 / (1 + n^2 / k)."""
    rows, _, r = repeated(videos=1, repeats=8, frames=3000, units=4, noise=2.0)
    found = metrics.split_half(r, rows, np.random.default_rng(0))
    np.testing.assert_allclose(found, 1 / (1 + 4 / 8), atol=0.03)
    once = rows.only(rows.trials == rows.trials[0])
    assert np.isnan(metrics.split_half(r[: len(once.trials)], once, np.random.default_rng(0))).all()


def test_poisson_loss_is_least_for_the_rate():
    draw = np.random.default_rng(3)
    rate = draw.gamma(2, 1, (500, 3))
    r = draw.poisson(rate)
    wanted = (rate - r * np.log(rate + 1e-12)).mean(0)
    np.testing.assert_allclose(metrics.poisson_loss(rate, r), wanted)
    assert (metrics.poisson_loss(rate, r) < metrics.poisson_loss(1.5 * rate, r)).all()


def test_constant_and_undefined_predictions_score_0_and_are_counted():
    rows, p, r = repeated()
    p[:, 0], p[3, 1], r[:, 2] = 1.0, np.nan, 0.0
    table = metrics.movie_unit_scores(p, r, rows, np.random.default_rng(0))
    assert table["single"][:3].tolist() == [0, 0, 0] and (table["single"][3:] > 0.3).all()
    assert table["n_nan"].tolist() == [0, 1, 0, 0, 0] and table["silent"].tolist()[2]


def perfect(films, seeing, noise=0.0):
    """Sessions, and the simulator's noise-free rates as predictions of all their trials."""
    sessions, made = open_movie_sessions(films.processed, seeing), {}
    for key, session in sessions.items():
        truth = load_movie_truth(films.truth / f"{key}.npz")
        scale = session._scale
        trials = np.flatnonzero(session.lengths > 0)
        rows, names = frame_rows(session, trials, "full")
        values = np.concatenate(
            [
                (truth.of(i) * scale[: len(truth.of(i))])[session.scored_frames(i, "full")]
                for i in trials
            ]
        )
        spread = noise * values.std(0)
        values = values + spread * np.random.default_rng(0).normal(size=values.shape)
        shown = session.video_sha256[rows.trials]
        made[key] = Prediction(
            values.astype(np.float32), names, rows.videos, session.unit_ids, image_sha256=shown
        )
    return sessions, made


@pytest.fixture(scope="module")
def scored(films, tmp_path_factory):
    """Results of the public mouse: the truth, and the truth with noise, from files."""
    folder = tmp_path_factory.mktemp("predictions")
    seeing = InputConfig(scale="full", behavior=True, pupil=True)
    for name, noise in (("truth", 0.0), ("noisy", 1.0)):
        sessions, made = perfect(films, seeing, noise)
        for key, prediction in made.items():
            save_prediction(prediction, folder / name / f"{key}.npz")
    return sessions, folder


SYSTEMS = {"truth": "truth", "noisy": "noisy"}


def test_public_mice_are_scored_offline_and_withheld_ones_are_not(films, scored):
    sessions, folder = scored
    main = load_movie_results(sessions, folder, SYSTEMS, ("live_test_main", "final_test_main"))
    assert [found.session for found in main] == ["90001-1-1"]
    assert len(main[0].responses) == 4 * 249
    oracle = load_movie_results(sessions, folder, SYSTEMS, ("oracle",))
    assert len(oracle) == 2
    scores = summary(unit_table(oracle, 0)).set_index(["model", "session"])["single"]
    units = [sessions[key].n_units for key in sessions]
    each = scores["truth"][list(sessions)]
    assert scores["truth", "pooled"] == pytest.approx(np.average(each, weights=units))
    assert scores["truth", "mean of 2"] == pytest.approx(each.mean())
    assert scores["truth", "pooled"] > scores["noisy", "pooled"] + 0.05
    some = sessions["90011-2-1"].trials("final_test_main")
    with pytest.raises(DataError, match="are withheld: score other tiers"):
        results_of(sessions["90011-2-1"], some, {})


def test_the_ideal_observer_scores_what_the_simulator_says(films, scored):
    sessions, folder = scored
    found = load_movie_results(sessions, folder, SYSTEMS, ("live_test_main", "final_test_main"))
    truth = load_movie_truth(films.truth / "90001-1-1.npz")
    official = unit_table(found, 0).query("model == 'truth'")["single"].to_numpy()
    # the std of five training trials scatters, which costs score; units keep their order
    assert np.corrcoef(official, truth.ideal)[0, 1] > 0.8
    raw = replace(sessions["90001-1-1"].inputs, response_scale="none")
    again, made = perfect(films, raw)
    session = again["90001-1-1"]
    trials = np.flatnonzero(np.char.endswith(session.tiers, "main"))
    r = results_of(session, trials, {"truth": made["90001-1-1"]})
    np.testing.assert_allclose(unit_table([r], 0)["single"], truth.ideal, atol=2e-3)


def test_both_frame_policies_are_scored_from_one_file(scored):
    sessions, folder = scored
    counts = [
        len(load_movie_results(sessions, folder, SYSTEMS, ("oracle",), policy)[1].responses)
        for policy in ("official", "full")
    ]
    assert counts == [2 * 249, 2 * 250]


def test_scores_by_stimulus_are_of_its_frames_alone(scored):
    sessions, folder = scored
    found = load_movie_results(sessions, folder, SYSTEMS, TIERS)
    table = by_stimulus(found, 0)
    assert set(table["stimulus"]) == {"natural", "pink", "dots", "rdk"}
    pink = found[0].only(found[0].stimuli == "pink")
    wanted = pearson(pink.predictions["truth"], pink.responses).mean()
    row = table.query("stimulus == 'pink' and model == 'truth' and session == 'pooled'")
    assert row["single"].item() == pytest.approx(wanted)


def test_intervals_hold_the_score_and_comparisons_are_paired(scored):
    sessions, folder = scored
    found = load_movie_results(sessions, folder, SYSTEMS, TIERS)[:1]
    table = movie_intervals(found, 0, 100).query("model == 'truth' and session == '90001-1-1'")
    units = unit_table(found, 0).query("model == 'truth'")
    for metric in ("single", "avg"):
        row = table[table["metric"] == metric].iloc[0]
        assert row["score"] == pytest.approx(units[metric].mean(), abs=1e-6)
        assert row["low"] < row["score"] < row["high"]
    both = movie_comparisons(found, [("truth", "noisy")], 0, 100)
    assert (both["low"] > 0).all() and set(both["metric"]) == {"single", "avg"}
    none = movie_comparisons(found, [("truth", "truth")], 0, 20)
    assert (none[["difference", "low", "high"]] == 0).all().all()


def test_resampled_videos_bring_all_their_frames(scored):
    """One resample by hand: films with their weights, all frames of all repeats."""
    from src.evaluation.bootstrap import Draws, score_samples

    sessions, folder = scored
    found = load_movie_results(sessions, folder, SYSTEMS, TIERS)[0].resampled("single")
    draws = Draws.make(found.image_ids, 3, numpy_stream(0, "x"))
    samples = score_samples(
        "single", found.predictions["truth"], found.responses, found.image_ids, draws
    )
    for weights, sample in zip(draws.weights, samples, strict=True):
        times = weights[np.searchsorted(draws.ids, found.image_ids)]
        p, r = (np.repeat(x, times, axis=0) for x in (found.predictions["truth"], found.responses))
        wanted = np.mean([np.corrcoef(p[:, u], r[:, u])[0, 1] for u in range(p.shape[1])])
        assert sample == pytest.approx(wanted, abs=1e-6)


def test_a_prediction_that_lacks_a_frame_is_refused(scored, films):
    session = scored[0]["90001-1-1"]
    made = perfect(films, session.inputs)[1]["90001-1-1"]
    keep = (
        np.arange(len(made.trial_ids))
        != np.flatnonzero(np.char.endswith(made.trial_ids, "/060"))[0]
    )
    less = replace(
        made,
        values=made.values[keep],
        trial_ids=made.trial_ids[keep],
        image_ids=made.image_ids[keep],
        image_sha256=made.image_sha256[keep],
    )
    with pytest.raises(DataError, match="1 missing"):
        results_of(session, np.flatnonzero(session.lengths > 0), {"less": less})


def test_published_scores_stand_beside_ours_of_the_same_mice_and_track():
    published = STUDIES["sensorium2023"].published
    ours = [("main", "mean of 5", 0.3), ("main", "pooled", 0.1), ("oracle", "29515-10-12", 0.25)]
    scores = pd.DataFrame(ours, columns=["track", "session", "single"])
    table = published_table(published, scores, alike=True)
    assert table[["source", "status", "tolerance"]].notna().all(axis=None)
    assert len(table) == len(published)
    known = table.dropna(subset="ours").set_index("system")
    assert set(known.index[known["session"] == "mean"].str[-4:]) == {"main"}
    found = known.loc["DwiseNeuro, final main"]
    assert found["difference"] == pytest.approx(0.3 - 0.2913) and found["within"] == "yes"
    mouse = known[known["session"] == "29515-10-12"].iloc[0]
    assert mouse["difference"] == pytest.approx(0.25 - 0.2472) and mouse["within"] == "yes"
    assert known.loc["DwiseNeuro, first stage, final main", "within"] == "yes"
    far = published_table(published, scores.assign(single=0.5), alike=True)
    assert set(far["within"]) == {"no", ""}
    none = published_table(published, scores, alike=False)
    assert none["difference"].isna().all() and set(none["within"]) == {""}
