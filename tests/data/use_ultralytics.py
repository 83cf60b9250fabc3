"""Train a detector twice and detect: `python use_ultralytics.py FOLDER [SHARED]`; prints JSON.

Names are looked up by a resolver that refuses and records.
"""

import json
import os
import random
import socket
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from src.config import DetectorTraining
from src.data.boxes import PERSON, Thresholds, named, offline, yolo
from src.data.detection import as_pictures
from src.data.small_detector import train_detector
from src.evaluation.overlap import corners, recall_precision
from src.seeds import numpy_stream
from src.simulate.images import draw_images, has_object

ASKED = []
COCO = ("000000000139", "000000000785", "000000000872")


def refuse(host, *arguments, **options):
    ASKED.append(str(host))
    raise OSError("no way out")


def state():
    """Everything of this process that ultralytics would change."""
    torch_state = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    draws = random.getstate(), np.random.get_state(), torch.get_rng_state().tolist()  # noqa: NPY002
    return repr((dict(os.environ), torch.save, torch_state, np.get_printoptions(), draws, PI))


PI = torch.tensor(np.pi)


def weights_of(path):
    with offline(path.parent / "ultralytics"):
        content = torch.load(path, weights_only=False)
    return [v.tolist() for v in (content["ema"] or content["model"]).state_dict().values()]


def on_coco(folder, shared):
    """Recall and precision of the published nano detector on three photographs."""
    detector = yolo(shared / "data/weights/yolov8n.pt", Thresholds(0.25, size=640), folder)
    found, true = [], []
    for name in COCO:
        picture = np.array(Image.open(shared / f"data/coco32/images/{name}.jpg").convert("RGB"))
        height, width = picture.shape[:2]
        labels = np.loadtxt(shared / f"data/coco32/labels/{name}.txt", ndmin=2)[:, 1:]
        true.append(corners(labels) * [width, height, width, height])
        found += detector(picture[None])
    person = named([(shared / "data/weights/yolov8n.pt", PERSON)], folder)
    return recall_precision(found, true), [len(boxes) for boxes in person.find(picture[None])]


def main():
    socket.getaddrinfo = socket.gethostbyname = refuse
    torch.set_num_threads(2)
    folder, shared = Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None
    images, boxes = draw_images(numpy_stream(0, "scenes"), 24, 1.0, 0.7)
    before, config = state(), DetectorTraining(epochs=1, batch=8)
    arguments = images, boxes, has_object(boxes), config
    first, second = (train_detector(*arguments, folder / name) for name in ("a", "b"))
    written = first.stat().st_mtime_ns
    kept = train_detector(*arguments, folder / "a").stat().st_mtime_ns == written
    finds = yolo(first, Thresholds(1e-4, size=64), folder)(as_pictures(images[:5]))
    person = None
    try:
        yolo(first, PERSON, folder)
    except ValueError as error:
        person = str(error)
    result = {
        "asked": ASKED,
        "restored": state() == before,
        "equal": weights_of(first) == weights_of(second),
        "kept": kept,
        "shapes": [list(boxes.shape) for boxes in finds],
        "inside": all((b >= 0).all() and (b <= [256, 144] * 2).all() for b in finds),
        "person": person,
        "coco": on_coco(folder, shared) if shared else None,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
