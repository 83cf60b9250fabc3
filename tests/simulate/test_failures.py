"""Every planted failure is one line of `src.data.checks`: file, field, shapes, remedy."""

import shutil
from contextlib import nullcontext

import pytest

from src.data.checks import check_mouse, require_valid
from src.data.errors import DataError
from src.data.sensorium import open_mouse
from src.simulate.failures import FAILURES, plant

OPEN, PLUS = "21067-10-18", "27204-5-13"
IN_A_FOLDER = sorted(set(FAILURES) - {"corrupt_zip"})
SAYS = {  # part of the message: what was found, with both shapes where shapes differ
    "missing_response": "data/responses has 114 files but meta/trials/tiers.npy lists 115 trials",
    "extra_image": "data/images has 116 files but meta/trials/tiers.npy lists 115 trials",
    "wrong_tier": "'trian'",
    "unit_mismatch": r"is \(23,\) but meta/neurons/unit_ids.npy is \(24,\)",
    "nan_response": "1 of 24 values NaN",
    "wrong_image_size": r"is \(1, 72, 128\) but the other images are \(1, 144, 256\)",
    "zero_statistics": r"\(24,\) is all zero",
    "duplicate_trial": "more than once",
    "leaked_image": "in train and in test",
    "empty_validation": "no validation trial",
    "truncated_npy": "truncated",
    "box_outside": r"outside \[0, 1\]",
}
WARNED = {"leaked_image"}


@pytest.fixture
def copy(tiny, tmp_path):
    """A mouse's folder, whose name says that it is simulated."""
    return shutil.copytree(tiny.mice[OPEN], tmp_path / tiny.mice[OPEN].name)


def test_the_untouched_mouse_has_no_finding(copy):
    assert check_mouse(open_mouse(copy)).empty


@pytest.mark.parametrize("name", IN_A_FOLDER)
def test_a_planted_failure_is_named(copy, name):
    plant(name, copy)
    report = check_mouse(open_mouse(copy))
    severity = "warning" if name in WARNED else "error"
    assert report.severity.tolist() == [severity]
    found = report.iloc[0]
    assert (found.file, found.field) == FAILURES[name]
    assert "\n" not in found.message
    with pytest.raises(DataError, match=SAYS[name]) if name not in WARNED else nullcontext():
        require_valid(open_mouse(copy))


def test_a_leak_only_warns(copy):
    plant("leaked_image", copy)
    (message,) = require_valid(open_mouse(copy)).message
    assert SAYS["leaked_image"] in message


def test_a_corrupt_zip_is_named(tiny, tmp_path):
    path = shutil.copy(tiny.mice[PLUS], tmp_path / tiny.mice[PLUS].name)
    plant("corrupt_zip", path)
    with pytest.raises(DataError, match=rf"{path.name} is not a complete zip.*download it again"):
        open_mouse(path)
    assert path.suffix == FAILURES["corrupt_zip"].file


def test_a_failure_has_a_name():
    with pytest.raises(KeyError, match="sunspots"):
        plant("sunspots", "nowhere")
