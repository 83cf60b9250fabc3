"""A mouse on disk in the SENSORIUM 2022 layout, from a folder or straight from a zip.

The words of the source files stop here: what they call data key, tier, frame image id and xywh is a
session's key, a trial's tier, an image id and a box from here on. Imported recordings use the same
layout without animal ids, and may lack everything but images, responses, unit ids and trial tables.
"""

from __future__ import annotations

import re
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from src.data.errors import DataError
from src.data.npy_tree import NpyRecording, NpySource, open_all, open_source
from src.data.stimulus_kinds import IMAGES

ROLES = {
    "26872-17-20": "sensorium",
    "27204-5-13": "sensorium+",
    "21067-10-18": "pretraining",
    "22846-10-16": "pretraining",
    "23343-5-17": "pretraining",
    "23656-14-22": "pretraining",
    "23964-4-22": "pretraining",
}
TIERS = ("train", "validation", "test", "final_test")
FULL_FRAME = (0.5, 0.5, 1.0, 1.0)  # the box of an image in which nothing was detected
KINDS = ("images", "responses", "behavior", "pupil_center", "xywh")  # one file a trial, each
REQUIRED_KINDS = ("images", "responses")
IMAGE_ID_NAMES = ("frame_image_id", "image_id", "colorframeprojector_image_id")

KEY_IN_NAME = re.compile(r"static(\d+-\d+-\d+)(?:-|$)")


class Mouse(NpyRecording):
    """One mouse or imported recording: n trials of u units, one file per kind and trial.

    With `fill_boxes`, a trial whose box file is missing among others has the full frame.
    """

    def __init__(self, source: NpySource, fill_boxes: bool = False) -> None:
        super().__init__(source)
        self.fill_boxes = fill_boxes

    @cached_property
    def key(self) -> str:
        """`animal-session-scan` from the name, else from meta/neurons; else the folder's name."""
        name = self.path.name.removesuffix(".zip")
        for candidate in (name, Path(self._source.top).name):
            if found := KEY_IN_NAME.match(candidate):
                return found[1]
        return self.key_of_neurons or name

    @cached_property
    def key_of_neurons(self) -> str | None:
        """The key that meta/neurons states, if it states one."""
        names = [f"meta/neurons/{n}" for n in ("animal_ids", "sessions", "scan_idx")]
        if not all(map(self.has, names)):
            return None
        values = [np.unique(self.array(n)) for n in names]
        if any(v.size != 1 for v in values):
            found = ", ".join(str(v.tolist()) for v in values)
            raise DataError(
                f"{self.path}/meta/neurons: animal_ids, sessions and scan_idx must hold one value "
                f"each, not {found}: one folder is one session"
            )
        return "-".join(str(v[0]) for v in values)

    @property
    def role(self) -> str:
        """pretraining | sensorium | sensorium+ for the seven published mice, else recording."""
        return ROLES.get(self.key, "recording")

    @cached_property
    def boxes_filled(self) -> int:
        """How many trials have the full frame because of `fill_boxes`."""
        missing = {str(i) for i in range(self.n_trials)} - self.trial_names("xywh")
        return len(missing) if self.fill_boxes and self.has_kind("xywh") else 0

    def trial(self, kind: str, i: int) -> np.ndarray:
        """What trial `i` has of `kind`, as stored: images (c, h, w), all else (k,)."""
        if kind == "xywh" and self.boxes_filled and str(i) not in self.trial_names(kind):
            return np.array(FULL_FRAME)
        array = self.numbers(kind, i)
        if kind != "images":
            return array.reshape(-1)
        if array.ndim not in (2, 3):
            raise DataError(
                f"{self.path}/data/images/{i}.npy is {array.shape}, not (channels, height, width): "
                "save one image a file"
            )
        return array if array.ndim == 3 else array[None]

    @cached_property
    def trial_ids(self) -> np.ndarray:
        """Trial ids as text, because two mice have hashed ones: (n,) str."""
        return self.array("meta/trials/trial_idx").astype(str)

    @cached_property
    def image_ids(self) -> np.ndarray:
        """Image shown in each trial: (n,) integers or str."""
        for name in IMAGE_ID_NAMES:
            if self.has(f"meta/trials/{name}"):
                return self.array(f"meta/trials/{name}")
        raise DataError(
            f"{self.path}/meta/trials has no image ids: add one of {', '.join(IMAGE_ID_NAMES)}"
        )


def open_mouse(path: str | Path, fill_boxes: bool = False) -> Mouse:
    """A mouse from its folder or its zip (nothing is extracted), whatever their names."""
    return Mouse(open_source(path), fill_boxes)


def open_mice(folder: Path, fill_boxes: bool = False) -> list[Mouse]:
    """All mice in a folder, each a sub-folder or a zip, in order of name.

    Raises DataError if there is none, if one is of films, or if two are the same session.
    """
    return open_all(folder, partial(open_mouse, fill_boxes=fill_boxes), IMAGES)
