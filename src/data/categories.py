"""Categories of images, from a table that somebody made by looking at them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from src.data.errors import DataError
from src.manifest import note_input

# The published table calls image ids "trial_ids".
COLUMNS = {"trial_ids": "image_id"} | {
    name: name for name in ("inferred_category", "manual_category", "general_category")
}


def read_categories(path: str | Path, image_ids: np.ndarray) -> pd.DataFrame:
    """Categories of exactly the images `image_ids`, in their order: CSV, (i,) -> i rows.

    Columns trial_ids (which are image ids), inferred_category, manual_category, general_category.
    Raises DataError for a missing column or cell, and for ids that do not match, each once.
    """
    path = Path(path).expanduser()
    table = pd.read_csv(note_input(path))
    if missing := [name for name in COLUMNS if name not in table]:
        raise DataError(f"{path} has no column {missing[0]}: it needs {', '.join(COLUMNS)}")
    table = table[list(COLUMNS)].rename(columns=COLUMNS)
    if table.isna().any(axis=None):
        row, column = np.argwhere(table.isna().to_numpy())[0]
        raise DataError(f"{path}: data row {row + 1} has no {table.columns[column]}: fill it in")
    found = table["image_id"].to_numpy()
    absent, unknown = np.setdiff1d(image_ids, found), np.setdiff1d(found, image_ids)
    for ids, word in ((absent, "lacks"), (unknown, "knows, though they are not shown,")):
        if len(ids):
            raise DataError(
                f"{path} has {len(found)} rows for {len(image_ids)} images and {word} {len(ids)} "
                f"(first: {ids[0]}): its column trial_ids must hold the ids of the test images"
            )
    if len(found) != len(np.unique(found)):
        twice = table["image_id"][table["image_id"].duplicated()].iloc[0]
        raise DataError(f"{path} has image {twice} more than once: give each image one row")
    return table.set_index("image_id").loc[image_ids].reset_index()
