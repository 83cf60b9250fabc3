"""Simulated mice that watch films: layout, and planted effects against closed forms."""

from dataclasses import replace

import numpy as np
import pytest

from src.correlation import pearson
from src.simulate.films import FILMS, draw_film
from src.simulate.movie_config import PRESETS, MovieMouse
from src.simulate.movie_cortex import grow_movie_cortex, kernels, projected
from src.simulate.movie_mice import movie_name, simulate_movie_mice, write_movie_mouse
from src.simulate.movie_trials import behave, lay_out
from src.simulate.movie_truth import load_movie_truth

PUBLIC, SCORED, ZERO, LONG = PRESETS["films_demo"].mice
FEW = replace(PRESETS["films_demo"], train=2, own=1, main=1, repeats=(2, 2), none=1)


def in_memory(mouse: MovieMouse, seed=3):
    files = {}
    config = replace(FEW, mice=(mouse,))
    return files, write_movie_mouse(config, mouse, seed, files.__setitem__)


@pytest.fixture(scope="module")
def zero():
    """The zero-padded mouse with two dull units."""
    return in_memory(ZERO)


@pytest.mark.parametrize(
    ("kind", "frames"),
    [("natural", 300), ("gabor", 300), ("dots", 315), ("rdk", 240), ("pink", 324)],
)
def test_films_have_the_lengths_of_their_kind_and_move(kind, frames):
    film = draw_film(1, kind, "a")
    assert film.shape == (frames, 36, 64) and film.dtype == np.uint8
    np.testing.assert_array_equal(film, draw_film(1, kind, "a"))
    assert not np.array_equal(film, draw_film(1, kind, "b"))
    held = (film[1:] == film[:-1]).all((1, 2)).mean()
    assert held < 0.5 and 5 < film.std() < 110


def test_flashed_images_stand_still_and_vary_in_length():
    films = [draw_film(1, "images", str(i)) for i in range(8)]
    assert len({len(f) for f in films}) > 3 and all(305 <= len(f) <= 326 for f in films)
    assert all((f[1:] == f[:-1]).all((1, 2)).mean() > 0.8 for f in films)
    assert len(FILMS) == 6


def test_the_same_seed_gives_the_same_files(zero):
    again, _ = in_memory(ZERO)
    other, _ = in_memory(ZERO, seed=4)
    for name, array in zero[0].items():
        np.testing.assert_array_equal(again[name], array)
    assert any(not np.array_equal(other[n], a) for n, a in zero[0].items() if n in other)


def test_layout_dtypes_padding_and_short_kinds(zero):
    files, truth = zero
    n, u = len(files["meta/trials/tiers"]), 71
    frames = np.diff(truth.starts)
    for i in range(n):
        video, responses = files[f"data/videos/{i}"], files[f"data/responses/{i}"]
        assert (video.shape, video.dtype) == ((36, 64, 326), np.float16)
        assert (responses.shape, responses.dtype) == ((u, 326), np.float32)
        assert not video[..., frames[i] :].any() and not responses[:, frames[i] :].any()
        np.testing.assert_allclose(responses[:, : frames[i]].T, truth.drawn(i), rtol=1e-6)
    files, truth = in_memory(LONG)
    assert files["data/pupil_center/0"].shape == (2, 340)
    nothing = [i for i in range(len(truth.tiers)) if truth.kinds[i] == "nothing"]
    (i,) = nothing
    assert np.isnan(files[f"data/videos/{i}"]).all() and not files[f"data/responses/{i}"].any()
    other = next(i for i in range(len(truth.tiers)) if truth.tiers[i] == "train")
    ends = {
        k: np.isfinite(files[f"data/{k}/{other}"][0]).reshape(-1, 340).all(0).sum()
        for k in ("videos", "behavior", "pupil_center")
    }
    assert ends == {"videos": 300, "behavior": 300, "pupil_center": 299}


def test_scored_mice_withhold_the_responses_of_tests():
    files, truth = in_memory(SCORED)
    for i, tier in enumerate(files["meta/trials/tiers"]):
        responses = files[f"data/responses/{i}"]
        assert ("test" in tier) == (not np.nan_to_num(responses).any())
        assert ("test" in tier) == bool(np.isfinite(responses).all())
        assert truth.drawn(i).any()


def test_statistics_are_of_training_frames_and_stop_where_they_do(zero):
    files, _ = zero
    train = np.flatnonzero(files["meta/trials/tiers"] == "train")
    for kind in ("videos", "responses"):
        stack = np.stack([files[f"data/{kind}/{i}"] for i in train]).astype(np.float64)
        for name in ("mean", "std", "min", "max", "median"):
            found = files[f"meta/statistics/{kind}/all/{name}"]
            wanted = getattr(np, name)(stack, axis=0)[..., :300]
            np.testing.assert_allclose(found[..., :300], wanted, rtol=1e-4, atol=1e-4)
            assert np.isnan(found[..., 300:]).all()


def test_units_lie_on_ten_planes_in_order_with_gaps_in_their_ids(zero):
    files, _ = zero
    xyz, ids = files["meta/neurons/cell_motor_coordinates"], files["meta/neurons/unit_ids"]
    assert xyz.dtype.kind == "i" and (xyz[:, 0] < 0).all()
    assert set(xyz[:, 2]) <= set(range(200, 426, 25)) and (np.diff(xyz[:, 2]) >= 0).all()
    assert (np.diff(ids) > 0).all() and ids[-1] > len(ids)


def test_dull_units_are_silent_and_constant(zero):
    _, truth = zero
    assert not truth.responses[:, -2].any() and (truth.responses[:, -1] == 1).all()
    assert truth.ideal[-2:].tolist() == [0, 0]


def test_units_of_one_tuning_are_neighbors_in_cortex_or_in_order():
    """Planted for the question whether pooling by index or by place helps."""
    near = grow_movie_cortex(FEW, replace(PUBLIC, units=60), 1).cortex
    listed = grow_movie_cortex(FEW, replace(ZERO, units=60), 1).cortex

    def apart(cortex, same):
        pairs = np.triu(same, 1)
        return np.linalg.norm(cortex.positions[:, None] - cortex.positions, axis=2)[pairs].mean()

    same = {
        name: c.modules[:, None] == c.modules for name, c in (("near", near), ("listed", listed))
    }
    assert apart(near, same["near"]) < 0.5 * apart(near, ~same["near"])
    assert apart(listed, same["listed"]) > 0.8 * apart(listed, ~same["listed"])
    steps = np.diff(listed.modules)
    assert set(steps.tolist()) == {0, 1} and (steps == 0).mean() > 0.7


def test_kernels_peak_at_the_lag():
    lags = np.array([2.0, 3.0, 4.0, 6.0])
    slow, fast = kernels(lags)
    assert slow.argmax(0).tolist() == lags.tolist()
    np.testing.assert_allclose([np.linalg.norm(k, axis=0) for k in (slow, fast)], 1)
    np.testing.assert_allclose((slow * fast).sum(0), 0, atol=0.05)


def test_an_impulse_is_answered_after_the_lag():
    cortex = grow_movie_cortex(FEW, replace(PUBLIC, units=12), 5)
    lags = np.round(cortex.lags)
    pair = np.zeros((3, 2, 40, 12), np.float32)
    pair[0, 0, 10] = 1.0
    drive = replace(cortex, lags=lags).drive(pair, np.zeros((40, 2)))
    linear = cortex.cortex.kinds != "energy"
    np.testing.assert_array_equal(drive.argmax(0)[linear], 10 + lags[linear])


def test_a_moved_pupil_is_a_moved_film():
    """First order: a shift by half a pixel equals the film read half a pixel further."""
    cortex = grow_movie_cortex(FEW, replace(PUBLIC, units=20), 2)
    x = np.arange(64)
    film = 127 + 60 * np.sin(2 * np.pi * (x / 16 + np.linspace(0, 3, 30)[:, None]))[:, None, :]
    film = np.broadcast_to(film, (30, 36, 64))
    half = 0.5 / 31.5  # half a pixel in units of the half width
    moved = (
        127 + 60 * np.sin(2 * np.pi * ((x + 0.5) / 16 + np.linspace(0, 3, 30)[:, None]))[:, None, :]
    )
    bank = cortex.cortex.filters
    value, slope, _ = projected(film, bank)
    wanted = projected(np.broadcast_to(moved, film.shape), bank)[0]
    inside = np.abs(cortex.cortex.rf_centers[:, 0]) < 0.6  # the film's edges do not move along
    error = np.abs(value + half * slope - wanted)[..., inside]
    assert error.max() < 0.1 * np.abs(wanted - value)[..., inside].max()


def test_running_multiplies_and_responses_scatter_as_planted():
    cortex = grow_movie_cortex(FEW, replace(PUBLIC, units=20), 2)
    seen = cortex.seen(draw_film(1, "natural", "x"))
    still = np.zeros((300, 2))
    expected = cortex.expected(seen, still, still)
    speed = np.column_stack([np.zeros(300), np.full(300, 2.0)])
    inner, swell = cortex.cortex, cortex.swell(300)[:, None]
    rest, run = (x / swell / inner.scale for x in (expected, cortex.expected(seen, speed, still)))
    rest, run = (np.where(x > 1, x - 1, np.log(x)) for x in (rest, run))  # before ELU + 1
    wanted = np.exp(2 * inner.gain[2]) * rest + 2 * inner.additive[2]
    np.testing.assert_allclose(run, wanted, rtol=1e-3, atol=1e-3)
    rng = np.random.default_rng(0)
    drawn = np.stack([cortex.respond(expected, rng) for _ in range(400)])
    np.testing.assert_allclose(drawn.mean((0, 1)), expected.mean(0), rtol=0.05)
    variance = (cortex.swell(300)[:, None] * cortex.cortex.fano * expected).mean(0)
    np.testing.assert_allclose(drawn.var(0).mean(0), variance, rtol=0.05)


def test_behavior_is_worth_something_to_an_observer(zero):
    """Rates computed for a mouse at rest explain less than the true ones, and motion more still."""
    files, truth = zero
    main = np.flatnonzero(np.char.endswith(truth.tiers, "main"))
    cortex, still = truth.cortex, np.zeros((300, 2))
    blind = [
        cortex.expected(
            cortex.seen(np.moveaxis(files[f"data/videos/{i}"], -1, 0)[:300]), still, still
        )
        for i in main
    ]
    drawn, true = (np.concatenate([f(i)[50:] for i in main]) for f in (truth.drawn, truth.of))
    blind = np.concatenate([x[50:] for x in blind])
    assert pearson(true, drawn).mean() > pearson(blind, drawn).mean() + 0.02 > 0.1


def test_partners_share_films_across_tiers():
    both = [lay_out(FEW, mouse, 1) for mouse in (PUBLIC, SCORED)]
    by_tier = [{t: {f.name for f in x.films if f.tier == t} for t in set(x.tiers)} for x in both]
    assert by_tier[0]["oracle"] == by_tier[1]["live_test_main"]
    assert by_tier[0]["final_test_main"] == by_tier[1]["oracle"]
    assert len(by_tier[0]["train"] & by_tier[1]["train"]) == 2  # one of them is the near copy
    twins = [next(f for f in x.films if f.name.endswith("twin")).draw(1).astype(int) for x in both]
    assert np.abs(twins[0] - twins[1]).sum() == 1


def test_behavior_changes_within_and_between_trials():
    rng = np.random.default_rng(0)
    trials = np.stack([behave(FEW, 300, rng)[0] for _ in range(300)])
    np.testing.assert_allclose(trials.std((0, 1)), 1, atol=0.1)
    between = trials.mean(1).std(0)
    assert (between > 0.4).all() and (trials.std(1).mean(0) > 0.3).all()


def test_a_finished_simulation_is_left_and_another_refused(films):
    stamps = {f: f.stat().st_mtime_ns for f in films.raw.iterdir()}
    simulate_movie_mice(films.raw, films.truth, films.config, 7)
    assert {f: f.stat().st_mtime_ns for f in films.raw.iterdir()} == stamps
    with pytest.raises(FileExistsError, match="another simulation"):
        simulate_movie_mice(films.raw, films.truth, films.config, 8)
    names = {movie_name(mouse) for mouse in films.config.mice}
    assert {p.name.removesuffix(".zip") for p in films.raw.glob("dynamic*")} == names
    truth = load_movie_truth(films.truth / "90001-1-1.npz")
    assert truth.key == "90001-1-1" and truth.config["train"] == 5
