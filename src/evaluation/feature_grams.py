"""Grams of stored features: (i, i) numbers instead of some hundred thousand an image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from src import manifest
from src.data.errors import DataError
from src.evaluation.gram import streamed_gram
from src.models.feature_files import open_features


def store_grams(folder: Path, hashes: Sequence[str]) -> Path:
    """The Gram of every layer of a folder of features, in `<folder>_grams.npz`, over all images.

    Kept where it was made from these features; `hashes` as in `open_features`.
    """
    path = _place(folder)
    found = json.loads((folder / "manifest.json").read_text())
    if not path.is_file() or _fingerprint(path) != found["fingerprint"]:
        grams = {}
        for layer in found["shapes"]:
            features = open_features(folder, layer, hashes)
            grams[layer] = streamed_gram(features.reshape(len(features), -1))
        manifest.save_arrays(path, fingerprint=found["fingerprint"], **grams)
    return manifest.note_output(path)


def open_gram(folder: Path, layer: str, hashes: Sequence[str]) -> np.ndarray:
    """The Gram of one layer: -> (i, i) float64. DataError if it does not fit its features."""
    open_features(folder, layer, hashes)
    path, found = _place(folder), json.loads((folder / "manifest.json").read_text())
    if not path.is_file() or _fingerprint(path) != found["fingerprint"]:
        raise DataError(f"{path} is not there or of other features: run 02_extract again")
    with np.load(manifest.note_input(path), allow_pickle=False) as stored:
        return stored[layer]


def _place(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}_grams.npz")


def _fingerprint(path: Path) -> str:
    with np.load(path, allow_pickle=False) as stored:
        return str(stored["fingerprint"]) if "fingerprint" in stored else ""
