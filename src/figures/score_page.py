"""One page about the scores of a model: by layer and region, by unit, and by every formula."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from src.evaluation.normalization import FORMULAS
from src.evaluation.score_record import ScoreRecord
from src.figures import panels
from src.figures.style import use_style


def score_page(records: Sequence[ScoreRecord], title: str) -> Figure:
    """Scores of all records as rows, units of the best one as a histogram, its forms as a table."""
    use_style()
    best = max(records, key=lambda record: record.raw)
    figure = plt.figure(figsize=(8.27, 4.6 + 0.24 * len(records)))
    figure.suptitle(title, x=0.02, ha="left", fontsize=10)
    top, bottom = figure.subfigures(2, 1, height_ratios=(0.9 + 0.24 * len(records), 3.0))
    panels.interval_rows(top.subplots(), _rows(records), f"{best.metric}, raw", zero=True)
    left, right = bottom.subplots(1, 2, width_ratios=(1, 1.4))
    _units(left, best)
    panels.text_table(right, _forms(best), (0.34, 0.33, 0.33), 1)
    right.set_title(_name(best), fontsize=9)
    return figure


def _name(record: ScoreRecord) -> str:
    layer = f"{record.layer}-t{record.step}" if record.step else record.layer
    return ", ".join(part for part in (layer, record.region, record.time_bin) if part)


def _rows(records: Sequence[ScoreRecord]) -> pd.DataFrame:
    """Columns of `interval_rows`; without an interval, the score is its own limits."""
    rows = pd.DataFrame(
        {
            "label": [_name(record) or record.model for record in records],
            "score": [record.raw for record in records],
            "low": [record.ci_low for record in records],
            "high": [record.ci_high for record in records],
        }
    )
    return rows.assign(**{end: rows[end].fillna(rows["score"]) for end in ("low", "high")})


def _units(axis: plt.Axes, record: ScoreRecord) -> None:
    by_split = np.atleast_2d(record.arrays.get("by_split", np.empty((0, 0))))
    if by_split.shape[1] < 2:
        axis.set_axis_off()
        return
    colors = {"units": "#0072b2"}
    panels.score_histograms(axis, {"units": by_split.mean(0)}, colors, record.metric)


def _forms(record: ScoreRecord) -> pd.DataFrame:
    """A formula a row: its name, what it says, the score by it."""
    forms = record.row()
    known = {name: forms[f"form_{name}"] for name in FORMULAS}
    return pd.DataFrame(
        {
            "version": list(FORMULAS),
            "formula": list(FORMULAS.values()),
            "score": ["—" if np.isnan(x) else f"{x:.3f}" for x in known.values()],
        }
    )
