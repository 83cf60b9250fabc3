"""CORnets from the command line: `python -m src.cornet train|features|score --help`.

Flags have the names of the published code where it has them. The work is done elsewhere:
src/training/recognition.py, src/models/picture_features.py, src/evaluation/likeness.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from src.config import RecognitionConfig, RecognizerConfig
from src.data.assembly_files import open_assembly
from src.data.errors import DataError
from src.data.feature_set import open_feature_sets
from src.data.folders import open_folders
from src.evaluation import likeness
from src.evaluation.likeness import METRICS, Settings
from src.evaluation.resampling import RESAMPLES
from src.evaluation.score_record import Source, save_records, score_table
from src.figures.score_page import score_page
from src.manifest import save_figure
from src.models.networks import Network
from src.models.picture_features import export_features
from src.models.pretrained import load_network, random_network
from src.models.registry import cornet_record, own_weights
from src.studies.cornet import RECIPES
from src.training.device import pick_device
from src.training.recognition import Saving, recognizer, train_recognizer

LETTERS = ("Z", "R", "RT", "S")
SHOWN = ("model", "layer", "step", "region", "metric", "raw", "ci_low", "ci_high", "ceiled")
SAVED = {  # fields of Saving, as flags call them
    "train": "train_epochs",
    "validation": "val_epochs",
    "model": "model_epochs",
    "seconds": "model_secs",
}
RANDOM = "random"  # in place of a file of weights
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
    """Train one network on folders of pictures; on several devices by torchrun."""
    if given.ngpus > 1 and "LOCAL_RANK" not in os.environ:
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
    start = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={given.ngpus}"]
    return subprocess.run([sys.executable, *start, "-m", "src.cornet", *given.line]).returncode


def features(given: argparse.Namespace) -> int:
    """Features of a folder of pictures, an npz and a csv."""
    network = opened(given.model, given.weights, given.times, given.seed)
    network.module.to(pick_device(given.device or ("auto" if given.ngpus else "cpu")))
    step = None if given.all_steps else given.time_step
    part = f"{given.layer}.{given.sublayer}"
    how = {"size": given.imsize, "crop": given.crop, "batch": given.batch_size}
    print(export_features(network, given.data_path, given.output_path, part, step, **how))
    return 0


def opened(model: str, weights: str, times: int, seed: int) -> Network:
    """A CORnet by its letters with published weights, those of a file, or random ones."""
    record = cornet_record(model.lower(), times)
    if weights == RANDOM:
        return random_network(record, seed)
    if not weights:
        return load_network(record)
    path = Path(weights).expanduser()
    return load_network(record if path.is_dir() else own_weights(record, path.name), path)


def score(given: argparse.Namespace) -> int:
    """Score features of stimuli against the responses of an assembly: a record and a page."""
    assembly = open_assembly(given.data_path)
    regions = [given.region] if given.region else sorted(set(assembly.units["region"]))
    found = open_feature_sets(given.features or _extracted(given), given.model)
    sets = [one for one in found if (one.values != one.values[:1]).any()]
    if not sets:
        raise DataError(f"features {found[0].values.shape} are the same for all stimuli")
    bin_ms = tuple(given.time_bin) if given.time_bin else None
    source = Source("own", data=given.data_path.stem)
    how = Settings(given.ceiling, resamples=given.resamples, seed=given.seed)
    records = [
        likeness.score(one, assembly, given.metric, region, bin_ms, source, how)
        for one in sets
        for region in regions
    ]
    print(save_records(records, given.output_path))
    page = score_page(records, f"{given.model}, {given.metric}, {given.data_path.name}")
    save_figure(page, given.output_path / "scores.png")
    print(score_table(records)[list(SHOWN)].round(4).to_string(index=False))
    return 0


def _extracted(given: argparse.Namespace) -> Path:
    """Features of the pictures of a folder by a CORnet, all steps of one part."""
    if not given.images or given.model not in LETTERS:
        raise DataError(f"give --features, or --images and --model of {', '.join(LETTERS)}")
    network = opened(given.model, given.weights, given.times, given.seed)
    part = f"{given.layer}.{given.sublayer}"
    return export_features(network, given.images, given.output_path, part, size=given.imsize)


def _parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    parser = argparse.ArgumentParser("python -m src.cornet", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    _add_train(commands.add_parser("train", help=train.__doc__))
    _add_features(commands.add_parser("features", aliases=["test"], help=features.__doc__))
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
    add("-j", "--workers", type=int, default=4, help="processes that load pictures (4)")
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
    _add_common(parser, "folder or zip of pictures")
    _add_part(parser)
    add = parser.add_argument
    add("--model", choices=LETTERS, default="Z", help="which CORnet (Z)")
    add("--time_step", type=int, default=0, help="which of its steps (0)")
    add("--all_steps", action="store_true", help="all steps, on an axis of their own")
    add("--crop", action="store_true", help="the middle, as in validation, and not stretched")
    add("--batch_size", type=int, default=32, help="pictures at once (32)")
    parser.set_defaults(run=features)


def _add_part(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--weights", default="", help="file or folder; empty: published; or the word random")
    add("--layer", default="decoder", help="V1, V2, V4, IT or decoder (decoder)")
    add("--sublayer", default="avgpool", help="module within it, such as output (avgpool)")
    add("--imsize", type=int, default=224, help="pixels a side (224)")


def _add_score(parser: argparse.ArgumentParser) -> None:
    _add_common(parser, "assembly: .h5, .nc, .npz or .csv")
    _add_part(parser)
    add = parser.add_argument
    add("--model", default="model", help="name of the model; with --images: Z, R, RT or S")
    add("--features", type=Path, help="npz of `features`, or an assembly of features")
    add("--images", type=Path, help="in place of --features: pictures named as the stimuli")
    add("--metric", choices=METRICS, default="pls", help="(pls)")
    add("--region", help="units of this region (each by itself)")
    add("--time_bin", type=float, nargs=2, metavar=("START", "END"), help="ms")
    add("--ceiling", choices=["repetitions", "ncsnr", "none"], default="repetitions")
    add("--resamples", type=int, default=RESAMPLES, help=f"for the interval ({RESAMPLES})")
    parser.set_defaults(run=score)


if __name__ == "__main__":
    sys.exit(main())
