"""The probes of a profile: maps from pixels or stored features to the rates of a session.

All are linear but `trees`. Every choice (alpha, weights of layers, windows, number of trees) is
made on held-out predictions of the images that are fitted; predictions are for all images of the
session.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from src.data.hashes import image_sha256
from src.data.objects import categories_of
from src.evaluation.bands import choose_bands
from src.evaluation.components import FoldedComponents, ridge_candidates
from src.evaluation.decomposition import Decomposition, decompose
from src.evaluation.feature_grams import open_gram
from src.evaluation.fields import choose_fields
from src.evaluation.folds import stratified_folds
from src.evaluation.gram import streamed_gram
from src.evaluation.linear_scores import permuted_rows
from src.evaluation.probes import ImageResponses
from src.evaluation.ridge import ALPHAS, AtGridEdge, fit_ridge, held_out_residuals, search
from src.evaluation.stacks import fit_stack, held_out_stack
from src.evaluation.trees import TREES, tree_candidates
from src.models.feature_files import layer_names, open_features
from src.models.networks import IMAGENET
from src.models.windows import WindowGrid
from src.studies.records import Probe

FOLDS = 5
COMPONENTS = 1000  # of pixels
CONTROLS = 20  # units whose responses are permuted


@dataclass(frozen=True, eq=False)
class FittedProbe:
    """One map of one session, and how it was chosen."""

    predicted: np.ndarray  # (i, u) all images of the session
    held_out: np.ndarray  # (n, u) fitted images, each without its fold
    alpha: np.ndarray  # (u,) scaled units; of a stack its heaviest layer's, nan for trees
    edge: np.ndarray  # (u,) -1 or 1 where alpha, or the number of trees, is an end of the grid
    chosen: Mapping[str, np.ndarray] = field(default_factory=dict)  # of each unit: window, weights

    def of(self, units: slice) -> FittedProbe:
        """The same map for some of its units."""
        chosen = {name: values[units] for name, values in self.chosen.items()}
        columns = self.predicted[:, units], self.held_out[:, units]
        return FittedProbe(*columns, self.alpha[units], self.edge[units], chosen)


def fit_probe(
    probe: Probe, session: Any, images: ImageResponses, features: Path, seed: int
) -> dict[str, FittedProbe]:
    """All maps of a probe by name, fitted on `images` of a session; `features`: their folder."""
    folds = folds_of(images.objects, seed)
    hashes = image_sha256(session.images)
    places = [(features / network / session.key, layer) for network, layer in probe.pairs]
    grams = partial(_grams, places, hashes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AtGridEdge)  # FittedProbe.edge says so
        match probe.kind:
            case "pixels":
                return _pixels(session, images, folds)
            case "layers":  # one fit and one scale for each (defects D2, D8)
                return {
                    f"{network}_{layer}": _ridge(open_gram(place, layer, hashes), images, folds)
                    for network in probe.networks
                    for place in [features / network / session.key]
                    for layer in layer_names(place.parent)
                }
            case "combined":
                return {probe.name: _combined(probe.layers, grams(), images, folds)}
            case "stacked":
                return {probe.name: _stacked(probe.layers, grams(), images, folds)}
            case "components":
                return _together(probe, grams(), images, folds)
            case "trees":
                found = _folded(grams(), images, folds, probe.components)
                return {probe.name: _trees(found, images.responses)}
            case "fields":
                maps = [open_features(*place, hashes) for place in places]
                return {probe.name: _fields(WindowGrid(probe.centers), maps, images, folds)}


def fit_controlled(
    probe: Probe, session: Any, images: ImageResponses, features: Path, seed: int
) -> tuple[dict[str, FittedProbe], dict[str, FittedProbe]]:
    """What fit_probe gives, and the same maps fitted to responses that belong to other images.

    Of the latter `controlled` units only. Units do not know of each other, so those of permuted
    responses are more units of the same fit, which share what is costly in it.
    """
    y = images.responses
    order, some = permuted_rows(len(y), seed), controlled(y.shape[1])
    both = replace(images, responses=np.hstack([y, y[order][:, some]]))
    fitted = fit_probe(probe, session, both, features, seed)
    own, others = slice(y.shape[1]), slice(y.shape[1], None)
    return tuple({name: one.of(part) for name, one in fitted.items()} for part in (own, others))


def controlled(units: int) -> np.ndarray:
    """Units whose permuted responses are fitted as well, CONTROLS of them or all: -> (v,)."""
    return np.unique(np.linspace(0, units - 1, CONTROLS).astype(int))


def _grams(places: list[tuple[Path, str]], hashes: Sequence[str]) -> list[np.ndarray]:
    return [open_gram(*place, hashes) for place in places]


def folds_of(objects: np.ndarray | None, seed: int) -> np.ndarray | None:
    """Folds in which every object occurs, or where one is too rare every category: (n,) -> (n,).

    None without objects: each image is then held out alone.
    """
    if objects is None:
        return None
    rare = np.unique(objects, return_counts=True)[1].min() < FOLDS
    return stratified_folds(categories_of(objects) if rare else objects, FOLDS, seed)


def _pixels(
    session: Any, images: ImageResponses, folds: np.ndarray | None
) -> dict[str, FittedProbe]:
    """Ridge with the right alpha, with the published 1, least squares, and principal components.

    The published 1 is for three channels divided by their standard deviations, gray or in color.
    """
    raw = session.images.reshape(len(session.images), -1)
    gram = streamed_gram(raw) / 255**2
    whole = decompose(gram, images.rows)
    channels = session.images.shape[1] if session.images.ndim == 4 else 1
    larger = sum(std**-2 for std in IMAGENET.std) / channels
    one = whole.in_scaled_units(1.0 / larger)
    given = {"pixels_least_squares": 0.0, "pixels_ridge_1": one}
    found = {name: _given(whole, gram, images, a, folds) for name, a in given.items()}
    components = _folded([gram], images, folds, COMPONENTS)
    found["pixels_components"] = _best(components, images.responses, np.zeros(1))
    return {**found, "pixels": _ridge(gram, images, folds)}


def _given(
    decomposition: Decomposition,
    gram: np.ndarray,
    images: ImageResponses,
    alpha: float,
    folds: np.ndarray | None,
) -> FittedProbe:
    """Ridge with one alpha for all units, which nobody chose; 0: least squares."""
    y, alphas = images.responses, np.array([max(alpha, 1e-9)])
    (residual,) = held_out_residuals(decomposition, y, alphas, folds)
    predicted = fit_ridge(decomposition, y, alpha).predict(gram)
    units = y.shape[1]
    return FittedProbe(predicted, y - residual, np.full(units, alpha), np.zeros(units, int))


def _folded(
    grams: list[np.ndarray], images: ImageResponses, folds: np.ndarray | None, k: int
) -> FoldedComponents:
    """The first k components of each layer, at most half as many as there are images."""
    rows = images.rows
    return FoldedComponents.of(grams, rows, spread(folds, len(rows)), min(k, len(rows) // 2))


def spread(folds: np.ndarray | None, n: int) -> np.ndarray:
    """Folds for what is costly to refit, where single images would be held out: -> (n,)."""
    return np.arange(n) % FOLDS if folds is None else folds


def _best(found: FoldedComponents, y: np.ndarray, alphas: np.ndarray) -> FittedProbe:
    """Ridge with the best of the alphas, or with the one there is."""
    predicted, best = found.best(partial(ridge_candidates, alphas=alphas), y)
    return FittedProbe(predicted, best.held_out, alphas[best.index], best.edge)


def _together(
    probe: Probe, grams: list[np.ndarray], images: ImageResponses, folds: np.ndarray | None
) -> dict[str, FittedProbe]:
    """Components of all layers side by side, as published: with the right alpha, and without."""
    found, y = _folded(grams, images, folds, probe.components), images.responses
    grids = {probe.name: ALPHAS, f"{probe.name}_least_squares": np.zeros(1)}
    return {name: _best(found, y, alphas) for name, alphas in grids.items()}


def _trees(found: FoldedComponents, y: np.ndarray) -> FittedProbe:
    predicted, best = found.best(tree_candidates, y)
    chosen = {"trees": TREES[best.index]}
    return FittedProbe(predicted, best.held_out, np.full(y.shape[1], np.nan), best.edge, chosen)


def _stacked(
    layers: tuple[str, ...],
    grams: list[np.ndarray],
    images: ImageResponses,
    folds: np.ndarray | None,
) -> FittedProbe:
    """Every layer by itself, then all predictions with the weights that suit a unit."""
    alone, y = [_ridge(gram, images, folds) for gram in grams], images.responses
    inside = [one.held_out for one in alone]
    stack, held_out = fit_stack(inside, y), held_out_stack(inside, y, spread(folds, len(y)))
    heaviest = stack.weights.argmax(axis=1), np.arange(y.shape[1])
    alpha, edge = (
        np.array([getattr(one, x) for one in alone])[heaviest] for x in ("alpha", "edge")
    )
    predicted = stack.predict([one.predicted for one in alone])
    return FittedProbe(predicted, held_out, alpha, edge, _by_layer(layers, stack.weights))


def _by_layer(layers: tuple[str, ...], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of a table of units: (u, l) -> l of (u,)."""
    names = [f"weight_{name.replace('/', '_')}" for name in layers]
    return dict(zip(names, weights.T, strict=True))


def _ridge(gram: np.ndarray, images: ImageResponses, folds: np.ndarray | None) -> FittedProbe:
    choice = search(decompose(gram, images.rows), images.responses, groups=folds)
    return FittedProbe(choice.fit.predict(gram), choice.held_out, choice.alpha, choice.edge)


def _combined(
    layers: tuple[str, ...],
    grams: list[np.ndarray],
    images: ImageResponses,
    folds: np.ndarray | None,
) -> FittedProbe:
    shares = simplex(len(grams), 4 if len(grams) == 2 else 3)
    choice = choose_bands(grams, images.rows, images.responses, shares, groups=folds)
    weights = _by_layer(layers, choice.weights)
    return FittedProbe(choice.predict(grams), choice.held_out, choice.alpha, choice.edge, weights)


def simplex(parts: int, steps: int) -> np.ndarray:
    """All weights that are multiples of 1 / steps and sum to 1: -> (c, parts)."""
    counts = [c for c in product(range(steps + 1), repeat=parts) if sum(c) == steps]
    return np.array(counts) / steps


def _fields(
    grid: WindowGrid, maps: list[np.ndarray], images: ImageResponses, folds: np.ndarray | None
) -> FittedProbe:
    choice = choose_fields(maps, images.rows, images.responses, grid, groups=folds)
    window = grid.table().iloc[choice.window]
    chosen = {name: window[name].to_numpy() for name in ("x", "y", "sigma")}
    return FittedProbe(choice.predicted, choice.held_out, choice.alpha, choice.edge, chosen)
