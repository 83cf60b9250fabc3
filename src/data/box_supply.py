"""Boxes for packed sessions: those that came as files, from a table, or from a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from src.data import box_files
from src.data.detection import NamedDetector, detect_boxes
from src.data.errors import DataError
from src.manifest import note_input

SOURCES = ("files", "table", "detector")  # the order in which "auto" takes what is there
REMEDIES = {
    "files": "the recording has no data/xywh/*.npy",
    "table": "put boxes.csv (image_id, x, y, w, h) beside the recordings",
    "detector": "give detector_weights, or put detector.pt beside the recordings",
}


def beside(recordings: Path, name: str, given: str = "") -> Path | None:
    """The file `given`, or one called `name` beside the recordings, or None."""
    path = Path(given).expanduser() if given else Path(recordings) / name
    if given and not path.is_file():
        raise DataError(f"{path} does not exist: give a file, or leave the parameter empty")
    return note_input(path) if path.is_file() else None


def supply_boxes(
    folder: Path,
    wanted: str = "auto",
    table: Path | None = None,
    detector: NamedDetector | None = None,
    cache: Path | None = None,
    fill: bool = False,
) -> dict[str, Any]:
    """Give a packed session its boxes; a row of the table of boxes: session, boxes from, ...

    wanted: files, table, detector, none, or auto for the first of them that is there. `fill` puts
    the full frame where a table has no row, instead of an error.
    """
    folder = Path(folder)
    with np.load(folder / "meta.npz") as meta:
        ids = meta["frame_image_id"]
    index = np.load(folder / "image_index.npy")
    there = {"files": (folder / "xywh.npy").exists(), "table": table, "detector": detector}
    source = _chosen(folder.name, wanted, there)
    if source in ("files", "none"):
        box_files.drop_boxes(folder)
    if source == "table":
        first = np.unique(index, return_index=True)[1]
        boxes = box_files.table_boxes(table, ids[first], fill)
        box_files.save_boxes(folder, boxes, box_files.has_object(boxes), table.name)
    if source == "detector":
        images = np.load(folder / "images.npy", mmap_mode="r")
        boxes, counts = detect_boxes(images, detector, cache or folder, f"boxes of {folder.name}")
        box_files.save_boxes(folder, boxes, counts > 0, detector.name)
    row = {"session": folder.name, "boxes from": "none", "images": index.max() + 1}
    if source == "none":
        return row
    boxes, found, origin = box_files.read_boxes(folder, folder.name, index)
    first = np.unique(index, return_index=True)[1]
    row |= {"boxes from": origin, "with an object": found[first].mean()}
    if found.any():
        row["median area"] = np.median(boxes[first][found[first], 2:].prod(1))
    return row


def _chosen(key: str, wanted: str, there: dict[str, Any]) -> str:
    if wanted == "auto":
        return next((source for source in SOURCES if there[source]), "none")
    if wanted not in (*SOURCES, "none"):
        raise DataError(f"boxes={wanted!r} is not one of auto, {', '.join(SOURCES)}, none")
    if wanted != "none" and not there[wanted]:
        raise DataError(f"session '{key}' cannot have boxes={wanted!r}: {REMEDIES[wanted]}")
    return wanted
