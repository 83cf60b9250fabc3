"""Object boxes of a packed session: where they are kept, and in which form a model receives them.

Boxes that came with the recording are in `xywh.npy`, one a trial. Boxes from a table or a detector
are in `boxes.npz`, one a different image, and count where both are there. A box is x, y, w, h of
center and size in 0..1; the full frame stands for "nothing was found", so `found` says which is it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from src.data.errors import DataError
from src.data.sensorium import FULL_FRAME
from src.data.stored import read_npz
from src.manifest import file_sha256, note_input, save_arrays
from src.seeds import numpy_stream

FILE = "boxes.npz"
COLUMNS = ("image_id", "x", "y", "w", "h")


def has_object(boxes: np.ndarray) -> np.ndarray:
    """Whether a box is other than the full frame: (n, 4) -> (n,) bool."""
    return (boxes != FULL_FRAME).any(1)


def save_boxes(folder: Path, boxes: np.ndarray, found: np.ndarray, origin: str) -> Path:
    """Give a packed session boxes, one for each different image: (i, 4), (i,) bool."""
    images = len(np.load(Path(folder) / "images.npy", mmap_mode="r"))
    if boxes.shape != (images, 4) or found.shape != (images,):
        raise DataError(
            f"{folder} has {images} different images but boxes are {boxes.shape} and found is "
            f"{found.shape}: give ({images}, 4) and ({images},)"
        )
    return save_arrays(Path(folder) / FILE, boxes=boxes, found=found, origin=np.str_(origin))


def drop_boxes(folder: Path) -> None:
    """Go back to the boxes that came with the recording, if there were any."""
    (Path(folder) / FILE).unlink(missing_ok=True)


def read_boxes(folder: Path, key: str, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Boxes of all trials, and what `found` them: image of each trial (n,) -> (n, 4), (n,), origin.

    DataError where there are none.
    """
    supplied, shipped = Path(folder) / FILE, Path(folder) / "xywh.npy"
    if supplied.exists():
        stored = read_npz(note_input(supplied), "re-run 01_preprocess")
        return stored["boxes"][index], stored["found"][index], str(stored["origin"])
    if not shipped.exists():
        raise DataError(
            f"session '{key}' has no boxes (data/xywh/*.npy): supply them, a table or detector "
            "weights and re-run 01_preprocess, or use boxes='full_frame'"
        )
    boxes = np.load(shipped)
    return boxes, has_object(boxes), "file"


def fingerprint(folder: Path) -> str:
    """sha256 of boxes that did not come with the recording; empty where they did."""
    path = Path(folder) / FILE
    return file_sha256(path) if path.exists() else ""


def box_input(kind: str, folder: Path, key: str, index: np.ndarray) -> np.ndarray | None:
    """What `InputConfig.boxes` = `kind` lets a model see of the boxes: (n,) -> (n, 4 or 5) float32.

    `flag` adds 1 where a box was found and 0 where the full frame stands in; `shuffled` hands the
    boxes to other images of the session at random, repeats of an image keeping one.
    """
    if kind == "none":
        return None
    if kind == "full_frame":
        return np.tile(np.float32(FULL_FRAME), (len(index), 1))
    boxes, found, _ = read_boxes(folder, key, index)
    if kind == "flag":
        boxes = np.column_stack([boxes, found])
    if kind == "shuffled":
        boxes = shuffled(boxes, index, numpy_stream(0, "boxes", key))
    return boxes.astype(np.float32)


def shuffled(boxes: np.ndarray, index: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Boxes handed from image to image: (n, 4), image of each trial (n,) -> (n, 4)."""
    _, first, image = np.unique(index, return_index=True, return_inverse=True)
    return boxes[first][generator.permutation(len(first))][image]


def table_boxes(path: Path, image_ids: Sequence, fill: bool = False) -> np.ndarray:
    """Boxes of images by their ids from a CSV with columns image_id, x, y, w, h: (i,) -> (i, 4).

    DataError for what is no such table, and for an image without a row unless `fill` puts the full
    frame there.
    """
    table = pd.read_csv(note_input(Path(path)), dtype={"image_id": str})
    if missing := [c for c in COLUMNS if c not in table]:
        raise DataError(f"{path} has no column {missing[0]}: it needs {', '.join(COLUMNS)}")
    boxes = table.set_index("image_id")[list(COLUMNS[1:])]
    if twice := boxes.index[boxes.index.duplicated()].tolist():
        raise DataError(f"{path} has image {twice[0]} more than once: give each image one row")
    numbers = boxes.apply(pd.to_numeric, errors="coerce")
    wrong = ~((numbers >= 0) & (numbers <= 1)).all(axis=1)
    if wrong.any():
        bad = boxes[wrong].iloc[0]
        raise DataError(
            f"{path}: image {bad.name} has box {bad.tolist()} outside [0, 1] ({wrong.sum()} such "
            "rows): divide pixels by width and height"
        )
    wanted = np.asarray(image_ids, np.str_)
    absent = wanted[~np.isin(wanted, boxes.index)]
    if len(absent) and not fill:
        raise DataError(
            f"{path} has {len(boxes)} rows but none for {len(absent)} of {len(wanted)} images "
            f"(first: {absent[0]}): add them, or set fill_boxes for the full frame"
        )
    rows = numbers.reindex(wanted).fillna(dict(zip("xywh", FULL_FRAME, strict=True)))
    return rows.to_numpy()
