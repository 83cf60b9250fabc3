"""Somebody's own recording, from plain arrays to the on-disk layout of SENSORIUM 2022.

A recording is a folder of sessions, one folder each, as `src.data.sensorium` reads them: images,
responses and, where known, behavior, pupil and coordinates. The content of an image alone decides
its tier, so that no image is on two sides, in whichever sessions it was shown, and adding a session
moves no image.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.data.arrays import RecordedSession, SessionArrays, Trials
from src.data.errors import DataError
from src.data.pictures import content, prepare, same_picture, thumbnail
from src.manifest import fingerprint, note_output, source_sha256

RECORD = "recording.json"  # in a recording's folder: what it was made from, and its table
CODE = ("data/arrays", "data/pictures", "data/recording")
TIERS = ("train", "validation", "test")
STATISTICS = ("min", "max", "median", "mean", "std")


@dataclass(frozen=True)
class ImportConfig:
    """How a recording is written; images neither for training nor validation are for testing."""

    color: bool = False  # three channels instead of one
    height: int | None = None  # in pixels, resized with the width in proportion; None: as it is
    train: float = 0.75  # fractions of the different images
    validation: float = 0.10
    average_training: bool = True  # one trial, the mean of its repeats, an image not for testing

    def __post_init__(self) -> None:
        if not (min(self.train, self.validation) > 0 and self.train + self.validation < 1):
            raise DataError(
                f"fractions train {self.train} and validation {self.validation} must be positive "
                "and leave something for testing: lower one"
            )

    def tier(self, identity: str) -> str:
        """Tier of an image by its content (see `pictures.content`), the same in every recording."""
        place = int(identity[:13], 16) / 16**13
        if place >= self.train + self.validation:
            return "test"
        return "train" if place < self.train else "validation"


def import_recording(
    folder: str | Path, sessions: Mapping[str, SessionArrays], config: ImportConfig = ImportConfig()
) -> pd.DataFrame:
    """Write a recording to `folder`, one folder a session; returns a table, one row a session.

    All or nothing: it is written beside `folder` and then takes its place. The same input again
    changes nothing; other input replaces the earlier import. DataError, in one line, for whatever
    does not fit, and for a `folder` that holds something else.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / RECORD).is_file():
        raise DataError(f"{folder} exists and is no imported recording: choose another name")
    if not sessions:
        raise DataError("there is no session to import: give at least one")
    opened = [RecordedSession(name, arrays) for name, arrays in sessions.items()]
    contents = [[content(image) for image in s.pictures] for s in opened]
    made_from = _made_from(opened, contents, config)
    if not (folder / RECORD).is_file() or read_record(folder)["made_from"] != made_from:
        identities = identify(opened, contents)
        with staging(folder) as new:
            pairs = zip(opened, identities, strict=True)
            rows = [_write(new / s.name, s, i, config) for s, i in pairs]
            _require_same_shape(rows)
            record = {"made_from": made_from, "config": asdict(config), "sessions": rows}
            (new / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    note_output(folder / RECORD)
    return pd.DataFrame(read_record(folder)["sessions"])


def identify(sessions: list[RecordedSession], contents: list[list[str]]) -> list[list[str]]:
    """Contents of images, copies (another encoding) given that of one of them: as `contents`."""
    thumbnails: dict[str, np.ndarray] = {}
    for session, keys in zip(sessions, contents, strict=True):
        new = ((i, key) for i, key in enumerate(keys) if key not in thumbnails)
        thumbnails |= {key: thumbnail(session.pictures.read(i)) for i, key in new}
    known = sorted(thumbnails)
    first = same_picture(np.stack([thumbnails[key] for key in known]))
    original = {key: known[i] for key, i in zip(known, first, strict=True)}
    return [[original[key] for key in keys] for keys in contents]


def _made_from(
    sessions: list[RecordedSession], contents: list[list[str]], config: ImportConfig
) -> str:
    """Fingerprint of code, configuration, images and arrays."""
    arrays = [
        [s.name, f, list(a.shape), hashlib.sha256(np.ascontiguousarray(a)).hexdigest()]
        for s in sessions
        for f, a in {**s.arrays, "coordinates": s.coordinates}.items()
        if a is not None
    ]
    return fingerprint([source_sha256(*CODE), asdict(config), contents, arrays])


def read_record(folder: Path) -> dict[str, Any]:
    """What an imported recording says of itself."""
    return json.loads((folder / RECORD).read_text())


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place when the block ends well, else vanishes."""
    new, old = (folder.with_name(f".{folder.name}.{s}") for s in ("partial", "old"))
    try:
        _tidy(folder, new, old)
        new.mkdir(parents=True)
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error}): choose another place") from None
    finally:
        _tidy(folder, new, old)


def _tidy(folder: Path, new: Path, old: Path) -> None:
    """Remove what a finished, failed or killed import left, and put back what it had set aside."""
    if old.exists() and not folder.exists():
        old.rename(folder)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)


def _write(
    folder: Path, session: RecordedSession, identity: list[str], config: ImportConfig
) -> dict[str, Any]:
    """Write one session; returns its row of the table."""
    tiers = np.array([config.tier(i) for i in identity])
    for tier in TIERS:
        if tier not in tiers:
            raise DataError(
                f"session '{session.name}' has no {tier} image among its {len(tiers)}: use more "
                "images or a larger fraction"
            )
    trials = session.trials((tiers != "test") & config.average_training)
    shown = tiers[trials.images]
    images = [prepare(image, config.color, config.height) for image in session.pictures]
    _require_one_shape(session, images)
    _write_trials(folder / "data", images, trials)
    ids = np.array([int(i[:12], 16) for i in identity])  # exact as integer, float64 and JSON
    save_npy(folder / "meta/trials/tiers", shown)
    save_npy(folder / "meta/trials/trial_idx", np.arange(len(shown)))
    save_npy(folder / "meta/trials/frame_image_id", ids[trials.images])
    save_npy(folder / "meta/neurons/unit_ids", np.arange(1, session.n_units + 1))
    if session.coordinates is not None:
        save_npy(folder / "meta/neurons/cell_motor_coordinates", session.coordinates)
    _write_statistics(folder / "meta/statistics", images, trials, shown == "train")
    repeats = session.complete.sum(1)
    return {
        "session": session.name,
        "units": session.n_units,
        "image_shape": list(images[0].shape),
        "images": len(images),
        "different_images": len(set(identity)),
        "repeats_min": int(repeats.min()),
        "repeats_max": int(repeats.max()),
        "incomplete_repeats": session.incomplete,
        "trials": len(shown),
        **{f"{tier}_images": len(set(ids[tiers == tier])) for tier in TIERS},
        **{f"{tier}_trials": int((shown == tier).sum()) for tier in TIERS},
    }


def _require_one_shape(session: RecordedSession, images: list[np.ndarray]) -> None:
    for name, image in zip(session.pictures.names, images, strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"{session.pictures.where}: {name} is {image.shape} but the first image is "
                f"{images[0].shape} (channels, height, width): crop or pad them to one shape"
            )


def _require_same_shape(rows: list[dict[str, Any]]) -> None:
    first, *others = rows
    for row in others:
        if row["image_shape"] != first["image_shape"]:
            shapes = [tuple(r["image_shape"]) for r in (row, first)]
            raise DataError(
                f"session '{row['session']}' has images {shapes[0]}, session "
                f"'{first['session']}' has {shapes[1]} (channels, height, width), but sessions "
                "share one core: give a height to resize to"
            )


def save_npy(path: Path, array: np.ndarray) -> None:
    """Write an array under a name without its ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path.with_name(f"{path.name}.npy"), array, allow_pickle=False)


def _write_trials(folder: Path, images: list[np.ndarray], trials: Trials) -> None:
    """One file a trial and kind: images (c, h, w), all else (k,)."""
    for kind in ("images", *trials.values):
        (folder / kind).mkdir(parents=True)
    for trial, image in enumerate(trials.images):
        np.save(folder / f"images/{trial}.npy", images[image])
        for kind, values in trials.values.items():
            np.save(folder / f"{kind}/{trial}.npy", values[trial])


def _write_statistics(
    folder: Path, images: list[np.ndarray], trials: Trials, training: np.ndarray
) -> None:
    """Statistics over training trials: scalars over all pixels of images, (k,) of all else."""
    counts = sum(np.bincount(images[i].ravel(), minlength=256) for i in trials.images[training])
    found = {"images": _statistics_of_pixels(counts)}
    for kind, values in trials.values.items():
        found[kind] = {f: getattr(np, f)(values[training], axis=0) for f in STATISTICS}
    for kind, statistics in found.items():
        for name, value in statistics.items():
            for frames in ("all", "stimulus_frame"):
                save_npy(folder / kind / frames / name, np.asarray(value, np.float64))


def _statistics_of_pixels(counts: np.ndarray) -> dict[str, float]:
    """Exact statistics of uint8 values from how often each occurs: (256,) -> scalars."""
    values = np.arange(len(counts))
    there = values[counts > 0]
    mean = np.average(values, weights=counts)
    return {
        "min": there[0],
        "max": there[-1],
        "median": np.quantile(values, 0.5, weights=counts, method="inverted_cdf"),
        "mean": mean,
        "std": np.average((values - mean) ** 2, weights=counts) ** 0.5,
    }
