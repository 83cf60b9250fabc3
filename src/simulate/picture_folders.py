"""A small ImageNet: simulated images in folders, one for each of the eight categories."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from src.data.objects import categories_of
from src.manifest import replacing
from src.seeds import numpy_stream
from src.simulate.objects import draw_scenes, lay_out


def write_picture_folders(folder: Path, counts: tuple[int, int], size: int, seed: int) -> None:
    """PNG files in `train/<class>` and `val_in_folders/<class>`.

    `counts` of images of each of the 64 objects; no image is one that simulated sites saw.
    """
    for part, count in zip(("train", "val_in_folders"), counts, strict=True):
        own = int(numpy_stream(seed, "pictures", part).integers(2**31))
        scenes = lay_out(count, own)
        images = draw_scenes(scenes, size, own)
        classes = categories_of(scenes.objects)
        for i, (image, name) in enumerate(zip(images, classes, strict=True)):
            path = folder / part / name / f"{name}_{i:04}.png"
            with replacing(path, note=False) as temporary:
                Image.fromarray(image).save(temporary, format="PNG")
