"""Gram matrices of feature sets too large for memory: all that ridge, PLS, PCA and CKA need."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np

from src.data.errors import DataError

CHUNK = 4096  # columns at a time: 100 MB in float64 for 3200 images
ROWS = 256


def streamed_gram(
    features: np.ndarray, others: np.ndarray | None = None, chunk: int = CHUNK
) -> np.ndarray:
    """Inner products of images: (n, p) -> (n, n), or with others (m, p) -> (m, n), float64.

    Columns are read `chunk` at a time from arrays or memory-mapped files of any float type. The
    mean of each column of `features` is taken off first: whoever uses a Gram centers it again on
    training rows, so nothing changes but the digits kept when features are far from 0.
    Raises DataError for other shapes and for features that are not finite.
    """
    sides = [features] if others is None else [features, others]
    if any(np.ndim(s) != 2 or s.shape[1] != features.shape[1] for s in sides):
        shapes = " and ".join(str(np.shape(s)) for s in sides)
        raise DataError(
            f"features are {shapes}, not (n, p) with one p: flatten each image to a row"
        )
    gram = np.zeros((len(sides[-1]), len(features)))
    for parts in _chunks(sides, chunk):
        mean = parts[0].mean(axis=0)
        for part in parts:
            part -= mean
        gram += parts[-1] @ parts[0].T
    if not np.isfinite(gram).all():
        raise DataError(f"features {features.shape} are not all finite: extract them in float32")
    return gram


def _chunks(sides: list[np.ndarray], chunk: int) -> Iterator[list[np.ndarray]]:
    """Float64 copies of the next columns of every array."""
    for start in range(0, sides[0].shape[1], chunk):
        yield [_copy(side, slice(start, start + chunk)) for side in sides]


def _copy(array: np.ndarray, columns: slice) -> np.ndarray:
    """Some columns in float64. A read maps pages beside it too, so rows come a few at a time."""
    part = np.empty(array[:, columns].shape)
    for start in range(0, len(array), ROWS):
        rows = slice(start, start + ROWS)
        part[rows] = array[rows, columns]
        forget_pages(array)
    return part


def forget_pages(array: np.ndarray) -> None:
    """Let go of the pages of a mapped file, except of a private copy, which would lose changes."""
    mode = None
    while isinstance(array, np.ndarray):
        mode, array = getattr(array, "mode", mode), array.base
    if isinstance(array, mmap.mmap) and mode != "c":
        array.madvise(mmap.MADV_DONTNEED)
