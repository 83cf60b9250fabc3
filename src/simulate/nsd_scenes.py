"""What simulated subjects of NSD see: scenes, patterns, and maps of what is where in a scene."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import fft

from src.manifest import replacing
from src.seeds import numpy_stream

BATCH = 32
CROP = (0, 0, 0.1, 0.1)  # shares of COCO's image cut off at the top, bottom, left, right
PANOPTIC = 4  # scenes of which it is known what is where
KINDS = ("sky", "animal", "vehicle")  # supercategories of the ground and of the two ellipses


def draw_scenes(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    """Colored 1/f noise with two ellipses and a patch of grating: -> (n, size, size, 3) uint8."""
    return scenes_and_shapes(rng, n, size)[0]


def scenes_and_shapes(
    rng: np.random.Generator, n: int, size: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The same, and where the ellipses are, the last on top: -> images, 2 of (n, size, size)."""
    frequency = np.hypot(*np.meshgrid(*[fft.fftfreq(size) * size] * 2, indexing="ij"))
    amplitude = np.where(frequency > 0, np.maximum(frequency, 1) ** -1.2, 0)
    grid = (np.arange(size) + 0.5) / size - 0.5
    noise = rng.standard_normal((n, size, size, 3)).astype(np.float32)
    noise = fft.ifft2(fft.fft2(noise, axes=(1, 2)) * amplitude[:, :, None], axes=(1, 2)).real
    noise = 0.5 * noise + 0.5 * noise.mean(3, keepdims=True)
    pictures = 115 + 38 * noise / noise.std((1, 2, 3), keepdims=True)
    shapes = []
    for _ in range(2):
        center, radius = rng.uniform(-0.4, 0.4, (2, n)), rng.uniform(0.06, 0.2, (2, n))
        color = rng.uniform(20, 235, (n, 3))
        x, y = ((grid - c[:, None]) / r[:, None] for c, r in zip(center, radius, strict=True))
        inside = (x[:, None, :] ** 2 + y[:, :, None] ** 2 < 1)[..., None]
        shapes.append(inside[..., 0])
        pictures = np.where(inside, 0.3 * pictures + 0.7 * color[:, None, None], pictures)
    angle, cycles = rng.uniform(0, np.pi, n), np.exp(rng.uniform(np.log(3), np.log(16), n))
    center = rng.uniform(-0.35, 0.35, (2, n))
    x, y = (grid - center[0][:, None])[:, None, :], (grid - center[1][:, None])[:, :, None]
    along = np.cos(angle)[:, None, None] * x - np.sin(angle)[:, None, None] * y
    patch = np.exp(-(x**2 + y**2) / (2 * 0.13**2)) * np.sin(
        2 * np.pi * cycles[:, None, None] * along
    )
    pictures = np.rint(np.clip(pictures + 70 * patch[..., None], 0, 255)).astype(np.uint8)
    return pictures, shapes


def draw_patterns(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    """Gratings that fill the image, of any contrast, the last quarter colored: -> as scenes."""
    grid = (np.arange(size) + 0.5) / size - 0.5
    angle, cycles = rng.uniform(0, np.pi, n), np.exp(rng.uniform(np.log(2), np.log(20), n))
    across, down = np.cos(angle)[:, None, None] * grid, np.sin(angle)[:, None, None] * grid[:, None]
    phase = rng.uniform(0, 2 * np.pi, (n, 1, 1))
    wave = np.sin(2 * np.pi * cycles[:, None, None] * (across - down) + phase)
    color = np.ones((n, 3))
    color[n - n // 4 :] = rng.uniform(-1, 1, (n // 4, 3))
    contrast = rng.uniform(0.1, 1, n)[:, None] * color
    pictures = 115 * (1 + wave[..., None] * contrast[:, None, None])
    return np.rint(np.clip(pictures, 0, 255)).astype(np.uint8)


def write_panoptic(folder: Path, count: int, size: int, seed: int) -> None:
    """COCO's panoptic files of the first scenes, before they were cropped; see data/panoptic."""
    rng = numpy_stream(seed, "images", 0)
    _, shapes = scenes_and_shapes(rng, min(BATCH, count), size)
    margin = [round(share * size / (1 - CROP[2] - CROP[3])) for share in CROP[2:]]
    annotations = []
    for scene in range(min(PANOPTIC, count)):
        ids = np.full((size, size), 300 + scene)
        for k, inside in enumerate(shapes, start=1):
            ids[inside[scene]] = 70_000 * k + scene
        ids = np.pad(ids, ((0, 0), margin), mode="edge")
        name = f"{1000 + scene:012}.png"
        with replacing(folder / "panoptic_train2017" / name) as temporary:
            colors = np.stack([ids % 256, ids // 256 % 256, ids // 65_536], axis=2)
            Image.fromarray(colors.astype(np.uint8)).save(temporary, format="png")
        present = [(k, i) for k, i in enumerate((300, 70_000, 140_000)) if (ids == i + scene).any()]
        segments = [{"id": i + scene, "category_id": k + 1} for k, i in present]
        known = {"image_id": 1000 + scene, "file_name": name, "segments_info": segments}
        annotations.append(known)
    categories = [{"id": k + 1, "name": n, "supercategory": n} for k, n in enumerate(KINDS)]
    with replacing(folder / "annotations/panoptic_train2017.json") as temporary:
        temporary.write_text(json.dumps({"annotations": annotations, "categories": categories}))
