"""How like a brain is a model? One entry for every measure: features and responses in, record out.

`score` compares features of stimuli with the responses of units, by a mapping (Schrimpf et al.
2018) or by geometry; `score_choices` compares with people's choices. Both give a `ScoreRecord`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any, Literal

import numpy as np
import pandas as pd

from src.data.assemblies import Assembly
from src.data.choices import ChoiceTrials
from src.data.errors import DataError
from src.data.feature_set import FeatureSet
from src.evaluation.bootstrap import interval
from src.evaluation.choice_consistency import CONSISTENCIES, Consistency, consistency
from src.evaluation.choice_readout import choice_probabilities, fit_choices
from src.evaluation.folds import Splits, brain_score_splits
from src.evaluation.geometry import GEOMETRIES, comparison_of, matrix_of, over_splits
from src.evaluation.layer_choice import LayerChoice, choose_layer
from src.evaluation.mapping import MAPPINGS, Mapping, cross_validated
from src.evaluation.normalization import Version, by_unit, ceiled
from src.evaluation.pls import COMPONENTS
from src.evaluation.repetition_ceiling import (
    internal_consistency,
    noise_ceiling_snr,
    similarity_consistency,
    snr_reliability,
)
from src.evaluation.resampling import (
    RESAMPLES,
    jackknife_error,
    jackknife_values,
    normal_interval,
    resampled_scores,
)
from src.evaluation.score_record import ScoreRecord, Source
from src.manifest import fingerprint
from src.seeds import numpy_stream

GIVEN = "ridgecv_split"  # fits and scores where the stimuli say, and has no splits
METRICS = (*MAPPINGS, GIVEN, *GEOMETRIES)  # of `score`
Ceiling = Literal["repetitions", "ncsnr", "none"]
OWN = Source()


@dataclass(frozen=True)
class Settings:
    """What a score depends on beside features and responses."""

    ceiling: Ceiling = "repetitions"  # "none" is what responses without repetitions get
    version: Version | None = None  # by default r^2 / c of mappings, r / c of geometry
    resamples: int = RESAMPLES  # 0: no interval
    level: float = 0.95
    components: int = COMPONENTS  # of PLS
    seed: int = 0  # of resampling; splits are Brain-Score's


DEFAULT = Settings()


@dataclass(frozen=True, eq=False)
class _Given:
    """What a measure compares, rows sorted by stimulus id."""

    x: np.ndarray  # (n, p)
    y: np.ndarray  # (n, u) float64
    means: Assembly
    assembly: Assembly  # with its repetitions
    metric: str
    settings: Settings


@dataclass(frozen=True, eq=False)
class _Found:
    """What a measure found."""

    raw: float
    error: float
    ceiling: float
    by_split: np.ndarray  # (s, u) or (s,)
    samples: np.ndarray | None = None  # (b,) resamples, or pseudo-values
    unit_ceilings: np.ndarray | None = None  # (u,)
    ceiled: float | None = None  # where it is no function of raw and ceiling


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
    began = perf_counter()
    if metric not in METRICS:
        raise DataError(f"metric {metric!r}: choose of {', '.join(METRICS)}")
    assembly = _chosen(assembly, region, time_bin)
    means = assembly.averaged()
    y = np.asarray(means.values, np.float64)
    given = _Given(_aligned(features, means), y, means, assembly, metric, settings)
    found = _geometry(given) if metric in GEOMETRIES else _mapped(given)
    stated = {
        **_of_features(features),
        "region": region or "+".join(sorted({*means.units["region"].astype(str)} - {""})),
        "time_bin": "" if time_bin is None else "{:g}-{:g}".format(*time_bin),
        "metric": metric,
        "version": settings.version or ("ratio" if metric in GEOMETRIES else "r2c-2026"),
        "n_images": len(y),
        "n_units": y.shape[1],
        "data_hash": assembly.content_hash,
    }
    return _record(found, asdict(source) | stated, settings, perf_counter() - began)


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
    return choose_layer(layers, y, means.column("object_name"), mapping, components)


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


def _aligned(features: FeatureSet, means: Assembly) -> np.ndarray:
    """Features in the order of the means: -> (n, p); not copied where they are in it."""
    if features.values.ndim != 2:
        raise DataError(f"{features.label} are {features.values.shape}: choose one time step")
    rows = features.rows(means.stimulus_ids)
    in_order = np.array_equal(rows, np.arange(len(features.values)))
    return features.values if in_order else features.values[rows]


def _mapped(given: _Given) -> _Found:
    settings, y = given.settings, given.y
    if given.metric == GIVEN:
        mapping, splits = "ridge_cv", _given_split(given.means)
    else:
        mapping, splits = given.metric, brain_score_splits(given.means.column("object_name"))
    scored = cross_validated(given.x, y, splits, mapping, settings.components)
    samples, of_units, ceiling = None, None, float("nan")
    if settings.resamples:
        target = np.asarray(given.x, np.float64) if mapping == "reverse_pls" else y
        samples = resampled_scores(scored, target, settings.seed, settings.resamples)
    if mapping != "reverse_pls":  # features have no repetitions
        ceiling, of_units = _ceilings(given.assembly, settings.ceiling)
    return _Found(scored.score, scored.error, ceiling, scored.raw, samples, of_units)


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


def _geometry(given: _Given) -> _Found:
    settings, metric, means = given.settings, given.metric, given.means
    if settings.ceiling == "ncsnr":
        raise DataError(f"ncsnr is a ceiling of units, {metric} is of populations: repetitions")
    a, b, compare = matrix_of(metric, given.x), matrix_of(metric, given.y), comparison_of(metric)
    over = metric.endswith("_cv")
    known = over or "object_name" in means.stimuli
    objects = means.column("object_name") if known else np.zeros(len(b))
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
        halves = similarity_consistency(
            given.assembly, lambda p, q: compare(matrix_of(metric, p), matrix_of(metric, q))
        )
        ceiling = float(halves.mean())
    return _Found(float(by_split.mean()), error, ceiling, by_split, samples)


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
    whole = _Found(found.score, found.error, found.ceiling, found.raw, samples, None, found.ceiled)
    return _record(whole, asdict(source) | stated, settings, perf_counter() - began)


def _record(
    found: _Found, stated: dict[str, Any], settings: Settings, seconds: float
) -> ScoreRecord:
    how, limits = _limits(found, stated["metric"], settings.level)
    relative, of_units = found.ceiled, float("nan")
    if relative is None or stated["version"] != "root":
        relative = float(ceiled(found.raw, found.ceiling, stated["version"]))
    if found.unit_ceilings is not None:
        of_units = by_unit(found.by_split.mean(axis=0), found.unit_ceilings, stated["version"])
    arrays = {
        "by_split": found.by_split,
        "samples": found.samples,
        "unit_ceilings": found.unit_ceilings,
    }
    return ScoreRecord(
        **stated,
        raw=found.raw,
        error=found.error,
        ceiling=found.ceiling,
        ceiled=relative,
        ceiled_units=of_units,
        ci_low=limits[0],
        ci_high=limits[1],
        interval=how,
        seed=settings.seed,
        seconds=seconds,
        arrays={name: x for name, x in arrays.items() if x is not None},
    )


def _limits(found: _Found, metric: str, level: float) -> tuple[str, tuple[float, float]]:
    if found.samples is None:
        return "none", (float("nan"), float("nan"))
    if metric in GEOMETRIES:
        error = jackknife_error(found.samples)
        return "jackknife", normal_interval(found.raw, error, level)
    return "bootstrap", interval(found.samples, level)
