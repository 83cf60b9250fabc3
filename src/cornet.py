"""CORnets from the command line: `python -m src.cornet train|features|assembly|score --help`.

Flags have the names of the published code where it has them. The work is done elsewhere:
src/training/recognition.py, src/models/picture_features.py, src/evaluation/likeness.py.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import pandas as pd

from src.config import RecognitionConfig, RecognizerConfig
from src.data.arrays import SessionArrays
from src.data.assembly_files import open_assembly
from src.data.choices import open_choices
from src.data.errors import DataError
from src.data.feature_set import FeatureSet, open_feature_sets
from src.data.folders import open_folders
from src.data.recorded_assembly import recorded_assembly
from src.data.screen import Screen
from src.evaluation import likeness
from src.evaluation.choice_consistency import CONSISTENCIES
from src.evaluation.found import Ceiling, Settings
from src.evaluation.likeness import METRICS, SPANTIME, score_bins, score_choices
from src.evaluation.normalization import VERSIONS
from src.evaluation.pls import COMPONENTS
from src.evaluation.resampling import RESAMPLES
from src.evaluation.score_record import (
    ScoreRecord,
    Source,
    comparison_table,
    save_records,
    score_table,
)
from src.figures.score_page import score_page
from src.manifest import save_figure, save_table
from src.models.networks import Network
from src.models.picture_features import export_features
from src.models.pretrained import load_network, random_network
from src.models.registry import cornet_record, network_record, own_weights
from src.studies.cornet import RECIPES
from src.training.device import pick_device
from src.training.launch import torchrun
from src.training.parallel import in_a_group, sole
from src.training.recognition import Saving, recognizer, train_recognizer

Measured = Callable[[FeatureSet], list[ScoreRecord]]
LETTERS = ("Z", "R", "RT", "S")
SHOWN = ("model", "layer", "step", "region", "metric", "raw", "ci_low", "ci_high", "ceiled")
SAVED = {  # fields of Saving, as flags call them
    "train": "train_epochs",
    "validation": "val_epochs",
    "model": "model_epochs",
    "seconds": "model_secs",
}
RANDOM = "random"  # in place of a file of weights
EVERY = "all"  # in place of a layer
RECIPE = ("epochs", "batch_size", "learning_rate", "step_size", "momentum", "weight_decay")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 2 for data it cannot use."""
    line = sys.argv[1:] if arguments is None else list(arguments)
    given = _parser().parse_args(line, argparse.Namespace(line=line))
    try:
        return given.run(given)
    except (DataError, ValueError, FileNotFoundError) as error:
        print(f"src.cornet {given.command}: {error}", file=sys.stderr)
        return 2


def train(given: argparse.Namespace) -> int:
    """Train one network on folders of images; on several devices by torchrun."""
    if given.ngpus > 1 and not in_a_group():
        return _on_several(given)
    letter = given.model.lower()
    chosen = {name: getattr(given, name) for name in RECIPE if getattr(given, name) is not None}
    recipe = replace(RECIPES[letter], **chosen, threads=given.threads)
    times = given.times if letter in ("r", "rt") else 0
    model = RecognizerConfig(given.model, f"cornet_{letter}", given.imsize, times)
    folders = open_folders(given.data_path)
    saving = Saving(*(getattr(given, f"save_{f.name}") for f in fields(Saving)))
    history = train_recognizer(
        recognizer(model, len(folders[0].classes), given.seed),
        folders,
        recipe,
        given.seed,
        given.output_path,
        saving=saving,
        device=given.device or ("auto" if given.ngpus else "cpu"),
        workers=given.workers,
        restore=given.restore_path,
    )
    last = history.iloc[-1]
    if int(os.environ.get("RANK", 0)) == 0:
        print(f"top-1 {last['validation']:.4f}, top-5 {last['validation_top5']:.4f}")
    return 0


def _on_several(given: argparse.Namespace) -> int:
    """The same command once a device, all on this machine."""
    with sole(given.output_path), torchrun(given.ngpus, "src.cornet", *given.line) as started:
        return started.wait()


def features(given: argparse.Namespace) -> int:
    """Features of a folder of images, an npz and a csv."""
    network = opened(given.model, given.weights, given.times, given.seed)
    step = None if given.all_steps else given.time_step
    print(_exported(given, network, given.data_path, f"{given.layer}.{given.sublayer}", step))
    return 0


def _exported(
    given: argparse.Namespace, network: Network, source: Path, part: str, step: int | None
) -> Path:
    """The npz of one part of a network, images shown as the flags say."""
    network.module.to(pick_device(given.device or ("auto" if given.ngpus else "cpu")))
    how = {"size": given.imsize, "crop": given.crop, "batch": given.batch_size, "pool": given.pool}
    screen = Screen(given.shown, given.field, given.looks, given.radius)
    return export_features(network, source, given.output_path, part, step, **how, screen=screen)


def opened(model: str, weights: str, times: int, seed: int) -> Network:
    """A network by name, published, own or random weights; CORnets by their letters.

    `weights` is a file, a folder of such, or the word random; empty: wherever they are kept.
    """
    record = cornet_record(model.lower(), times) if model in LETTERS else network_record(model)
    if weights == RANDOM:
        return random_network(record, seed)
    if not weights:
        return load_network(record)
    path = Path(weights).expanduser()
    return load_network(record if path.is_dir() else own_weights(record, path.name), path)


def assembly(given: argparse.Namespace) -> int:
    """Images and an array of responses to them, as the file that `score` takes."""
    arrays = SessionArrays(given.images, given.data_path)
    found = recorded_assembly(given.output_path.stem, arrays, given.region)
    print(found.save(given.output_path))
    n = found.stimuli["stimulus_id"].nunique()
    print(f"{len(found.values)} presentations of {n} images, {len(found.units)} units")
    return 0


def score(given: argparse.Namespace) -> int:
    """Score features of stimuli against an assembly, or against choices: a record and a page."""
    measured = _choices(given) if given.metric in CONSISTENCIES else _responses(given)
    records = [record for one in _feature_sets(given) for record in measured(one)]
    if not records:
        raise DataError("features are the same for all stimuli: give another layer or step")
    print(save_records(records, given.output_path))
    page = score_page(records, f"{given.metric}, {given.data_path.name}")
    save_figure(page, given.output_path / "scores.png")
    print(score_table(records)[list(SHOWN)].round(4).to_string(index=False))
    _compared(records, given.output_path)
    return 0


def _responses(given: argparse.Namespace) -> Measured:
    """Scores of features against an assembly, by region and time bin."""
    responses = open_assembly(given.data_path)
    regions = [given.region] if given.region else sorted(set(responses.units["region"]))
    how = {"components": given.components, "seed": given.seed}
    how = Settings(given.ceiling, given.formula or None, given.resamples, **how)
    source, bins = Source("own", data=given.data_path.stem), responses.time_bins
    every_bin = bins is not None and len(bins) > 1 and not given.time_bin

    def measured(one: FeatureSet) -> list[ScoreRecord]:
        if (one.values == one.values[:1]).all():
            return []
        if every_bin:
            by_region = [score_bins(one, responses, given.metric, r, source, how) for r in regions]
            return [record for records in by_region for record in records]
        bin_ms = tuple(given.time_bin) if given.time_bin else None
        return [
            likeness.score(one, responses, given.metric, region, bin_ms, source, how)
            for region in regions
        ]

    return measured


def _choices(given: argparse.Namespace) -> Measured:
    """Scores of features against a table of choices; --fitting names images to fit a readout to."""
    if not given.fitting:
        raise DataError("give --fitting, a csv of stimulus_id and object_name of other images")
    trials, fitting = open_choices(given.data_path), pd.read_csv(given.fitting, dtype=str)
    how = Settings(version=given.formula or None, resamples=given.resamples, seed=given.seed)
    source = Source("own", data=given.data_path.stem)
    return lambda one: [score_choices(one, fitting, trials, given.metric, source, how)]


def _feature_sets(given: argparse.Namespace) -> Iterator[FeatureSet]:
    """Features from files, or of images by a network, one layer after the other."""
    for path in given.features:
        yield from open_feature_sets(path, given.model)
    if given.features:
        return
    if not given.images or not given.model:
        raise DataError(f"give --features, or --images and --model, as {', '.join(LETTERS)}")
    network = opened(given.model, given.weights, given.times, given.seed)
    named = {layer.name: layer.node for layer in network.record.layers}
    parts = [named.get(given.layer, f"{given.layer}.{given.sublayer}")]
    for part in dict.fromkeys(named.values()) if given.layer == EVERY else parts:
        yield from open_feature_sets(_exported(given, network, given.images, part, None))


def _compared(records: Sequence[ScoreRecord], folder: Path) -> None:
    """`comparisons.csv`: all pairs of models or layers on the same data, where intervals are."""
    alike = defaultdict(list)
    for one in records:
        name = f"{one.model} {one.layer}{f'-t{one.step}' if one.step else ''}".rstrip()
        alike[one.region, one.time_bin].append(replace(one, model=name))
    several = {key: found for key, found in alike.items() if len(found) > 1}
    if several and "samples" in records[0].arrays:
        parts = [
            comparison_table(found).assign(region=region, time_bin=time_bin)
            for (region, time_bin), found in several.items()
        ]
        print(save_table(pd.concat(parts), folder / "comparisons.csv"))


def _parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    parser = argparse.ArgumentParser("python -m src.cornet", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    _add_train(commands.add_parser("train", help=train.__doc__))
    _add_features(commands.add_parser("features", aliases=["test"], help=features.__doc__))
    _add_assembly(commands.add_parser("assembly", help=assembly.__doc__))
    _add_score(commands.add_parser("score", help=score.__doc__))
    return parser


def _add_common(parser: argparse.ArgumentParser, data: str) -> None:
    add = parser.add_argument
    add("--data_path", type=Path, required=True, help=data)
    add("-o", "--output_path", type=Path, required=True, help="folder of what is written")
    add("--times", type=int, default=5, help="time steps of R and RT (5)")
    add("--ngpus", type=int, default=0, help="0: CPU; several: one process each (0)")
    add("--device", default="", help="auto, cpu, cuda or mps, in place of what --ngpus says")
    add("--seed", type=int, default=0, help="of random weights, order and crops (0)")


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_common(parser, "folder with train/<class> and val_in_folders/<class> or val/<class>")
    add, recipe = parser.add_argument, "published recipe of the model if not given"
    add("--model", choices=LETTERS, default="Z", help="which CORnet (Z)")
    add("-j", "--workers", type=int, default=4, help="processes that load images (4)")
    for name in RECIPE:
        kind = type(getattr(RecognitionConfig(), name))
        names = ["--lr", "--learning_rate"] if name == "learning_rate" else [f"--{name}"]
        add(*names, dest=name, type=kind, help=recipe)
    add("--imsize", type=int, default=224, help="pixels a side (224)")
    add("--threads", type=int, default=1, help="CPU threads; bytes agree only at one count (1)")
    add("--restore_path", type=Path, help="checkpoint to go on from (<output_path>/resume.pt)")
    for field in fields(Saving):
        how = {"type": float, "default": field.default, "help": f"({field.default:g})"}
        add(f"--save_{SAVED[field.name]}", dest=f"save_{field.name}", **how)
    parser.set_defaults(run=train)


def _add_features(parser: argparse.ArgumentParser) -> None:
    _add_common(parser, "folder or zip of images")
    _add_part(parser)
    add = parser.add_argument
    add("--model", choices=LETTERS, default="Z", help="which CORnet (Z)")
    add("--time_step", type=int, default=0, help="which of its steps (0)")
    add("--all_steps", action="store_true", help="all steps, on an axis of their own")
    parser.set_defaults(run=features)


def _add_part(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--weights", default="", help="file or folder; empty: published; or the word random")
    add("--layer", default="decoder", help="V1, V2, V4, IT or decoder (decoder)")
    add("--sublayer", default="avgpool", help="module within it, such as output (avgpool)")
    add("--imsize", type=int, default=224, help="pixels a side (224)")
    add("--crop", action="store_true", help="the middle, as in validation, and not stretched")
    add("--batch_size", type=int, default=32, help="images at once (32)")
    add("--pool", type=int, default=0, help="average maps to so many cells a side (0: do not)")
    add("--shown", type=float, default=8.0, help="degrees that images were shown at (8)")
    add("--field", type=float, default=8.0, help="degrees that the network sees (8)")
    add("--looks", type=int, default=1, help="small shifts whose features are averaged (1)")
    add("--radius", type=float, default=0.05, help="degrees within which they lie (0.05)")


def _add_assembly(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--images", type=Path, required=True, help="folder, zip or npy of images")
    add("--data_path", type=Path, required=True, help="npy (units, images[, repeats])")
    add("-o", "--output_path", type=Path, required=True, help="the file to write, .h5")
    add("--region", default="", help="of all units")
    parser.set_defaults(run=assembly)


def _add_score(parser: argparse.ArgumentParser) -> None:
    _add_common(parser, "assembly: .h5, .nc, .npz or .csv; or a csv of choices")
    _add_part(parser)
    add = parser.add_argument
    add("--model", default="", help="name of the model; with --images: Z, alexnet, ...")
    add("--features", type=Path, nargs="+", default=[], help="npz of `features`, or assemblies")
    add("--images", type=Path, help="in place of --features: images named as the stimuli")
    choices = (*METRICS, SPANTIME, *CONSISTENCIES)
    add("--metric", choices=choices, default="pls", help="(pls); i1 to i2n: of choices")
    add("--fitting", type=Path, help="for choices: csv of images and objects to fit to")
    add("--region", help="units of this region (each by itself)")
    add("--time_bin", type=float, nargs=2, metavar=("START", "END"), help="ms (every bin)")
    add("--ceiling", choices=get_args(Ceiling), default="repetitions")
    add("--formula", choices=VERSIONS, default="", help="which divides by it (the metric's own)")
    add("--components", type=int, default=COMPONENTS, help=f"of PLS ({COMPONENTS})")
    add("--resamples", type=int, default=RESAMPLES, help=f"for the interval ({RESAMPLES})")
    parser.set_defaults(run=score)


if __name__ == "__main__":
    sys.exit(main())
