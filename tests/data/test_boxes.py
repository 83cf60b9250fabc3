"""ultralytics, used for real in a process of its own: offline, repeatable, and without a trace."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from src.data.boxes import GENERAL, PERSON, named, yolo
from src.data.errors import DataError
from src.paths import ROOT

SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """What use_ultralytics.py found."""
    shared = [SHARED] if SHARED.is_dir() else []
    script = Path(__file__).with_name("use_ultralytics.py")
    command = [sys.executable, "-W", "error", script, tmp_path_factory.mktemp("yolo"), *shared]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said, result = done.stdout.strip().rsplit("\n", 1)
    assert said.splitlines() == ["small detector: 1 epochs"] * 2 and not done.stderr
    return json.loads(result)


def test_nothing_is_looked_up_from_import_to_prediction(used):
    assert used["asked"] == []


def test_the_process_is_left_as_it_was(used):
    assert used["restored"]


def test_the_same_seed_trains_the_same_detector_and_it_is_kept(used):
    assert used["equal"] and used["kept"]


def test_a_detector_gives_corners_within_each_image(used):
    assert len(used["shapes"]) == 5 and all(shape[1] == 4 for shape in used["shapes"])
    assert sum(shape[0] for shape in used["shapes"]) > 0 and used["inside"]


def test_a_class_it_was_not_trained_on_is_refused(used):
    assert "small_detector.pt knows no class 'person' among its 1" in used["person"]


def test_published_detector_finds_labeled_objects(used, shared):
    (recall, precision), persons = used["coco"]
    assert recall > 0.4 and precision > 0.6
    assert persons[0] >= 1  # two players in the last photograph


def test_thresholds_are_those_of_the_specification():
    assert (GENERAL.confidence, GENERAL.iou, GENERAL.classes) == (0.05, 0.5, ())
    assert (PERSON.confidence, PERSON.iou, PERSON.classes) == (0.5, 0.5, ("person",))
    assert GENERAL.size == PERSON.size == 256


def test_weights_that_are_not_there_are_not_fetched(tmp_path):
    with pytest.raises(DataError, match=r"there are no detector weights .*yolov8n\.pt"):
        yolo(tmp_path / "yolov8n.pt", GENERAL, tmp_path)
    assert named([], tmp_path) is None


def test_one_file_imports_ultralytics():
    importers = set()
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "ultralytics" for name in names):
                importers.add(file.relative_to(ROOT).as_posix())
    assert importers == {"src/data/boxes.py"}
