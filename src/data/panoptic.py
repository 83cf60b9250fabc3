"""What is where in an image of NSD, by COCO's panoptic maps: things and stuff, pixel by pixel.

    <folder>/annotations/panoptic_train2017.json   which segment of which image is of which kind
    <folder>/panoptic_train2017/<12 digits>.png    number of the segment of each pixel

A segment's number is R + 256 G + 65536 B. NSD shows crops of COCO's images: the shares cut off
at the top, bottom, left and right stand in nsd_stim_info_merged.csv. Source: specification
nsd_gnet, NSD-07 and 3.1.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from src.data.blocks import AGAIN
from src.data.errors import DataError

PART = "panoptic_train2017"


@dataclass(frozen=True, eq=False)
class Panoptic:
    """Kinds of things in some images of COCO."""

    folder: Path
    files: Mapping[int, str]  # of each image, by COCO's number
    kinds: Mapping[int, Mapping[int, int]]  # by image, by segment: 1 + place in `names`
    names: tuple[str, ...]  # supercategories, in alphabetical order

    @classmethod
    def read(cls, folder: Path, part: str = PART) -> Panoptic:
        """From the annotations below a folder."""
        path = Path(folder) / f"annotations/{part}.json"
        try:
            found = json.loads(path.read_text())
            above = {c["id"]: c["supercategory"] for c in found["categories"]}
            names = tuple(sorted(set(above.values())))
            number = {key: 1 + names.index(name) for key, name in above.items()}
            kinds = {
                a["image_id"]: {s["id"]: number[s["category_id"]] for s in a["segments_info"]}
                for a in found["annotations"]
            }
            files = {a["image_id"]: a["file_name"] for a in found["annotations"]}
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"{path} is missing or no panoptic annotations ({error}): get COCO's "
                "panoptic_annotations_trainval2017.zip and unpack it"
            ) from None
        return cls(Path(folder) / part, files, kinds, names)

    def labels(self, picture: int, box: tuple[float, ...], size: int) -> np.ndarray:
        """Kinds in what NSD shows of an image: -> (size, size), 1 + place in `names`, 0 unknown.

        The map is cropped, then brought to size by the nearest pixel, so that no number is mixed.
        """
        if picture not in self.files:
            raise DataError(f"{self.folder} knows no image {picture}: give COCO's other part")
        path = self.folder / self.files[picture]
        try:
            colors = np.asarray(Image.open(path).convert("RGB")).astype(int)
        except OSError as error:
            raise DataError(f"{path} is missing or damaged ({error}): {AGAIN}") from None
        segments = cropped(colors @ (1, 256, 65_536), box)
        kinds = np.zeros(segments.shape, np.uint8)
        for number, kind in self.kinds[picture].items():
            kinds[segments == number] = kind
        nearest = Image.fromarray(kinds).resize((size, size), Image.Resampling.NEAREST)
        return np.asarray(nearest)


def cropped(image: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    """What is left of an image without shares of its sides: (h, w, ...), (4,) -> (h', w', ...)."""
    top, bottom, left, right = box
    if min(box) < 0 or top + bottom >= 1 or left + right >= 1:
        raise DataError(f"cropBox {box} leaves nothing of {image.shape}: top, bottom, left, right")
    h, w = image.shape[:2]
    rows = slice(round(top * h), h - round(bottom * h))
    return image[rows, round(left * w) : w - round(right * w)]


def stimulus_info(path: Path) -> pd.DataFrame:
    """`nsd_stim_info_merged.csv`: number at COCO and crop of each image, by its number from 0."""
    found = pd.read_csv(path, usecols=["nsdId", "cocoId", "cropBox"]).set_index("nsdId")
    found["cropBox"] = [ast.literal_eval(box) for box in found["cropBox"]]
    return found
