"""The tables a training leaves beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src import manifest
from src.config import TrainingConfig
from src.training.losses import SQUARED
from src.training.validation import NAMED, WATCHED

COLUMNS = ("epoch", "round", "learning_rate", "loss", "penalty", "validation", "best")


def write_tables(content: Mapping[str, Any], config: TrainingConfig, folder: Path) -> None:
    """`history.csv`, a row an epoch, `steps.csv`, and `units.csv` where units have a best epoch.

    Where the score is a median, `epochs.npz` has those of all units: (e, u) float16 by session.
    """
    columns = COLUMNS + WATCHED * (config.loss in SQUARED) + NAMED * bool(config.object_weight)
    rows = content["history"]
    manifest.save_table(pd.DataFrame(rows, columns=columns), folder / "history.csv")
    steps = [(r["epoch"], i, x) for r in rows for i, x in enumerate(r["losses"], 1)]
    columns = ["epoch", "step", "loss"]
    manifest.save_table(pd.DataFrame(steps, columns=columns), folder / "steps.csv")
    if by_unit := content.get("by_unit"):
        found = {key: np.stack([epoch[key].numpy() for epoch in by_unit]) for key in by_unit[0]}
        manifest.save_arrays(folder / "epochs.npz", **found)
    if "units" in content:
        manifest.save_table(pd.DataFrame(content["units"]), folder / "units.csv")
