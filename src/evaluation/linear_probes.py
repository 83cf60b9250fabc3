"""The probes of a profile: linear maps from pixels or stored features to the rates of a session.

Every choice (alpha, weights of layers, windows) is made on held-out predictions of the images that
are fitted; predictions are for all images of the session.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from src.data.hashes import image_sha256
from src.data.objects import categories_of
from src.evaluation.bands import choose_bands
from src.evaluation.decomposition import Decomposition, decompose, principal_components
from src.evaluation.feature_grams import open_gram
from src.evaluation.fields import choose_fields
from src.evaluation.folds import stratified_folds
from src.evaluation.gram import streamed_gram
from src.evaluation.probes import ImageResponses
from src.evaluation.ridge import AtGridEdge, fit_ridge, held_out_residuals, search
from src.models.feature_files import layer_names, open_features
from src.models.windows import WindowGrid
from src.studies.records import Probe

FOLDS = 5
COMPONENTS = 1000  # of pixels, or half the training images where these are fewer


@dataclass(frozen=True, eq=False)
class FittedProbe:
    """One linear map of one session, and how it was chosen."""

    predicted: np.ndarray  # (i, u) all images of the session
    held_out: np.ndarray  # (n, u) fitted images, each without its fold
    alpha: np.ndarray  # (u,) scaled units
    edge: np.ndarray  # (u,) -1 or 1 where alpha is an end of the grid
    chosen: Mapping[str, np.ndarray] = field(default_factory=dict)  # of each unit: window, weights


def fit_probe(
    probe: Probe, session: Any, images: ImageResponses, features: Path, seed: int
) -> dict[str, FittedProbe]:
    """All maps of a probe by name, fitted on `images` of a session; `features`: their folder."""
    folds = None if images.objects is None else _folds(images.objects, seed)
    hashes = image_sha256(session.images)
    names = [name.split("/") for name in probe.layers]
    places = [(features / network / session.key, layer) for network, layer in names]
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
                grams = [open_gram(*place, hashes) for place in places]
                return {probe.name: _combined(probe.layers, grams, images, folds)}
            case "fields":
                maps = [open_features(*place, hashes) for place in places]
                return {probe.name: _fields(WindowGrid(probe.centers), maps, images, folds)}


def _folds(objects: np.ndarray, seed: int) -> np.ndarray:
    """Folds in which every object occurs, or where one is too rare every category: (n,) -> (n,)."""
    rare = np.unique(objects, return_counts=True)[1].min() < FOLDS
    return stratified_folds(categories_of(objects) if rare else objects, FOLDS, seed)


def _pixels(
    session: Any, images: ImageResponses, folds: np.ndarray | None
) -> dict[str, FittedProbe]:
    """Ridge with the right alpha, with the published 1, least squares, and principal components."""
    raw = session.images.reshape(len(session.images), -1)
    gram = streamed_gram(raw) / 255**2
    whole = decompose(gram, images.rows)
    given = {"pixels_least_squares": 0.0, "pixels_ridge_1": whole.in_scaled_units(1.0)}
    found = {name: _given(whole, gram, images, a, folds) for name, a in given.items()}
    found["pixels_components"] = _components(gram, images, folds)
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


def _components(gram: np.ndarray, images: ImageResponses, folds: np.ndarray | None) -> FittedProbe:
    """Least squares on principal components, which a fold finds without its rows (defect D7)."""
    rows, y = images.rows, images.responses
    folds = np.arange(len(rows)) % FOLDS if folds is None else folds
    k, held_out = min(COMPONENTS, len(rows) // 2), np.empty_like(y)

    def predicted(fitted: np.ndarray, to: np.ndarray) -> np.ndarray:
        few = principal_components(decompose(gram, rows[fitted]), k)
        return fit_ridge(few, y[fitted], 0.0).predict(gram[to])

    for fold in np.unique(folds):
        held_out[folds == fold] = predicted(folds != fold, rows[folds == fold])
    units, everything = y.shape[1], np.ones(len(rows), bool)
    alpha, edge = np.zeros(units), np.zeros(units, int)
    return FittedProbe(predicted(everything, slice(None)), held_out, alpha, edge)


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
    weights = {
        f"weight_{name.replace('/', '_')}": w
        for name, w in zip(layers, choice.weights.T, strict=True)
    }
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
