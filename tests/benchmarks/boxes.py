"""A published detector against labels, and its boxes on the images mice were shown.

    python tests/benchmarks/boxes.py --sheet DIR [--shared ../shared]

Prints recall and precision at an intersection over union of .5 of YOLOv8 nano (COCO) on 32 labeled
photographs, at several confidences; then finds one box in each of the 100 test images of SENSORIUM
2022 by the rule and thresholds of the winner, and draws them to DIR. These images may not be passed
on: DIR must lie outside the repository.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from src.data.boxes import GENERAL, PERSON, Thresholds, named, yolo
from src.data.detection import detect_boxes
from src.evaluation.overlap import corners, recall_precision
from src.figures import panels
from src.figures.style import use_style
from src.paths import ROOT

CONFIDENCES = (0.05, 0.25, 0.5)


def labeled(shared: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Photographs (h, w, 3) and corners (k, 4) of their labels, whatever the class."""
    pictures, labels = [], []
    for path in sorted((shared / "data/coco32/images").glob("*.jpg")):
        pictures.append(np.array(Image.open(path).convert("RGB")))
        height, width = pictures[-1].shape[:2]
        text = shared / f"data/coco32/labels/{path.stem}.txt"
        known = np.loadtxt(text, ndmin=2)[:, 1:] if text.exists() and text.stat().st_size else []
        labels.append(corners(np.reshape(known, (-1, 4))) * [width, height, width, height])
    return pictures, labels


def against_labels(shared: Path, home: Path) -> None:
    """Print recall and precision on photographs."""
    pictures, labels = labeled(shared)
    print(f"{len(pictures)} photographs, {sum(map(len, labels))} labeled objects")
    for confidence in CONFIDENCES:
        thresholds = Thresholds(confidence, size=640)
        detector = yolo(shared / "data/weights/yolov8n.pt", thresholds, home)
        began = time.process_time()
        found = [detector(picture[None])[0] for picture in pictures]
        spent = (time.process_time() - began) / len(pictures)
        recall, precision = recall_precision(found, labels)
        print(
            f"  confidence {confidence:.2f}: recall {recall:.3f}, precision {precision:.3f}, "
            f"{sum(map(len, found))} boxes, {1000 * spent:.0f} ms of one core a photograph"
        )


def on_test_images(shared: Path, home: Path, sheet: Path) -> None:
    """Draw the box of each of the 100 test images, orange; blue where nothing was found."""
    paths = sorted(
        (shared / "data/sensorium2022_test_images").glob("*.png"), key=lambda p: int(p.stem)
    )
    images = np.stack([np.array(Image.open(path).convert("L")) for path in paths])
    weights = shared / "data/weights/yolov8n.pt"
    detectors = {
        "general": named([(weights, GENERAL)], home),
        "person": named([(weights, PERSON)], home),
    }
    for name, detector in detectors.items():
        began = time.process_time()
        boxes, counts = detect_boxes(images, detector, home / name, name)
        spent = (time.process_time() - began) / len(images)
        area = np.median(boxes[counts > 0, 2:].prod(1))
        print(
            f"  {name}: a box in {np.mean(counts > 0):.0%} of {len(images)} images, "
            f"{counts.mean():.1f} boxes an image, median area {area:.2f}, "
            f"{1000 * spent:.0f} ms of one core an image"
        )
        if name == "general":
            draw(paths, images, boxes, counts, sheet)


def draw(
    paths: list[Path], images: np.ndarray, boxes: np.ndarray, counts: np.ndarray, sheet: Path
) -> None:
    """The contact sheet."""
    use_style()
    figure, axes = plt.subplots(10, 10, figsize=(20, 12.5))
    for axis, path, image, box, count in zip(axes.flat, paths, images, boxes, counts, strict=True):
        panels.stimulus(axis, image[None])
        panels.object_box(axis, box, "#d55e00" if count else "#0072b2")
        axis.set_title(f"{path.stem}: {count}", fontsize=8)
    sheet.mkdir(parents=True, exist_ok=True)
    figure.savefig(sheet / "boxes_test_images.png", dpi=80)
    print(f"  drawn: {sheet / 'boxes_test_images.png'}")


def main() -> None:
    """Detect, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--sheet", type=Path, required=True, help="folder of the contact sheet")
    given = parser.parse_args()
    if given.sheet.resolve().is_relative_to(ROOT):
        parser.error(f"{given.sheet} lies in the repository: these images may not be passed on")
    with tempfile.TemporaryDirectory() as home:
        against_labels(given.shared, Path(home))
        on_test_images(given.shared, Path(home), given.sheet)


if __name__ == "__main__":
    main()
