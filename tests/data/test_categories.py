"""A user's table of categories: joined on the image id, and refused where ids do not match."""

import numpy as np
import pandas as pd
import pytest

from src.data.categories import read_categories
from src.data.errors import DataError

IDS = np.array([104, 183, 483])


@pytest.fixture
def table(tmp_path):
    """Function: writes a table of categories for the ids given, and returns its path."""

    def write(ids=(483, 104, 183), drop=(), **changes):
        columns = {
            "trial_ids": ids,
            "inferred_category": [f"class {i}" for i in ids],
            "manual_category": ["dog", "cup", "man"][: len(ids)],
            "general_category": ["Animals", "Man-made", "Human"][: len(ids)],
        }
        frame = pd.DataFrame(columns | changes).drop(columns=list(drop))
        frame.to_csv(tmp_path / "categories.csv", index=False)
        return tmp_path / "categories.csv"

    return write


def test_categories_are_joined_on_the_image_id(table):
    found = read_categories(table(), IDS)
    assert found["image_id"].tolist() == IDS.tolist()
    assert found["general_category"].tolist() == ["Man-made", "Human", "Animals"]
    assert found["inferred_category"].tolist() == ["class 104", "class 183", "class 483"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ids": (104, 183)}, r"has 2 rows for 3 images and lacks 1 \(first: 483\)"),
        ({"ids": (104, 183, 5)}, r"lacks 1 \(first: 483\)"),
        ({"drop": ["trial_ids"]}, "has no column trial_ids: it needs"),
        ({"drop": ["general_category"]}, "has no column general_category"),
        ({"manual_category": ["dog", None, "man"]}, "data row 2 has no manual_category: fill"),
    ],
)
def test_what_does_not_match_is_one_clear_error(table, given, message):
    with pytest.raises(DataError, match=message):
        read_categories(table(**given), IDS)


def test_an_unknown_image_is_an_error(table):
    with pytest.raises(DataError, match=r"and knows, though they are not shown, 1 \(first: 483\)"):
        read_categories(table(), IDS[:2])


def test_an_image_given_twice_is_an_error(table):
    path = table()
    twice = pd.concat([pd.read_csv(path)] * 2)
    twice.to_csv(path, index=False)
    with pytest.raises(DataError, match="image 483 more than once"):
        read_categories(path, IDS)
