"""Ensembles: members averaged after the nonlinearity, before it, or mixed with learned weights.

All functions take the members' predictions for the same trials, (k, n, u).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.optimize import nnls

from src.data.errors import DataError
from src.evaluation.prediction import Prediction, align, response

Mode = Literal["mean", "mean_linear", "mix"]


def mean(members: np.ndarray) -> np.ndarray:
    """Mean of the members' responses (the published ensemble): (k, n, u) -> (n, u)."""
    return np.mean(members, axis=0, dtype=np.float64)


def mean_linear(members: np.ndarray, output: str = "elu1") -> np.ndarray:
    """ELU(mean of y) + 1 of the members' outputs y before the nonlinearity: (k, n, u) -> (n, u).

    Output "identity": the mean of y itself.
    """
    return response(mean(members), output)


def mix(members: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum of the members' responses: (k, n, u), (k,) -> (n, u)."""
    return np.einsum("k,knu->nu", weights, members, dtype=np.float64)


def fit_mix(members: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """Non-negative least squares weights, one a member for all units: (k, n, u), (n, u) -> (k,).

    Fit them on validation trials. A running QR decomposition keeps one trial in memory at a time.
    """
    triangle = np.zeros((0, len(members) + 1))
    for trial in range(len(responses)):
        rows = np.column_stack([*members[:, trial], responses[trial]]).astype(np.float64)
        triangle = np.linalg.qr(np.vstack([triangle, rows]), mode="r")
    return nnls(triangle[:, :-1], triangle[:, -1])[0]


def combine(
    members: Sequence[Prediction], mode: Mode = "mean", weights: np.ndarray | None = None
) -> Prediction:
    """One Prediction from the members', matched by trial and unit ids, and by images.

    `mean_linear` wants members predicted with `linear=True`, `mix` the weights of `fit_mix`.
    """
    if (weights is not None) != (mode == "mix"):
        raise ValueError(f"ensemble mode {mode!r} and weights {weights}: weights belong to 'mix'")
    first = members[0]
    ids = first.trial_ids, first.unit_ids, first.image_sha256
    stacked = np.stack([align(m, *ids) for m in members])
    match mode:
        case "mean":
            values = mean(stacked)
        case "mean_linear":
            values = mean_linear(stacked, first.output)
        case "mix":
            values = mix(stacked, weights)
    provenance = {"ensemble": mode, "members": [m.provenance for m in members]}
    if weights is not None:
        provenance["weights"] = [float(w) for w in weights]
    made = {"source": "prediction", "output": "elu1"}
    return replace(first, values=values.astype(np.float32), provenance=provenance, **made)


def out_of_fold(parts: Sequence[Prediction]) -> Prediction:
    """The held-out parts of all folds as one Prediction; each trial comes from one fold only."""
    first = parts[0]
    trial_ids = np.concatenate([p.trial_ids for p in parts])
    if len(np.unique(trial_ids)) < len(trial_ids):
        raise DataError(f"{first.source}: the folds predict some trials twice: re-run 03_predict")
    values = np.concatenate([align(p, p.trial_ids, first.unit_ids) for p in parts])
    image_ids = np.concatenate([p.image_ids for p in parts])
    provenance = {"ensemble": "out_of_fold", "members": [p.provenance for p in parts]}
    known = [p.image_sha256 for p in parts if p.image_sha256 is not None]
    hashes = np.concatenate(known) if len(known) == len(parts) else None
    ids = trial_ids, image_ids, first.unit_ids
    return Prediction(values, *ids, provenance, image_sha256=hashes)


def held_out(members: Sequence[Prediction], held: np.ndarray) -> Prediction:
    """Mean, for each trial, over the members that did not train on it: held (k, n) bool.

    All members predict the same trials in one order; a trial that no member holds out is an error.
    """
    if not held.any(axis=0).all():
        trial = members[0].trial_ids[np.argmin(held.any(axis=0))]
        raise DataError(f"{members[0].source}: every member trained on trial {trial}: leave it out")
    weighed = (h[:, None] * m.values.astype(np.float64) for m, h in zip(members, held, strict=True))
    values = (sum(weighed) / held.sum(axis=0)[:, None]).astype(np.float32)
    provenance = {"ensemble": "held_out", "members": [m.provenance for m in members]}
    return replace(members[0], values=values, provenance=provenance)
