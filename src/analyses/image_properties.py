"""What the images of a recording are like: complexity, brightness, contrast, the object's box.

Complexity is the mean length of the gradient of 5x5 Sobel filters; brightness and contrast are mean
and standard deviation of the pixels (analyses of the SENSORIUM 2022 winner).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from src.data.errors import DataError
from src.data.pictures import open_pictures, prepare
from src.data.session import Session

DERIVATIVE, SMOOTHING = (-1, -2, 0, 2, 1), (1, 4, 6, 4, 1)
PROPERTIES = ("complexity", "brightness", "contrast")
BOX = ("area", "x", "y")


def complexity(image: np.ndarray) -> float:
    """Mean over pixels of the gradient's length, in gray levels: (h, w) -> scalar."""
    x = _along(1, _along(0, image, SMOOTHING), DERIVATIVE)
    y = _along(0, _along(1, image, SMOOTHING), DERIVATIVE)
    return float(np.hypot(x, y).mean())


def _along(axis: int, image: np.ndarray, weights: tuple[int, ...]) -> np.ndarray:
    """Weighted sums of five neighbors, mirrored at the border (reflect-101): (h, w) -> (h, w)."""
    border = [(2, 2) if a == axis else (0, 0) for a in (0, 1)]
    wide = np.pad(image.astype(np.float64), border, mode="reflect")
    return sliding_window_view(wide, len(weights), axis) @ np.array(weights, np.float64)


def property_table(images: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Complexity, brightness and contrast of 8-bit images by id: {id: (h, w)} -> i rows."""
    rows = [(i, complexity(x), x.mean(), x.std()) for i, x in images.items()]
    return pd.DataFrame(rows, columns=["image_id", *PROPERTIES])


def gray(image: np.ndarray) -> np.ndarray:
    """An image in 8 bits, its luma if it has colors: (c, h, w) in 0..255 -> (h, w) uint8."""
    if image.min() < 0 or image.max() > 255:
        raise DataError(
            f"an image {image.shape} has values {image.min():g} to {image.max():g}, not 0 to 255: "
            "rescale the recording's images"
        )
    pixels = image.astype(np.uint8).transpose(1, 2, 0)
    return prepare(np.broadcast_to(pixels, (*pixels.shape[:2], 3)), color=False, height=None)[0]


def shown_images(sessions: Iterable[Session], tier: str = "test") -> dict[int, np.ndarray]:
    """Every image of a tier once, by ascending id, in 8-bit gray: -> {id: (h, w)}."""
    found: dict[int, np.ndarray] = {}
    for session in sessions:
        trials = session.trials(tier)
        ids, first = np.unique(session.image_ids[trials], return_index=True)
        new = ~np.isin(ids, list(found))
        pixels = session.pixels(trials[first[new]])
        found |= dict(zip(ids[new].tolist(), map(gray, pixels), strict=True))
    return dict(sorted(found.items()))


def folder_images(folder: str | Path) -> dict[int, np.ndarray]:
    """Image files named by image id (104.png), in 8-bit gray, by ascending id: -> {id: (h, w)}.

    For those who have the images of a study and no recording. Raises DataError for other names.
    """
    pictures = open_pictures("images", folder)
    found: dict[int, np.ndarray] = {}
    for name, image in zip(pictures.names, pictures, strict=True):
        stem = PurePosixPath(name).stem
        if not stem.isdecimal() or int(stem) in found:
            raise DataError(
                f"{pictures.where}: {name} is not the one file of an image id: call each file by "
                "its id, as 104.png, and remove others"
            )
        found[int(stem)] = gray(image.transpose(2, 0, 1))
    return dict(sorted(found.items()))


def box_table(sessions: Iterable[Session], tier: str = "test") -> pd.DataFrame:
    """Box of each image of a tier, from the sessions that have boxes: image_id, number, area, x, y.

    Detections were merged into one box: number is 1, or 0 where the full frame stands for none, and
    area (share of the frame), x and y (its center, 0..1 from the left and top) are then empty.
    """
    rows: dict[int, tuple[float, ...]] = {}
    for session in filter(None, map(_boxed, sessions)):
        trials = session.trials(tier)
        ids, first = np.unique(session.image_ids[trials], return_index=True)
        boxes = session.batch(trials[first]).boxes.numpy().astype(np.float64)
        rows = {i: tuple(box) for i, box in zip(ids.tolist(), boxes, strict=True)} | rows
    table = pd.DataFrame(rows.values(), columns=list("xywh"), dtype=float)
    table.insert(0, "image_id", np.array(list(rows), dtype=int))
    table.insert(1, "area", table.pop("w") * table.pop("h"))
    table.insert(1, "number", (table["area"] < 1).astype(int))
    table.loc[table["number"] == 0, list(BOX)] = np.nan
    return table.sort_values("image_id", ignore_index=True)


def _boxed(session: Session) -> Session | None:
    """The session with its boxes, None if it came without."""
    try:
        return Session(session.folder, replace(session.inputs, boxes="file"))
    except DataError:
        return None
