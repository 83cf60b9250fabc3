"""The tables a training leaves beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from src import manifest
from src.config import TrainingConfig
from src.training.losses import SQUARED
from src.training.validation import NAMED, QUANTILES, WATCHED

COLUMNS = ("epoch", "round", "learning_rate", "loss", "penalty", "validation", "best")


def write_tables(content: Mapping[str, Any], config: TrainingConfig, folder: Path) -> None:
    """`history.csv`, a row an epoch, `steps.csv`, and `units.csv` where units have a best epoch."""
    columns = COLUMNS + WATCHED * (config.loss in SQUARED) + NAMED * bool(config.object_weight)
    columns += tuple(QUANTILES) * (config.score == "median")
    rows = content["history"]
    manifest.save_table(pd.DataFrame(rows, columns=columns), folder / "history.csv")
    steps = [(r["epoch"], i, x) for r in rows for i, x in enumerate(r["losses"], 1)]
    columns = ["epoch", "step", "loss"]
    manifest.save_table(pd.DataFrame(steps, columns=columns), folder / "steps.csv")
    if "units" in content:
        manifest.save_table(pd.DataFrame(content["units"]), folder / "units.csv")
