"""YOLO detectors by ultralytics: offline, deterministic, and without a trace in the process.

This is the only file that imports ultralytics (AGPL-3.0), and only when a detector is used; every
other way to boxes (files, a table, any function) works without it.
"""

from __future__ import annotations

import os
import random
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from src.data import vision_operators
from src.data.detection import Detector, NamedDetector, together
from src.data.errors import DataError
from src.manifest import file_sha256, fingerprint

VARIABLES = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "False", "YOLO_VERBOSE": "False"}


@dataclass(frozen=True)
class Thresholds:
    """Which of a detector's boxes count; defaults are those of the winner's general one (4.2)."""

    confidence: float = 0.05
    iou: float = 0.5  # of two boxes that overlap more, the surer stays, whatever their classes
    classes: tuple[str, ...] = ()  # names of those that count; empty: all
    size: int = 256  # pixels of the longer side of the letter-boxed image


GENERAL = Thresholds()
PERSON = Thresholds(confidence=0.5, classes=("person",))


def yolo(weights: Path, thresholds: Thresholds, home: Path) -> Detector:
    """A detector from the weights of any YOLO that ultralytics reads; `home` is for its settings.

    Such files hold pickled objects: use only weights you trust. DataError if it cannot be read.
    """
    if not Path(weights).is_file():
        raise DataError(f"there are no detector weights {weights}: give a file, or choose others")
    with offline(home) as ultralytics:
        try:
            model = ultralytics.YOLO(Path(weights).resolve())
            names = {name: number for number, name in model.names.items()}
        except Exception as error:  # ultralytics lets through whatever the file made it raise
            raise DataError(f"{weights} holds no YOLO weights ({error}): choose others") from error
    if unknown := [c for c in thresholds.classes if c not in names]:
        raise DataError(f"{weights} knows no class {unknown[0]!r} among its {len(names)}")
    options = {
        "conf": thresholds.confidence,
        "iou": thresholds.iou,
        "agnostic_nms": True,
        "classes": [names[c] for c in thresholds.classes] or None,
        "imgsz": thresholds.size,
        "verbose": False,
    }

    def detect(images: np.ndarray) -> list[np.ndarray]:
        with offline(home):
            found = model.predict([np.ascontiguousarray(x[..., ::-1]) for x in images], **options)
        return [result.boxes.xyxy.cpu().numpy() for result in found]

    return detect


def named(weights: Sequence[tuple[Path, Thresholds]], home: Path) -> NamedDetector | None:
    """One detector of several weights, each with its thresholds; None if there are none."""
    if not weights:
        return None
    return NamedDetector(
        together(*(yolo(path, thresholds, home) for path, thresholds in weights)),
        " + ".join(path.name for path, _ in weights),
        fingerprint([[file_sha256(path), asdict(thresholds)] for path, thresholds in weights]),
    )


@contextmanager
def offline(home: Path) -> Iterator[ModuleType]:
    """The package ultralytics, with no way out, in a process that is left as it was found.

    It looks for hosts when imported, after training, and for a font; and it sets seeds, threads,
    print options, variables and `torch.save` for everybody.
    """
    with ExitStack() as stack:
        for restore in _restorers():
            stack.callback(restore)
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        os.environ.update(VARIABLES, YOLO_CONFIG_DIR=str(Path(home).resolve()))
        _provide_font(Path(home) / "Ultralytics" / "Arial.ttf")
        vision_operators.ensure()
        import ultralytics
        from ultralytics.utils import torch_utils

        if switches := {k: False for k, v in ultralytics.settings.items() if v is True}:
            ultralytics.settings.update(switches)  # analytics and other services
        torch_utils.NUM_THREADS = 1  # bytes agree at one number only
        yield ultralytics


def _provide_font(path: Path) -> None:
    import matplotlib

    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        font = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
        shutil.copyfile(font, path)


def _restorers() -> list[partial]:
    """Calls that put back all that ultralytics changes."""
    environment = dict(os.environ)  # before cv2, which adds to it
    import cv2

    deterministic = torch.are_deterministic_algorithms_enabled()
    warn = torch.is_deterministic_algorithms_warn_only_enabled()
    owners = (
        (torch, "save"),
        (torch.backends.cudnn, "deterministic"),
        (torch.utils.deterministic, "fill_uninitialized_memory"),
    )
    return [
        partial(_set_environment, environment),
        partial(torch.set_num_threads, torch.get_num_threads()),
        partial(cv2.setNumThreads, cv2.getNumThreads()),
        partial(torch.use_deterministic_algorithms, deterministic, warn_only=warn),
        *(partial(setattr, owner, name, getattr(owner, name)) for owner, name in owners),
        partial(setattr, torch._tensor_str, "PRINT_OPTS", copy(torch._tensor_str.PRINT_OPTS)),
        partial(np.set_printoptions, **np.get_printoptions()),
        partial(random.setstate, random.getstate()),
        partial(np.random.set_state, np.random.get_state()),  # noqa: NPY002
        partial(torch.set_rng_state, torch.get_rng_state()),
    ]


def _set_environment(variables: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)
