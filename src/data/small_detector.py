"""A detector small enough to train in half a minute, for scenes whose boxes are known."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import redirect_stdout
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from src.config import DetectorTraining
from src.data.boxes import offline
from src.data.progress import counting
from src.manifest import file_sha256, replacing, source_sha256

ARCHITECTURE = Path(__file__).with_name("detector.yaml")


def train_detector(
    images: np.ndarray, boxes: np.ndarray, has: np.ndarray, config: DetectorTraining, folder: Path
) -> Path:
    """Train on images with known boxes; returns the weights, the same ones for the same seed.

    (i, h, w) uint8, (i, 4) x, y, w, h in 0..1, (i,) whether there is an object at all. Weights in
    `folder` that the same data, configuration and code made are kept.
    """
    folder = Path(folder)
    weights, record = folder / "small_detector.pt", folder / "record.json"
    made_from = _made_from(images, boxes, has, config)
    if weights.is_file() and record.is_file() and json.loads(record.read_text()) == made_from:
        return weights
    shutil.rmtree(folder, ignore_errors=True)
    _write_scenes(folder / "train", images, boxes, has)
    _write_scenes(folder / "val", images[:8], boxes[:8], has[:8])  # wanted, and not looked at
    _train(config, folder)
    (folder / "run/weights/last.pt").replace(weights)
    with replacing(record, note=False) as temporary:
        temporary.write_text(json.dumps(made_from))
    return weights


def _train(config: DetectorTraining, folder: Path) -> None:
    data = {"path": str(folder.resolve()), "train": "train", "val": "val", "names": {0: "object"}}
    (folder / "data.yaml").write_text(json.dumps(data))  # JSON is YAML
    with (
        offline(folder / "ultralytics") as ultralytics,
        counting(config.epochs, "small detector", "epoch") as done,
        redirect_stdout(StringIO()),  # it counts images there, whatever one asks
    ):
        model = ultralytics.YOLO(ARCHITECTURE)
        model.add_callback("on_train_epoch_end", lambda trainer: done(1))
        model.train(
            data=folder / "data.yaml", epochs=config.epochs, imgsz=config.size, batch=config.batch,
            nbs=config.batch, optimizer="AdamW", lr0=config.learning_rate, lrf=0.05,
            warmup_epochs=1, mosaic=0, scale=0.2, hsv_h=0, hsv_s=0, hsv_v=0.2,
            seed=config.seed, deterministic=True, device="cpu", workers=0, amp=False,
            project=folder, name="run", exist_ok=True, pretrained=False,
            plots=False, val=False, verbose=False, cache=True,
        )  # fmt: skip


def _made_from(
    images: np.ndarray, boxes: np.ndarray, has: np.ndarray, config: DetectorTraining
) -> dict[str, Any]:
    arrays = {"images": images, "boxes": boxes, "has": has}
    return {
        **{name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()},
        "config": asdict(config),
        "code": [source_sha256("data/small_detector", "data/boxes"), file_sha256(ARCHITECTURE)],
    }


def _write_scenes(folder: Path, images: np.ndarray, boxes: np.ndarray, has: np.ndarray) -> None:
    """Images and labels in the folders ultralytics reads."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image).convert("RGB").save(folder / f"images/{i:05d}.png")
        label = f"0 {' '.join(f'{v:.6f}' for v in boxes[i])}\n" if has[i] else ""
        (folder / f"labels/{i:05d}.txt").write_text(label)
