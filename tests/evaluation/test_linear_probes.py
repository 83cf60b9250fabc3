"""Every kind of probe against scikit-learn, on simulated sites; nothing scored has a say."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline

from src.correlation import explained_variance
from src.data.hashes import image_sha256
from src.data.objects import OBJECTS, categories_of
from src.data.splits import official_split
from src.evaluation import linear_probes, trees
from src.evaluation.decomposition import decompose_features
from src.evaluation.feature_grams import store_grams
from src.evaluation.fields import choose_fields
from src.evaluation.folds import stratified_folds
from src.evaluation.linear_probes import controlled, fit_controlled, fit_probe, simplex
from src.evaluation.linear_scores import permuted_rows
from src.evaluation.metrics import correlation, r_squared
from src.evaluation.probes import ImageResponses, fitted_trials, scored_trials
from src.evaluation.ridge import ALPHAS, search
from src.models.extraction import Reduction, extract
from src.models.feature_files import open_features
from src.models.frozen import frozen_network
from src.models.windows import WindowGrid
from src.studies.records import FrozenNetwork, Probe

NETWORKS = (
    FrozenNetwork("planted", "random_map"),
    FrozenNetwork("other", "random_map", start="random", draw=1),
)
BOTH = ("other/layer1", "planted/layer2")
PROBES = {
    "pixels": Probe("pixels", "pixels"),
    "layers": Probe("layers", "layers", ("planted", "other")),
    "combined": Probe("combined", "combined", ("planted", "other"), BOTH),
    "fields": Probe("fields", "fields", ("planted", "other"), BOTH),
    "stacked": Probe("stacked", "stacked", ("planted", "other"), BOTH),
    "components": Probe("together", "components", ("planted", "other"), BOTH),
    "trees": Probe("trees", "trees", ("planted", "other"), BOTH, components=4),
}
GRID = WindowGrid(centers=3, sigmas=(0.3,))


STAGES = np.array([0, 10, 20])


@pytest.fixture(scope="module", autouse=True)
def small():
    """Few windows and few trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_probes, "WindowGrid", lambda _: GRID)
        patch.setattr(linear_probes, "TREES", STAGES)
        patch.setattr(trees, "TREES", STAGES)
        yield


def stored(session, folder: Path, seed: int) -> Path:
    """Features of both networks for the images of a session, maps of 4 x 4, with their Grams."""
    for plan in NETWORKS:
        network = frozen_network(plan, session.images.shape[-1], seed)
        layers = dict.fromkeys(("layer1", "layer2"), Reduction(4))
        made = extract(network, session.images, folder / plan.name / session.key, layers, batch=64)
        store_grams(made, image_sha256(session.images))
    return folder


@pytest.fixture(scope="module")
def world(inferotemporal, tmp_path_factory):
    """Session, images to fit and to score, folds, and the folder of features."""
    session, seed = inferotemporal.session, inferotemporal.seed
    split = official_split(session)
    fitted = ImageResponses.of(session, fitted_trials(session, split))
    scored = ImageResponses.of(session, scored_trials(session, split))
    folds = stratified_folds(categories_of(fitted.objects), 5, 3)
    features = stored(session, tmp_path_factory.mktemp("features"), seed)
    return SimpleNamespace(**locals())


@pytest.fixture(scope="module")
def found(world, small):
    """What every probe finds, by kind."""
    fit = partial(fit_probe, session=world.session, images=world.fitted, seed=3)
    return {kind: fit(probe, features=world.features) for kind, probe in PROBES.items()}


def features_of(world, name):
    """One layer of one network, flat: -> (i, p) float64."""
    network, layer = name.split("/")
    folder = world.features / network / world.session.key
    x = open_features(folder, layer, image_sha256(world.session.images))
    return x.reshape(len(x), -1).astype(float)


def refit(world, model, x):
    """Predictions of all images, and of the fitted ones without their fold: (i, u), (n, u)."""
    rows, y = world.fitted.rows, world.fitted.responses
    held_out = np.empty_like(y)
    for fold in range(5):
        out = world.folds == fold
        held_out[out] = model.fit(x[rows[~out]], y[~out]).predict(x[rows[out]])
    return model.fit(x[rows], y).predict(x), held_out


@pytest.mark.parametrize("kind", PROBES)
def test_permuted_responses_are_fitted_beside_the_others_and_predict_nothing(
    world, found, kind, monkeypatch
):
    """IT-37, D15: choices and fits as if they stood alone."""
    monkeypatch.setattr(linear_probes, "CONTROLS", 3)
    units, order = [0, 7, 15], permuted_rows(192, 3)
    images = replace(world.fitted, responses=world.fitted.responses[order])
    given = PROBES[kind], world.session
    alone = fit_probe(*given, images, world.features, 3)
    own, permuted = fit_controlled(*given, world.fitted, world.features, 3)
    assert controlled(16).tolist() == units and list(own) == list(permuted) == list(found[kind])
    for name, one in found[kind].items():
        for part in ("predicted", "held_out", "alpha", "edge"):
            many, few = getattr(own[name], part), getattr(permuted[name], part)
            np.testing.assert_allclose(many, getattr(one, part), atol=1e-8)
            np.testing.assert_allclose(few, getattr(alone[name], part)[..., units], atol=1e-8)
        for part, values in alone[name].chosen.items():
            np.testing.assert_allclose(permuted[name].chosen[part], values[units], atol=1e-8)
        y = world.scored.responses[:, units]
        predicted = permuted[name].predicted[world.scored.rows]
        assert explained_variance(predicted, y).mean() < 0.01


def test_session_is_split_in_fitted_and_scored_images(world):
    assert (len(world.fitted.rows), len(world.scored.rows)) == (192, 64)
    assert not set(world.fitted.rows) & set(world.scored.rows)


MEAN_AND_STD = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))  # of the published channels


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("pixels_least_squares", LinearRegression()),
        ("pixels_ridge_1", Ridge(1)),
        ("pixels_components", make_pipeline(PCA(96, svd_solver="full"), LinearRegression())),
    ],
)
def test_given_maps_of_pixels_are_those_of_scikit_learn(world, found, name, model):
    """Components are found anew without each fold (D7); normalized pixels and no more (D6)."""
    gray = world.session.images.reshape(320, -1) / 255
    x = np.concatenate([(gray - m) / s for m, s in MEAN_AND_STD], axis=1)
    predicted, held_out = refit(world, model, x)
    np.testing.assert_allclose(found["pixels"][name].predicted, predicted, atol=1e-5)
    np.testing.assert_allclose(found["pixels"][name].held_out, held_out, atol=1e-5)


def test_every_layer_has_an_alpha_of_its_own(world, found):
    """D2, D8: as if it were the only layer, with features instead of a Gram."""
    assert list(found["layers"]) == [f"{n.name}_layer{k}" for n in NETWORKS for k in (1, 2)]
    for name, one in found["layers"].items():
        x = features_of(world, "/".join(name.split("_")))
        decomposition = decompose_features(x[world.fitted.rows])
        choice = search(decomposition, world.fitted.responses, groups=world.folds)
        np.testing.assert_array_equal(one.alpha, choice.alpha)
        np.testing.assert_array_equal(one.edge, choice.edge)
        predicted, held_out = refit(world, Ridge(one.alpha * decomposition.scale), x)
        np.testing.assert_allclose(one.predicted, predicted, atol=1e-6)
        np.testing.assert_allclose(one.held_out, held_out, atol=1e-6)
    alphas = [one.alpha for one in found["layers"].values()]
    assert (alphas[0] != alphas[1]).any()


def test_pixels_choose_among_all_alphas(world, found):
    x, one = world.session.images.reshape(320, -1) / 255, found["pixels"]["pixels"]
    scale = decompose_features(x[world.fitted.rows]).scale
    y = world.fitted.responses
    scores = [r_squared(refit(world, Ridge(a * scale), x)[1], y) for a in ALPHAS[5:22:4]]
    assert (r_squared(one.held_out, y) >= np.max(scores, axis=0) - 1e-6).all()
    assert np.isin(one.alpha, ALPHAS).all()


def test_the_map_that_sites_read_predicts_best(world, found):
    def score(one):
        return correlation(one.predicted[world.scored.rows], world.scored.responses).mean()

    layers = found["layers"]
    assert score(layers["planted_layer2"]) > score(layers["other_layer2"]) + 0.05
    assert score(layers["planted_layer2"]) > score(found["pixels"]["pixels"]) + 0.05


def test_combined_layers_are_ridge_on_weighted_features(world, found):
    one, rows, y = found["combined"]["combined"], world.fitted.rows, world.fitted.responses
    weights = np.column_stack([one.chosen[f"weight_{n.replace('/', '_')}"] for n in BOTH])
    assert {tuple(w) for w in weights} <= {tuple(w) for w in simplex(2, 4)}
    parts = [features_of(world, name) for name in BOTH]
    scales = [np.sum((x[rows] - x[rows].mean(0)) ** 2) / len(rows) for x in parts]
    for unit in range(0, 16, 5):
        shares = zip(parts, scales, weights[unit], strict=True)
        x = np.hstack([part * np.sqrt(w / scale) for part, scale, w in shares])
        predicted, held_out = refit(world, Ridge(one.alpha[unit]), x)
        np.testing.assert_allclose(one.predicted[:, unit], predicted[:, unit], atol=1e-6)
        np.testing.assert_allclose(one.held_out[:, unit], held_out[:, unit], atol=1e-6)
    for name in BOTH:  # each of which is one of the candidates
        alone = found["layers"][name.replace("/", "_")]
        assert (r_squared(one.held_out, y) >= r_squared(alone.held_out, y) - 1e-9).all()


def test_a_stack_adds_the_predictions_of_its_layers(world, found):
    one, alone = found["stacked"]["stacked"], found["layers"]
    layers = [alone[name.replace("/", "_")] for name in BOTH]
    y = world.fitted.responses
    for unit in range(0, 16, 5):
        model = LinearRegression(positive=True)
        model.fit(np.column_stack([layer.held_out[:, unit] for layer in layers]), y[:, unit])
        weights = [one.chosen[f"weight_{n.replace('/', '_')}"][unit] for n in BOTH]
        np.testing.assert_allclose(weights, model.coef_, atol=1e-6)
        predicted = np.column_stack([layer.predicted[:, unit] for layer in layers])
        np.testing.assert_allclose(one.predicted[:, unit], model.predict(predicted), atol=1e-6)
        assert one.alpha[unit] == layers[np.argmax(weights)].alpha[unit]
    inside = np.mean([r_squared(layer.held_out, y).mean() for layer in layers])
    assert r_squared(one.held_out, y).mean() > inside


def test_components_of_layers_side_by_side_are_those_of_scikit_learn(world, found):
    """Half as many as images of each, or all a layer has, found anew without each fold (D7)."""
    parts = [features_of(world, name) for name in BOTH]
    ends = np.cumsum([0, *(part.shape[1] for part in parts)])
    columns = [(str(a), PCA(min(96, b - a)), slice(a, b)) for a, b in pairwise(ends)]
    model = make_pipeline(ColumnTransformer(columns), LinearRegression())
    predicted, held_out = refit(world, model, np.hstack(parts))
    one = found["components"]["together_least_squares"]
    np.testing.assert_allclose(one.predicted, predicted, atol=1e-4)
    np.testing.assert_allclose(one.held_out, held_out, atol=1e-4)
    assert (one.alpha == 0).all()
    y, ridge = world.fitted.responses, found["components"]["together"]
    assert np.isin(ridge.alpha, ALPHAS).all() and len(np.unique(ridge.alpha)) > 1
    assert (r_squared(ridge.held_out, y) > r_squared(one.held_out, y)).all()


def test_trees_read_components_of_layers(world, found):
    one = found["trees"]["trees"]
    axes = [
        PCA(4).fit(x[world.fitted.rows]).transform(x)
        for x in map(partial(features_of, world), BOTH)
    ]
    x = np.hstack(axes)
    assert set(one.chosen["trees"]) <= set(STAGES) and np.isnan(one.alpha).all()
    np.testing.assert_array_equal(one.edge == 1, one.chosen["trees"] == 20)
    unit = np.argmax(one.chosen["trees"] > 0)
    model = HistGradientBoostingRegressor(
        max_iter=one.chosen["trees"][unit], learning_rate=0.2, max_leaf_nodes=4, max_bins=31
    )
    model.fit(x[world.fitted.rows], world.fitted.responses[:, unit])
    assert np.corrcoef(model.predict(x), one.predicted[:, unit])[0, 1] > 0.98  # but for signs


def test_fields_are_windows_of_the_grid(world, found):
    one, table = found["fields"]["fields"], GRID.table()
    maps = [features_of(world, name).reshape(320, -1, 4, 4) for name in BOTH]
    y = world.fitted.responses
    choice = choose_fields(maps, world.fitted.rows, y, GRID, groups=world.folds)
    for column in ("x", "y", "sigma"):
        np.testing.assert_array_equal(one.chosen[column], table[column].to_numpy()[choice.window])
    np.testing.assert_array_equal(one.alpha, choice.alpha)
    np.testing.assert_allclose(one.predicted, choice.predicted, atol=1e-5)
    np.testing.assert_allclose(one.held_out, choice.held_out, atol=1e-5)
    assert len(np.unique(choice.window)) > 1


@pytest.fixture(scope="module")
def altered(world, tmp_path_factory):
    """The session with noise for the pixels and the responses of all that is not fitted."""
    session, rng = world.session, np.random.default_rng(0)
    images, trials = np.array(session.images), np.arange(session.n_trials)
    kept = np.isin(session.image_index, world.fitted.rows)
    rates = session.responses(trials).numpy()
    images[session.image_index[~kept]] = rng.integers(0, 256, images[~kept].shape, np.uint8)
    rates[~kept] = rng.normal(10, 50, rates[~kept].shape)
    other = SimpleNamespace(
        key=session.key,
        images=images,
        image_index=session.image_index,
        objects=session.objects,
        responses=lambda trials: torch.from_numpy(rates[trials]),
    )
    return other, stored(other, tmp_path_factory.mktemp("altered"), world.seed)


@pytest.mark.parametrize("kind", PROBES)
def test_choices_do_not_look_at_scored_images(world, found, altered, kind):
    """D7: neither at their pixels nor at their responses, which are noise here."""
    session, features = altered
    images = ImageResponses.of(session, fitted_trials(world.session, world.split))
    again = fit_probe(PROBES[kind], session, images, features, 3)
    scored = world.scored.rows
    for name, one in found[kind].items():
        np.testing.assert_array_equal(again[name].alpha, one.alpha)
        for column, values in one.chosen.items():
            np.testing.assert_allclose(again[name].chosen[column], values, rtol=1e-6)
        np.testing.assert_allclose(again[name].held_out, one.held_out, atol=1e-5)
        rows = world.fitted.rows
        np.testing.assert_allclose(again[name].predicted[rows], one.predicted[rows], atol=1e-5)
        assert np.abs(again[name].predicted[scored] - one.predicted[scored]).max() > 0.1


def test_without_objects_each_image_is_held_out_alone(world):
    images = ImageResponses(world.fitted.rows, world.fitted.responses, None)
    probe = Probe("planted", "layers", ("planted",))
    one = fit_probe(probe, world.session, images, world.features, 3)["planted_layer2"]
    x = features_of(world, "planted/layer2")[images.rows]
    model = Ridge(one.alpha * decompose_features(x).scale)
    for row in (0, 77, 191):
        others = np.arange(192) != row
        expected = model.fit(x[others], images.responses[others]).predict(x[[row]])[0]
        np.testing.assert_allclose(one.held_out[row], expected, atol=1e-6)


@pytest.mark.parametrize(("times", "kind"), [(5, np.array), (3, categories_of)])
def test_folds_hold_every_object_or_where_it_is_rare_every_category(times, kind):
    objects = np.repeat(OBJECTS, times)
    folds = linear_probes.folds_of(objects, 1)
    for fold in range(5):
        assert set(kind(objects[folds == fold])) == set(kind(objects))


@pytest.mark.parametrize(("parts", "steps", "count"), [(1, 4, 1), (2, 4, 5), (3, 3, 10)])
def test_a_simplex_holds_all_shares_that_sum_to_one(parts, steps, count):
    found = simplex(parts, steps)
    assert len({tuple(w) for w in found}) == len(found) == count
    np.testing.assert_allclose(found.sum(1), 1)
    np.testing.assert_allclose(found * steps, np.rint(found * steps))
    assert (found >= 0).all() and found.shape[1] == parts
