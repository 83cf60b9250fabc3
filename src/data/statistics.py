"""Means and standard deviations that normalize a session: shipped, or computed when packing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from src.data.errors import DataError
from src.data.sources import Source

NEEDED = {"images": ("mean", "std"), "responses": ("std",), "xywh": ()}
NEEDED |= {"behavior": ("mean", "std"), "pupil_center": ("mean", "std")}


class Rows(Protocol):
    """An array on disk, read a block of rows at a time."""

    row: tuple[int, ...]

    def blocks(self, n: int) -> Iterable[tuple[slice, np.ndarray]]:
        """The first `n` rows: where a block stands, and the block."""


def resolve(
    mouse: Source, images: Rows, index: Rows, kinds: Mapping[str, Rows]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays `<kind>_mean`, `<kind>_std` and `training_mean` (u,), and where they came from.

    Shipped values are used; what is absent is computed over training trials. The shipped std of
    responses is compared with that of the training trials, and the difference reported.
    """
    train = (mouse.tiers == "train").astype(float)
    shown = np.concatenate([rows for _, rows in index.blocks(len(train))])
    arrays, origin = {}, {}
    for kind, rows in {"images": images, **kinds}.items():
        shipped = {name: mouse.statistic(kind, name) for name in NEEDED[kind]}
        complete = all(value is not None for value in shipped.values())
        if kind == "responses" or not complete:
            pooled = kind == "images"  # one number over all pixels, an image counts when shown
            computed = _moments(rows, np.bincount(shown, train) if pooled else train, pooled)
        shape = (len(mouse.unit_ids),) if kind == "responses" else mouse.trial(kind, 0).shape
        for name in NEEDED[kind]:
            value = shipped[name] if complete else computed[name]
            arrays[f"{kind}_{name}"] = _fitted(value, shape, kind, name)
            origin[kind] = {"from": "file" if complete else "training trials"}
            origin[kind]["shape"] = list(value.shape)
        if kind == "responses":
            arrays["training_mean"] = computed["mean"]
            std = np.broadcast_to(arrays["responses_std"], shape)
            apart = np.abs(computed["std"] - std)[std > 0] / std[std > 0]
            origin[kind]["std_apart_from_training"] = float(apart.max(initial=0))
    return arrays, origin


def _moments(rows: Rows, weights: np.ndarray, pooled: bool) -> dict[str, np.ndarray]:
    """Weighted mean and population std over rows, per column or pooled: (n, k) -> (k,) or ()."""
    axis = tuple(range(len(rows.row) + 1)) if pooled else 0
    total = weights.sum() * (np.prod(rows.row) if pooled else 1)
    expand = (-1,) + (1,) * len(rows.row)

    def weighted_mean(power: int, center: Any) -> Any:
        terms = (
            (weights[where].reshape(expand) * (block.astype(float) - center) ** power).sum(axis)
            for where, block in rows.blocks(len(weights))
        )
        return sum(terms) / total

    mean = weighted_mean(1, 0.0)
    return {"mean": np.asarray(mean), "std": np.sqrt(weighted_mean(2, mean))}


def _fitted(value: np.ndarray, shape: tuple[int, ...], kind: str, name: str) -> np.ndarray:
    """A statistic, 0-d, (1,) or of full shape, in the shape that divides an array of `shape`."""
    if value.size == 1:
        return value.reshape((1,) * len(shape))
    if value.size != int(np.prod(shape)):
        raise DataError(
            f"meta/statistics/{kind}/all/{name}.npy is {value.shape} but {kind} of a trial are "
            f"{shape}: remove meta/statistics/{kind} to have it computed"
        )
    return value.reshape(shape)
