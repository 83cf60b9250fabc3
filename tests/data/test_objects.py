"""The 64 objects: categories, classes and splits, against counts that are known."""

import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from src.data.errors import DataError
from src.data.objects import (
    CATEGORIES,
    CLASSES,
    OBJECTS,
    categories_of,
    classes_of,
    numbers_of,
    stratified_tiers,
)
from src.paths import ROOT

SHOWN = np.random.default_rng(3).permutation(np.repeat(OBJECTS, 50))


def test_eight_categories_of_eight_and_22_classes():
    assert len(OBJECTS) == 64 and list(OBJECTS) == sorted(OBJECTS)
    assert Counter(categories_of(OBJECTS).tolist()) == dict.fromkeys(CATEGORIES, 8)
    assert len(CATEGORIES) == 8 and list(CATEGORIES) == sorted(CATEGORIES)
    shared = {"airplane", "car", "chair", "face", "ship", "table"}
    counts = Counter(classes_of(OBJECTS).tolist())
    assert set(counts) == set(CLASSES) and len(CLASSES) == 22
    assert {name for name, n in counts.items() if n == 8} == shared
    assert {name for name, n in counts.items() if n == 1} == set(CLASSES) - shared
    names = ("car_z3", "bear", "walnut", "ship7", "face0")
    assert categories_of(names).tolist() == ["cars", "animals", "fruits", "ships", "faces"]
    assert classes_of(names).tolist() == ["car", "bear", "walnut", "ship", "face"]
    assert [CLASSES[i] for i in numbers_of(classes_of(names), CLASSES)] == [*classes_of(names)]


@pytest.mark.parametrize("translate", [categories_of, classes_of])
def test_an_unknown_object_is_refused(translate):
    with pytest.raises(DataError, match="'beer' is none of the 64"):
        translate(["bear", "beer"])


def test_numbers_are_the_same_in_two_processes():
    code = (
        "from src.data.objects import *; import numpy as np\n"
        "print(CATEGORIES, CLASSES, numbers_of(classes_of(OBJECTS), CLASSES).tolist())\n"
        "print(stratified_tiers(np.repeat(OBJECTS, 10), 1).tolist())"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    said = [run.communicate()[0] for run in runs]
    assert said[0] == said[1] and b"airplanes" in said[0]


def test_the_split_is_the_course_files():
    """2592, 288 and 320 images; an object has 40 or 41 (32 each), 4 or 5, and 5."""
    tiers = stratified_tiers(SHOWN, 0)
    assert Counter(tiers.tolist()) == {"train": 2592, "validation": 288, "test": 320}
    counts = {t: Counter(SHOWN[tiers == t].tolist()).values() for t in ("train", "validation")}
    assert Counter(counts["train"]) == {40: 32, 41: 32}
    assert Counter(counts["validation"]) == {4: 32, 5: 32}
    assert set(Counter(SHOWN[tiers == "test"].tolist()).values()) == {5}
    assert (tiers == stratified_tiers(SHOWN, 0)).all()
    assert (tiers != stratified_tiers(SHOWN, 1)).any()


def test_few_images_leave_every_object_in_every_tier():
    shown = np.repeat(OBJECTS, 5)
    tiers = stratified_tiers(shown, 0)
    for tier, n in (("train", 3), ("validation", 1), ("test", 1)):
        assert set(Counter(shown[tiers == tier].tolist()).values()) == {n}
