"""How much of each unit's responses other presentations would repeat, and scores relative to that.

Reliability c is the share of the variance over images of a unit's mean responses that is not noise,
the most that a model can explain; its root is the highest correlation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from src.data.assembly import ObjectAssembly
from src.data.errors import DataError
from src.data.inferotemporal import RATES, InferotemporalFile
from src.evaluation.ceilings import spearman_brown, split_half
from src.evaluation.metrics import Repeats, divide

HALVES = 10
LOW = 0.1  # units below it are listed apart: their ratios are noise divided by noise
GROUPS = ("animal", "subregion")  # of units, where known


def reliability(
    r: np.ndarray, image_ids: np.ndarray, generator: np.random.Generator, halves: int = HALVES
) -> np.ndarray:
    """Spearman-Brown of split halves, mean over halvings: (n, u), (n,) -> (u,) c; nan if unknown.

    Random halves of the repeats of every image shown at least twice (Majaj et al. 2015). Where
    others were shown once, c is that of the means of all images: their noise is larger by the ratio
    of the mean 1 / repeats.
    """
    drawn = (split_half(r, image_ids, generator, splits=1) for _ in range(halves))
    c = np.mean([spearman_brown(half) for half in drawn], axis=0)
    counts = Repeats.of(image_ids).counts
    if (counts > 1).all() or (counts == 1).all():
        return c
    return divide(c, c + (1 - c) * np.mean(1 / counts) / np.mean(1 / counts[counts > 1]))


def site_table(session: Any, trials: np.ndarray, generator: np.random.Generator) -> pd.DataFrame:
    """Units of a session, c by their repeats among `trials`; columns as of `assembly_table`."""
    values = session.responses(trials).numpy()
    columns = {
        "session": session.key,
        "unit_id": session.unit_ids,
        "animal": "",
        "subregion": "" if session.area is None else session.area,
        "repeats": Repeats.of(session.image_ids[trials]).counts.mean(),
        "c": reliability(values, session.image_ids[trials], generator),
    }
    return pd.DataFrame(columns)


def assembly_table(
    source: InferotemporalFile, assembly: ObjectAssembly, generator: np.random.Generator
) -> pd.DataFrame:
    """Sites of a file of means, with what the assembly of its presentations knows of them.

    Columns session, unit_id, animal, subregion, repeats (mean over images) and c. DataError if the
    file does not hold the means of this assembly.
    """
    _require_means(source, assembly)
    rates = np.concatenate([assembly.values(rows) for rows in assembly.blocks()])
    columns = {
        "session": source.key,
        "unit_id": source.unit_ids,
        "animal": assembly.animal,
        "subregion": assembly.subregion,
        "repeats": assembly.repetitions.mean(),
        "c": reliability(rates, assembly.image, generator),
    }
    return pd.DataFrame(columns)


def _require_means(source: InferotemporalFile, assembly: ObjectAssembly) -> None:
    """Raise unless the rates of the file are the assembly's means, row by row and site by site."""
    means = assembly.means()
    for tier, key in RATES.items():
        ours, theirs = means[assembly.tiers == tier], source.rates(tier)
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, atol=1e-3):
            raise DataError(
                f"{source.path}: {key} {theirs.shape} are not the means {ours.shape} of the "
                f"presentations in {assembly.path}: keep one of both files"
            )


def with_ceilings(units: pd.DataFrame, sites: pd.DataFrame) -> pd.DataFrame:
    """Scores of units beside their c: adds animal, subregion, c, ev_c = EV / c, r_c = r / sqrt(c).

    The last two are empty for units of unknown c, and for those of c below `LOW`.
    """
    known = sites[["session", "unit_id", *GROUPS, "c"]]
    table = units.merge(known, "left", on=["session", "unit_id"], validate="many_to_one")
    c = table["c"].where(table["c"] >= LOW)
    return table.assign(ev_c=divide(table["ev"], c), r_c=divide(table["avg"], np.sqrt(c)))


def ceiling_table(units: pd.DataFrame) -> pd.DataFrame:
    """Means over units of a table `with_ceilings`, by model: all units, then each group of them.

    Columns model, group, name, n_units, n_low (c below `LOW`), ev, r, c, ev_c, r_c; empty where no
    unit has a known c.
    """
    everywhere = units.assign(all="units")
    rows = []
    for group in ("all", *GROUPS):
        named = everywhere[everywhere[group].fillna("") != ""]
        for (model, name), part in named.groupby(["model", group]):
            counts = {"n_units": len(part), "n_low": int((part["c"] < LOW).sum())}
            means = part[["ev", "avg", "c", "ev_c", "r_c"]].mean().rename({"avg": "r"})
            rows.append({"model": model, "group": group, "name": name, **counts, **means})
    return pd.DataFrame(rows)
