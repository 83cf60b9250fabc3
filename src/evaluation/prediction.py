"""Predictions of an encoder for the trials of a session: made, saved, loaded, matched by ids.

What was predicted is known by the ids of trials and units, and by a hash of each trial's image: ids
that were given anew to other images do not pass.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.data.errors import DataError
from src.data.hashes import trial_sha256
from src.data.stored import read_npz
from src.manifest import note_input, save_arrays
from src.training.device import placed, threads
from src.training.provenance import versions


@dataclass(frozen=True)
class Prediction:
    """Predicted responses of n trials and u units, with the ids that say which they are."""

    values: np.ndarray  # (n, u) float32, normalized units
    trial_ids: np.ndarray  # (n,) str
    image_ids: np.ndarray  # (n,)
    unit_ids: np.ndarray  # (u,)
    provenance: dict[str, Any] = field(default_factory=dict)  # plain values: seed, split, ...
    source: str = "prediction"  # the file it came from, for error messages
    output: str = "elu1"  # the output nonlinearity of its model, which `responses` applies
    image_sha256: np.ndarray | None = None  # (n,) str, of each trial's image; None: not known

    def responses(self) -> Prediction:
        """Of an output y before the nonlinearity: the responses it stands for."""
        return replace(self, values=response(self.values, self.output))


def response(y: np.ndarray, output: str = "elu1") -> np.ndarray:
    """A model's output nonlinearity, ELU(y) + 1 or none, elementwise, in the precision of y."""
    if output == "identity":
        return y
    return np.maximum(y, 0) + np.exp(np.minimum(y, 0))


@torch.inference_mode()
def outputs(
    encoders: Sequence[Any],
    session: Any,
    index: np.ndarray,
    device: str = "auto",
    batch_size: int = 128,
    n_threads: int = 1,
) -> np.ndarray:
    """y before the nonlinearity of k Encoders for the trials `index`: (n,) -> (k, n, u) float32.

    Evaluation mode. A batch is read once and given to all members, each of which computes what it
    would alone, to the byte. Where they see neither behavior nor pupil an image, with its box, is
    predicted once and its trials share the row. Bytes agree at one number of CPU threads only.
    """
    index, inputs = np.asarray(index), encoders[0].config.inputs
    if other := next((e.config.inputs for e in encoders if e.config.inputs != inputs), None):
        raise ValueError(f"members see different inputs, {inputs} and {other}: predict them apart")
    if not (inputs.behavior or inputs.pupil):
        _, first, row = np.unique(
            session.image_index[index], return_index=True, return_inverse=True
        )
    else:
        first = row = np.arange(len(index))
    y = np.empty((len(encoders), len(first), session.n_units), np.float32)
    with placed(encoders, device) as place, threads(n_threads):
        for start in range(0, len(first), batch_size):
            trials = index[first[start : start + batch_size]]
            batch = session.batch(trials, place)
            for member, encoder in zip(y, encoders, strict=True):
                y_batch = encoder.linear(batch, session.key)  # (n, u)
                member[start : start + len(trials)] = y_batch.cpu().numpy()
    return y[:, row]


def predict(
    encoder: Any, session: Any, index: np.ndarray, *, linear: bool = False, **options: Any
) -> np.ndarray:
    """Responses of one Encoder: (n,) -> (n, u) float32; `linear` gives y before the nonlinearity.

    options are those of `outputs`.
    """
    (y,) = outputs([encoder], session, index, **options)
    return y if linear else response(y, encoder.config.output)


def predictions_of(
    encoders: Sequence[Any],
    session: Any,
    index: np.ndarray,
    provenance: Sequence[dict[str, Any]],
    **options: Any,
) -> list[Prediction]:
    """`outputs` of each member with the ids of trials and units, and with what it was made from.

    provenance, for each member: the model, its seed, its split, ... Session and package versions
    are added. The values are y: `responses` of each are its predicted responses.
    """
    ids = session.trial_ids[index], session.image_ids[index], session.unit_ids
    shown = trial_sha256(session, index)
    shared = {"session": session.provenance, "versions": versions()}
    made = zip(encoders, outputs(encoders, session, index, **options), provenance, strict=True)
    return [
        Prediction(y, *ids, {**shared, **own}, output=encoder.config.output, image_sha256=shown)
        for encoder, y, own in made
    ]


def prediction_of(
    encoder: Any, session: Any, index: np.ndarray, provenance: dict[str, Any], **options: Any
) -> Prediction:
    """Responses of one Encoder with their ids; otherwise as `predictions_of`."""
    (y,) = predictions_of([encoder], session, index, [provenance], **options)
    return y.responses()


def save_prediction(prediction: Prediction, path: Path) -> Path:
    """Write an npz with predictions, trial_ids, image_ids, unit_ids and provenance (JSON text).

    And image_sha256, where it is known.
    """
    known = prediction.image_sha256 is not None
    return save_arrays(
        path,
        predictions=np.asarray(prediction.values, np.float32),
        trial_ids=np.asarray(prediction.trial_ids, np.str_),
        image_ids=prediction.image_ids,
        unit_ids=prediction.unit_ids,
        provenance=json.dumps(prediction.provenance, sort_keys=True, allow_nan=False),
        **({"image_sha256": np.asarray(prediction.image_sha256, np.str_)} if known else {}),
    )


def load_prediction(path: Path) -> Prediction:
    """Read what `save_prediction` wrote."""
    remedy = "re-run 03_predict"
    stored = read_npz(note_input(Path(path)), remedy)
    names = ("predictions", "trial_ids", "image_ids", "unit_ids", "provenance")
    if missing := [name for name in names if name not in stored]:
        raise DataError(f"{path} holds no prediction, it lacks {', '.join(missing)}: {remedy}")
    values, *ids, provenance = (stored[name] for name in names)
    hashes, made_by = stored.get("image_sha256"), json.loads(str(provenance))
    return Prediction(values, *ids, made_by, str(path), image_sha256=hashes)


def side_by_side(parts: Sequence[Prediction]) -> Prediction:
    """Predictions of different units for the same trials as one: k of (n, u_k) -> (n, sum u_k)."""
    first = parts[0]
    values = [first.values, *(align(p, first.trial_ids, p.unit_ids) for p in parts[1:])]
    unit_ids = np.concatenate([p.unit_ids for p in parts])
    made = {"parts": [p.provenance for p in parts]}
    joined = replace(first, values=np.hstack(values), unit_ids=unit_ids, provenance=made)
    _order(joined, "unit", unit_ids, np.unique(unit_ids))  # refuses a unit in two parts
    return joined


def align(
    prediction: Prediction,
    trial_ids: np.ndarray,
    unit_ids: np.ndarray,
    image_sha256: np.ndarray | None = None,
) -> np.ndarray:
    """Values in the order of the given ids, whatever their order in the file: -> (n, u).

    Raises DataError unless both hold exactly the same trials and units, each once; and the same
    images, where both know the hashes of their trials' images (n,).
    """
    rows = _order(prediction, "trial", prediction.trial_ids, np.asarray(trial_ids, np.str_))
    columns = _order(prediction, "unit", prediction.unit_ids, np.asarray(unit_ids))
    if image_sha256 is not None and prediction.image_sha256 is not None:
        other = np.flatnonzero(prediction.image_sha256[rows] != image_sha256)
        if len(other):
            raise DataError(
                f"{prediction.source}: {len(other)} of {len(rows)} trials were predicted for other "
                f"images than they show (first: {trial_ids[other[0]]}): re-run 03_predict"
            )
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
