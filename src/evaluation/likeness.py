"""How like a brain is a model? One entry for every measure: features and responses in, record out.

`score` compares features of stimuli with the responses of units, by a mapping (Schrimpf et al.
2018) or by geometry; `score_choices` compares with people's choices. Both give a `ScoreRecord`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from src.data.assemblies import Assembly
from src.data.choices import ChoiceTrials
from src.data.errors import DataError
from src.data.feature_set import FeatureSet
from src.evaluation.choice_consistency import CONSISTENCIES, Consistency, consistency
from src.evaluation.choice_readout import choice_probabilities, fit_choices
from src.evaluation.folds import Splits, brain_score_splits
from src.evaluation.found import Ceiling, Found, Settings, record_of
from src.evaluation.geometry import GEOMETRIES, Geometry, comparison_of, matrix_of, over_splits
from src.evaluation.layer_choice import LayerChoice, choose_layer
from src.evaluation.linear_scores import SplitScore
from src.evaluation.mapping import MAPPINGS, Mapping, Predictors, cross_validated
from src.evaluation.repetition_ceiling import (
    internal_consistency,
    noise_ceiling_snr,
    similarity_consistency,
    snr_reliability,
)
from src.evaluation.resampling import jackknife_error, jackknife_values, resampled_scores
from src.evaluation.score_record import ScoreRecord, Source
from src.evaluation.time_bins import scored_over_bins
from src.manifest import fingerprint
from src.seeds import numpy_stream

GIVEN = "ridgecv_split"  # fits and scores where the stimuli say, and has no splits
METRICS = (*MAPPINGS, GIVEN, *GEOMETRIES)  # of `score`
SPANTIME = "spantime_pls"  # of `score_bins`: one fit to all bins
OWN = Source()
DEFAULT = Settings()


@dataclass(frozen=True, eq=False)
class _Given:
    """What a measure compares, rows sorted by stimulus id."""

    x: Predictors  # (n, p)
    y: np.ndarray  # (n, u) float64
    means: Assembly
    assembly: Assembly  # with its repetitions
    metric: str
    settings: Settings


def score(
    features: FeatureSet,
    assembly: Assembly,
    metric: str = "pls",
    region: str | None = None,
    time_bin: tuple[float, float] | None = None,
    source: Source = OWN,
    settings: Settings = DEFAULT,
) -> ScoreRecord:
    """Score features against the responses of an assembly, of repetitions or of means.

    metric: one of `METRICS`. Mappings predict responses to a tenth of the stimuli, ten times;
    ridgecv_split fits where the stimuli's column `split` is train and scores where it is test. The
    stimuli are those of the assembly; each needs a row of features. DataError says what is missing.
    """
    if metric not in METRICS:
        raise DataError(f"metric {metric!r}: choose of {', '.join(METRICS)}")
    return _scored(features, _chosen(assembly, region, time_bin), metric, region, source, settings)


def score_bins(
    features: FeatureSet,
    assembly: Assembly,
    metric: str = "pls",
    region: str | None = None,
    source: Source = OWN,
    settings: Settings = DEFAULT,
) -> list[ScoreRecord]:
    """As `score`, a record a time bin: each fitted by itself, or with `spantime_pls` all at once.

    Features (m, p) stand for every bin, (m, p, t) for one each. DataError without time bins.
    """
    if metric not in (*METRICS, SPANTIME):
        raise DataError(f"metric {metric!r}: choose of {', '.join((*METRICS, SPANTIME))}")
    whole = assembly if region is None else assembly.of_region(region)
    if whole.values.ndim != 3 or whole.time_bins is None:
        raise DataError(f"{assembly.source}: values are {whole.values.shape}, without time bins")
    count, found = len(whole.time_bins), None
    if metric == SPANTIME:
        means = whole.averaged()
        x = features.values[features.rows(means.stimulus_ids)]
        splits = brain_score_splits(_objects(means))
        found = scored_over_bins(x, means.values.astype(float), splits, settings.components)
    over_time = features.values.ndim == 3
    by_bin = np.moveaxis(features.values, 2, 0) if over_time else [features.values] * count
    if len(by_bin) != count:
        raise DataError(f"{features.label} are {features.values.shape}, of {count} time bins")
    records = []
    for t, (values, time_bin) in enumerate(zip(by_bin, whole.time_bins, strict=True)):
        part, one = _chosen(whole, None, tuple(time_bin)), replace(features, values=values)
        ready = found and found[t]
        records.append(_scored(one, part, metric, region, source, settings, ready))
    return records


def _scored(
    features: FeatureSet,
    assembly: Assembly,
    metric: str,
    region: str | None,
    source: Source,
    settings: Settings,
    ready: SplitScore | None = None,
) -> ScoreRecord:
    """The record of one region and bin; `ready` is what a mapping has found already."""
    began = perf_counter()
    means = assembly.averaged()
    y = np.asarray(means.values, np.float64)
    x = Predictors(_aligned(features, means), features.grid)
    given = _Given(x, y, means, assembly, metric, settings)
    found = _geometry(given) if metric in GEOMETRIES else _mapped(given, ready)
    bins = assembly.time_bins
    stated = {
        **_of_features(features),
        "region": region or "+".join(sorted({*means.units["region"].astype(str)} - {""})),
        "time_bin": "" if bins is None else "{:g}-{:g}".format(*bins[0]),
        "metric": metric,
        "version": settings.version or ("ratio" if metric in GEOMETRIES else "r2c-2026"),
        "n_images": len(y),
        "n_units": y.shape[1],
        "data_hash": assembly.content_hash,
    }
    return record_of(found, asdict(source) | stated, settings, perf_counter() - began)


def choose_features(
    sets: Sequence[FeatureSet],
    assembly: Assembly,
    region: str | None = None,
    time_bin: tuple[float, float] | None = None,
    mapping: Mapping = "pls",
    components: int | None = None,
) -> LayerChoice:
    """Which of several layers or steps of a model stands for a region; `components` as there.

    Chosen among training images of every split, scored on its test images: see `choose_layer`.
    """
    means = _chosen(assembly, region, time_bin).averaged()
    layers = {f"{one.layer}-t{one.step}": _aligned(one, means) for one in sets}
    if len(layers) < len(sets):
        raise DataError(f"{len(sets)} feature sets have {len(layers)} names: one a layer and step")
    y = np.asarray(means.values, np.float64)
    return choose_layer(layers, y, _objects(means), mapping, components)


def _of_features(features: FeatureSet) -> dict[str, Any]:
    names = "model", "weights", "layer", "step"
    return {n: getattr(features, n) for n in names} | {"features_hash": features.content_hash}


def _chosen(
    assembly: Assembly, region: str | None, time_bin: tuple[float, float] | None
) -> Assembly:
    """Values of one region and one time bin, (n, u). DataError where there are several bins."""
    assembly = assembly if region is None else assembly.of_region(region)
    assembly = assembly if time_bin is None else assembly.in_bin(*time_bin)
    if assembly.values.ndim == 2:
        return assembly
    if assembly.values.shape[2] != 1:
        bins = [] if assembly.time_bins is None else assembly.time_bins.tolist()
        text = f"values are {assembly.values.shape}: give a time_bin of {bins}"
        raise DataError(f"{assembly.source}: {text}")
    return replace(assembly, values=assembly.values[..., 0], time_bins=None)


def _objects(means: Assembly) -> np.ndarray:
    """What stimuli are split by, their objects; the same for all where none are known: -> (n,)."""
    known = "object_name" in means.stimuli
    return means.column("object_name") if known else np.zeros(len(means.values), int)


def _aligned(features: FeatureSet, means: Assembly) -> np.ndarray:
    """Features in the order of the means: -> (n, p); not copied where they are in it."""
    if features.values.ndim != 2:
        raise DataError(f"{features.label} are {features.values.shape}: choose one time step")
    rows = features.rows(means.stimulus_ids)
    in_order = np.array_equal(rows, np.arange(len(features.values)))
    return features.values if in_order else features.values[rows]


def _mapped(given: _Given, ready: SplitScore | None) -> Found:
    settings, y = given.settings, given.y
    if given.metric == GIVEN:
        mapping, splits = "ridge_cv", _given_split(given.means)
    else:
        mapping, splits = given.metric, brain_score_splits(_objects(given.means))
    scored = ready or cross_validated(given.x, y, splits, mapping, settings.components)
    samples, of_units, ceiling = None, None, float("nan")
    if settings.resamples:
        target = np.asarray(given.x.x, np.float64) if mapping == "reverse_pls" else y
        samples = resampled_scores(scored, target, settings.seed, settings.resamples)
    if mapping != "reverse_pls":  # features have no repetitions
        ceiling, of_units = _ceilings(given.assembly, settings.ceiling)
    return Found(scored.score, scored.error, ceiling, scored.raw, samples, of_units)


def _given_split(means: Assembly) -> Splits:
    """The one split that the stimuli state."""
    stated = means.column("split")
    train, test = (np.flatnonzero(stated == part) for part in ("train", "test"))
    if not len(train) or not len(test):
        found = ", ".join(sorted(set(stated)))
        raise DataError(f"{means.source}: stimuli's column split has {found}: name train and test")
    return [(train, test)]


def _ceilings(assembly: Assembly, kind: Ceiling) -> tuple[float, np.ndarray | None]:
    """c of the population and of each unit, nan and None where there are no repetitions."""
    if kind == "none" or not _repeated(assembly):
        return float("nan"), None
    if kind == "ncsnr":
        snr = noise_ceiling_snr(assembly.values, assembly.stimulus_ids)
        c = snr_reliability(snr, assembly.stimulus_ids)
        return float(np.nanmedian(c)), c
    found = internal_consistency(assembly)
    return found.score, found.raw.mean(axis=0)


def _repeated(assembly: Assembly) -> bool:
    return len(np.unique(assembly.stimulus_ids)) < len(assembly.values)


def _geometry(given: _Given) -> Found:
    settings, metric, means = given.settings, given.metric, given.means
    if settings.ceiling == "ncsnr":
        raise DataError(f"ncsnr is a ceiling of units, {metric} is of populations: repetitions")
    a, b, compare = matrix_of(metric, given.x.x), matrix_of(metric, given.y), comparison_of(metric)
    over = metric.endswith("_cv")
    objects = means.column("object_name") if over else _objects(means)
    by_split = over_splits(a, b, objects, compare) if over else np.array([compare(a, b)])
    samples, error, ceiling = None, float("nan"), float("nan")
    if settings.resamples:
        samples = jackknife_values(
            lambda rows: compare(a[np.ix_(rows, rows)], b[np.ix_(rows, rows)]),
            objects,
            settings.seed,
        )
        error = jackknife_error(samples)
    if over:
        error = float(by_split.std() / np.sqrt(len(by_split)))
    if settings.ceiling == "repetitions" and _repeated(given.assembly):
        ceiling = _halves_alike(_ByContent(given.assembly.content_hash, given.assembly), metric)
    return Found(float(by_split.mean()), error, ceiling, by_split, samples)


@dataclass(frozen=True)
class _ByContent:
    """An assembly that equals any other of the same values and ids."""

    content_hash: str
    assembly: Assembly = field(compare=False)


@lru_cache(maxsize=4)
def _halves_alike(data: _ByContent, metric: Geometry) -> float:
    """Ceiling of a geometry, the same for every model of the same data: once for all of them."""
    compare = comparison_of(metric)
    halves = similarity_consistency(
        data.assembly, lambda p, q: compare(matrix_of(metric, p), matrix_of(metric, q))
    )
    return float(halves.mean())


def score_choices(
    features: FeatureSet,
    fitting: pd.DataFrame,
    trials: ChoiceTrials,
    metric: Consistency = "i2n",
    source: Source = OWN,
    settings: Settings = DEFAULT,
    strict: bool = False,
) -> ScoreRecord:
    """Score the choices of a readout of features against people's.

    fitting: columns stimulus_id and object_name of the images the readout is fitted to, none of
    which the trials may show. `strict` as for `consistency`.
    """
    began = perf_counter()
    if metric not in CONSISTENCIES:
        raise DataError(f"metric {metric!r}: choose of {', '.join(CONSISTENCIES)}")
    ids, objects = (fitting[c].to_numpy(str) for c in ("stimulus_id", "object_name"))
    if len(both := np.intersect1d(ids, trials.images)):
        raise DataError(f"{len(both)} images are fitted and scored, first {both[0]!r}: part them")
    readout = fit_choices(features.values[features.rows(ids)], objects)
    shown = features.values[features.rows(trials.images)]
    found = consistency(
        choice_probabilities(readout, shown, trials.objects), trials, metric, strict
    )
    stated = {
        **_of_features(features),
        "region": "",
        "time_bin": "",
        "metric": metric,
        "version": settings.version or "root",
        "n_images": len(trials.images),
        "n_units": len(trials.objects),
        "data_hash": fingerprint([trials.content_hash, ids.tolist(), objects.tolist()]),
    }
    samples = None
    if settings.resamples:
        samples = found.resampled(numpy_stream(settings.seed, "choices"), settings.resamples)
    whole = Found(found.score, found.error, found.ceiling, found.raw, samples, None, found.ceiled)
    return record_of(whole, asdict(source) | stated, settings, perf_counter() - began)
