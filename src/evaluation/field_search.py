"""Receptive fields by a coarse grid first, then only what is near the choice of each unit.

What costs is a candidate that any unit tries: its Gram matrix and nine factors serve all of them.
A coarse grid has a quarter of the candidates (702 of 2680 at twice the spacing); around its choice
a unit tries the nearest of the fine ones. It pays for few units: twenty try some 1500 candidates in
both searches, a hundred 2300. With thousands nearly every candidate is near somebody's choice, and
all at once is cheaper. Source: specification nsd_gnet, 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from src.data.gaussian_fields import field_grid
from src.evaluation.field_ridge import FieldRegression, fit_fields

NEAR = 100  # candidates that a unit tries in the second search


def search_fields(
    maps: Sequence[np.ndarray],
    y: np.ndarray,
    grid: tuple[float, float],
    coarse: float,
    *rows: np.ndarray,
    near: int = NEAR,
    **options: Any,
) -> FieldRegression:
    """Best field of a grid of `field_grid`, found by one `coarse` times as wide; see `fit_fields`.

    `rows` are those that train and that are held out, `options` those of `fit_fields`. With a
    coarse of 0 every candidate is tried.
    """
    smallest, spacing = grid
    fields = field_grid(smallest, spacing)
    if not coarse:
        return fit_fields(maps, y, fields, *rows, **options)
    first = fit_fields(maps, y, field_grid(smallest, coarse * spacing), *rows, **options)
    around = first.fields[first.field_index]
    return fit_fields(maps, y, fields, *rows, **options, among=nearest(fields, around, near))


def nearest(fields: np.ndarray, around: np.ndarray, count: int) -> np.ndarray:
    """The candidates nearest to each of u fields: (v, 3), (u, 3), a count -> (u, v) bool.

    Places are compared in widths of the wider field, sizes by their logarithm, so that distance is
    about what two fields do not share.
    """
    wide = np.maximum(fields[:, 2], around[:, 2, None])
    away = np.hypot(*(fields[:, :2] - around[:, None, :2]).transpose(2, 0, 1)) / wide
    away = np.hypot(away, np.log(fields[:, 2] / around[:, 2, None]))
    found = np.zeros(away.shape, bool)
    np.put_along_axis(found, np.argsort(away, axis=1, kind="stable")[:, :count], True, axis=1)
    return found
