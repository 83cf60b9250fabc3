"""The 64 rendered objects shown to macaques: their categories, classes, and splits that heed them.

Names are those of Majaj et al. 2015; everything is sorted, so that a number always means the same
name, whatever the process.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from src.data.errors import DataError
from src.seeds import numpy_stream

ANIMALS = ("bear", "cow", "dog", "elephant", "gorilla", "hedgehog", "lioness", "turtle")
FRUITS = ("apple", "apricot", "peach", "pear", "raspberry", "strawberry", "walnut", "watermelon")
CARS = tuple(f"car_{n}" for n in ("alfa", "astra", "beetle", "bmw", "bora", "celica", "clio", "z3"))
NUMBERED = ("airplane", "chair", "face", "ship", "table")

MEMBERS = {"animals": ANIMALS, "cars": CARS, "fruits": FRUITS}
MEMBERS |= {f"{name}s": tuple(f"{name}{i}" for i in range(8)) for name in NUMBERED}
CATEGORY = {name: category for category, names in MEMBERS.items() for name in names}
OBJECTS = tuple(sorted(CATEGORY))  # 64
CATEGORIES = tuple(sorted(MEMBERS))  # 8
# An animal or a fruit is a class of its own, the objects of another category share one.
CLASS = {n: n if c in ("animals", "fruits") else c.removesuffix("s") for n, c in CATEGORY.items()}
CLASSES = tuple(sorted(set(CLASS.values())))  # 22


def categories_of(objects: Sequence[str] | np.ndarray) -> np.ndarray:
    """Category of each object: (n,) str -> (n,) str. DataError for an unknown name."""
    return _translated(objects, CATEGORY)


def classes_of(objects: Sequence[str] | np.ndarray) -> np.ndarray:
    """Class, of 22, of each object: (n,) str -> (n,) str. DataError for an unknown name."""
    return _translated(objects, CLASS)


def _translated(objects: Sequence[str] | np.ndarray, table: dict[str, str]) -> np.ndarray:
    for name in objects:
        if name not in table:
            raise DataError(f"object {str(name)!r} is none of the {len(table)}: correct its name")
    return np.array([table[name] for name in objects])


def numbers_of(names: np.ndarray, known: tuple[str, ...]) -> np.ndarray:
    """Place of each name in `known`, which is sorted: (n,) str -> (n,) int."""
    return np.searchsorted(known, names)


def _by_object(objects: np.ndarray, seed: int, use: str) -> dict[str, np.ndarray]:
    """Rows of each object in random order, objects sorted: (n,) str -> (n_object,) each."""
    shuffled = defaultdict(list)
    for row in numpy_stream(seed, use).permutation(len(objects)):
        shuffled[str(objects[row])].append(row)
    return {name: np.array(shuffled[name]) for name in sorted(shuffled)}


def stratified_tiers(objects: np.ndarray, seed: int) -> np.ndarray:
    """Tier of each image: a tenth test, a tenth of the rest validation: (n,) str -> (n,) str.

    Both are drawn object by object, one image of each at least; where a tenth is no whole number
    the objects take turns, so that 50 images of 64 objects give 2592, 288 and 320.
    """
    tiers = np.full(len(objects), "train", dtype="<U10")
    for turn, rows in enumerate(_by_object(objects, seed, "tiers").values()):
        test = _tenth(len(rows), turn)
        validation = _tenth(len(rows) - test, turn)
        tiers[rows[:test]] = "test"
        tiers[rows[test : test + validation]] = "validation"
    return tiers


def _tenth(n: int, turn: int) -> int:
    return max(1, (turn + 1) * n // 10 - turn * n // 10)
