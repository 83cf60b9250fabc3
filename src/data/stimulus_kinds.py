"""Recordings of images and of films, which different studies read: what to say of a mix-up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from src.data.errors import DataError


@dataclass(frozen=True)
class StimulusKind:
    """What was shown, where a recording has it, and the study that reads it."""

    word: str
    folder: str  # of a mouse, below data/
    arrays: str  # files of plain arrays, before they are imported
    study: str


IMAGES = StimulusKind("images", "images", "images_*", "sensorium2022")
FILMS = StimulusKind("films", "videos", "movie_*.npy", "sensorium2023")
KINDS = (IMAGES, FILMS)


def require_kind(path: Path, has: set[str], wanted: StimulusKind) -> None:
    """DataError where trials of a recording have another kind of stimulus alone: `has` folders."""
    for kind in KINDS:
        if kind.folder in has and wanted.folder not in has:
            raise DataError(
                f"{path} is a recording of {kind.word} (data/{kind.folder}), not of {wanted.word}: "
                f"put it in the raw folder of {kind.study}, whose notebooks read it"
            )


def arrays_hint(source: Path, wanted: StimulusKind) -> str:
    """Which notebook imports a folder that holds arrays of another kind; else nothing."""
    for kind in KINDS:
        if kind is not wanted and any(source.glob(kind.arrays)):
            return (
                f"; what it holds ({kind.arrays}) is a recording of {kind.word}, which "
                f"notebooks/{kind.study}/00_import_recording imports"
            )
    return ""


def raw_hint(raw: Path, wanted: StimulusKind) -> str:
    """Where a recording of that name lies if it was imported as another kind; else nothing.

    `raw` is data/raw/<study>/<recording>.
    """
    for kind in KINDS:
        if kind is not wanted and (raw.parent.parent / kind.study / raw.name).is_dir():
            return f"; {imported(raw.name, kind.study)}"
    return ""


def imported(recording: str, study: str) -> str:
    """What to say of a recording that another study has."""
    of = "".join(f", of {kind.word}" for kind in KINDS if kind.study == study)
    run = f"bash run_all.sh --study {study} --recording {recording}"
    return f"{study} has one of that name{of}: `{run}` runs it"
