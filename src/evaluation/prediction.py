"""Predictions of an encoder for the trials of a session: made, saved, loaded, matched by ids."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.data.errors import DataError
from src.manifest import note_input, save_arrays
from src.training.device import pick_device, threads
from src.training.provenance import versions


@dataclass(frozen=True)
class Prediction:
    """Predicted responses of n trials and u units, with the ids that say which they are."""

    values: np.ndarray  # (n, u) float32, normalised units
    trial_ids: np.ndarray  # (n,) str
    image_ids: np.ndarray  # (n,)
    unit_ids: np.ndarray  # (u,)
    provenance: dict[str, Any] = field(default_factory=dict)  # plain values: seed, split, ...
    source: str = "prediction"  # the file it came from, for error messages


@torch.inference_mode()
def predict(
    encoder: Any,
    session: Any,
    index: np.ndarray,
    device: str = "auto",
    batch_size: int = 128,
    linear: bool = False,
    n_threads: int = 1,
) -> np.ndarray:
    """Responses of an Encoder, evaluation mode, to the trials `index` of a Session: (n,) -> (n, u).

    float32. Where the encoder sees neither behavior nor pupil an image, with its box, is predicted
    once and its trials share the row. `linear` gives y before the output nonlinearity. Bytes agree
    between runs only at one number of CPU threads.
    """
    index = np.asarray(index)
    inputs = encoder.config.inputs
    if not (inputs.behavior or inputs.pupil):
        _, first, row = np.unique(
            session.image_index[index], return_index=True, return_inverse=True
        )
    else:
        first = row = np.arange(len(index))
    place = pick_device(device)
    encoder = encoder.to(place).eval()
    forward = encoder.linear if linear else encoder
    values = np.empty((len(first), session.n_units), np.float32)
    with threads(n_threads):
        for start in range(0, len(first), batch_size):
            trials = index[first[start : start + batch_size]]
            batch = session.batch(trials, place)
            values[start : start + len(trials)] = forward(batch, session.key).cpu().numpy()
    return values[row]


def prediction_of(
    encoder: Any,
    session: Any,
    index: np.ndarray,
    provenance: dict[str, Any],
    **options: Any,
) -> Prediction:
    """`predict` with the ids of its trials and units, and with what it was made from.

    provenance: the model, its seed, its split, ... Session and package versions are added. options
    are those of `predict`.
    """
    values = predict(encoder, session, index, **options)
    ids = session.trial_ids[index], session.image_ids[index], session.unit_ids
    made_from = {"session": session.provenance, "versions": versions(), **provenance}
    return Prediction(values, *ids, made_from)


def save_prediction(prediction: Prediction, path: Path) -> Path:
    """Write an npz with predictions, trial_ids, image_ids, unit_ids and provenance (JSON text)."""
    return save_arrays(
        path,
        predictions=np.asarray(prediction.values, np.float32),
        trial_ids=np.asarray(prediction.trial_ids, np.str_),
        image_ids=prediction.image_ids,
        unit_ids=prediction.unit_ids,
        provenance=json.dumps(prediction.provenance, sort_keys=True, allow_nan=False),
    )


def load_prediction(path: Path) -> Prediction:
    """Read what `save_prediction` wrote."""
    with np.load(note_input(Path(path)), allow_pickle=False) as stored:
        ids = (stored[name] for name in ("trial_ids", "image_ids", "unit_ids"))
        provenance = json.loads(str(stored["provenance"]))
        return Prediction(stored["predictions"], *ids, provenance, str(path))


def align(prediction: Prediction, trial_ids: np.ndarray, unit_ids: np.ndarray) -> np.ndarray:
    """Values in the order of the given ids, whatever their order in the file: -> (n, u).

    Raises DataError unless both hold exactly the same trials and units, each once.
    """
    rows = _order(prediction, "trial", prediction.trial_ids, np.asarray(trial_ids, np.str_))
    columns = _order(prediction, "unit", prediction.unit_ids, np.asarray(unit_ids))
    return prediction.values[np.ix_(rows, columns)]


def _order(prediction: Prediction, kind: str, found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Positions in `found` of the ids `wanted`."""
    where = f"{prediction.source}: {len(found)} {kind}s"
    missing, unknown = np.setdiff1d(wanted, found), np.setdiff1d(found, wanted)
    for ids, word in ((missing, "missing"), (unknown, "unknown")):
        if len(ids):
            detail = f"{len(wanted)} are wanted, {len(ids)} {word} (first: {ids[0]})"
            raise DataError(f"{where} where {detail}: re-run 03_predict")
    if len(found) != len(np.unique(found)):
        raise DataError(f"{where}, some more than once: re-run 03_predict")
    order = np.argsort(found, kind="stable")
    return order[np.searchsorted(found[order], wanted)]
