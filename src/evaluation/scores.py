"""Tables of scores: one row a unit, then one row a session with the mean over sessions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from src.correlation import explained_variance
from src.data.errors import DataError
from src.evaluation import ceilings, metrics

SCORES = (
    *("single", "avg", "ev", "r2", "mse", "mae"),
    *("fev", "feve", "oracle_jk", "oracle_cons", "cc_max", "cc_norm"),
)
OF_KEPT_UNITS = ("feve", "cc_norm")  # summarized over units with FEV >= 0.15, the others over all
TRIAL_COUNTS = ("n_test_trials", "n_test_images", "n_single_trial_images")
COUNTS = ("n_units", "n_scored", "n_kept", *TRIAL_COUNTS)


def unit_scores(p: np.ndarray, r: np.ndarray, image_ids: np.ndarray) -> pd.DataFrame:
    """All scores of all units: (n, u), (n, u), (n,) -> u rows; empty where withheld.

    ev, r2 and the mean errors are of means over repeats; errors are in units of the responses.
    """
    repeats = metrics.Repeats.of(image_ids)
    means = repeats.mean(p), repeats.mean(r)
    average = metrics.correlation_to_average(p, r, image_ids)
    ceiling = ceilings.cc_max(r, image_ids)
    columns = (
        metrics.single_trial_correlation(p, r),
        average,
        explained_variance(*means),
        metrics.r_squared(*means),
        metrics.mean_squared_error(*means),
        metrics.mean_absolute_error(*means),
        metrics.fev(r, image_ids),
        metrics.feve(p, r, image_ids),
        ceilings.oracle_jackknife(r, image_ids),
        ceilings.oracle_conservative(r, image_ids),
        ceiling,
        ceilings.normalized_correlation(average, ceiling),
    )
    table = pd.DataFrame(dict(zip(SCORES, columns, strict=True)))
    table.loc[metrics.total_variance(r) == 0] = np.nan
    table.insert(SCORES.index("feve") + 1, "kept", metrics.kept(table["fev"]))
    return table


def unit_table(session: Any, p: np.ndarray, r: np.ndarray, image_ids: np.ndarray) -> pd.DataFrame:
    """Every unit of a Session in file order, with its scores: (n, u), (n, u), (n,) -> u rows.

    status: scored; no_repeats (no image twice: FEV and ceilings are unknown); withheld (responses
    do not vary: no score). The unknown is empty, never a number, as are absent coordinates.
    """
    expected = len(image_ids), len(session.unit_ids)
    if not p.shape == r.shape == expected:
        found = f"predictions are {p.shape} and responses {r.shape}"
        raise DataError(f"session {session.key!r}: expected {expected}, {found}: re-run 03_predict")
    repeats = metrics.Repeats.of(image_ids)
    scored = "scored" if repeats.repeated.any() else "no_repeats"
    xyz = (None, None, None) if session.coordinates is None else session.coordinates.T
    columns = {
        "session": session.key,
        "unit_id": session.unit_ids,
        **dict(zip("xyz", xyz, strict=True)),
        "area": session.area,
        "layer": session.layer,
        "n_test_trials": len(r),
        "n_test_images": len(repeats.ids),
        **unit_scores(p, r, image_ids),
        "status": np.where(metrics.total_variance(r) == 0, "withheld", scored),
        "n_single_trial_images": int((~repeats.repeated).sum()),
    }
    return pd.DataFrame(columns)


def summary_table(units: pd.DataFrame) -> pd.DataFrame:
    """Means and medians of a table of units: one row a session, then the mean over sessions.

    FEVE and cc_norm over kept units, the rest over all that vary. Withheld sessions stand in the
    table with their counts and empty scores; the mean is over the sessions that have the score.
    A column `model` splits the table.
    """
    if "model" in units:
        parts = [
            summary_table(table.drop(columns="model")).assign(model=model)
            for model, table in units.groupby("model", sort=False)
        ]
        table = pd.concat(parts, ignore_index=True)
        return table[["model", *table.columns.drop("model")]]
    rows = [_session_row(name, table) for name, table in units.groupby("session", sort=False)]
    return pd.DataFrame([*rows, _mean_row(pd.DataFrame(rows))])


def _session_row(session: str, units: pd.DataFrame) -> dict[str, Any]:
    scored = units[units["status"] != "withheld"]
    kept = scored[scored["kept"]]
    status = scored["status"].iloc[0] if len(scored) else "withheld"
    row = {"session": session, "status": status}
    row |= {"n_units": len(units), "n_scored": len(scored), "n_kept": len(kept)}
    row |= {count: units[count].iloc[0] for count in TRIAL_COUNTS}
    for score in SCORES:
        values = (kept if score in OF_KEPT_UNITS else scored)[score]
        row |= {score: values.mean(), f"{score}_median": values.median()}
    return row


def _mean_row(sessions: pd.DataFrame) -> dict[str, Any]:
    scored = sessions[sessions["status"] != "withheld"]
    row = {
        "session": f"mean of {len(scored)}",
        "status": "scored" if len(scored) else "withheld",
        **scored[list(COUNTS)].sum(),
    }
    return row | dict(scored.drop(columns=list(row)).mean())


def readable(table: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """The table as text, as shown in notebooks: rounded, and a dash for what is unknown."""
    shown = table.copy().astype(object)
    for name in table.select_dtypes("floating"):
        shown[name] = [f"{x:.{digits}f}" for x in table[name]]
    return shown.mask(table.isna(), "–")
