"""GNets fitted anew to responses that a known network generates, and trunks read across areas.

Source: St-Yves et al. 2023; specification nsd_gnet, 9.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.analyses.noise_model import noise_model
from src.analyses.transfer import read_frozen
from src.correlation import pearson
from src.data.errors import DataError
from src.data.session import Session, chosen_sessions
from src.data.splits import Split, few_repeats, official_split
from src.evaluation.metrics import scored_rows
from src.evaluation.prediction import predict
from src.models.encoder import Encoder
from src.models.map_sessions import open_inputs
from src.seeds import numpy_stream
from src.studies.records import Plan
from src.training.checkpoint import load_encoder
from src.training.trainer import train


@dataclass(frozen=True, eq=False)
class Refit:
    """Correlations of u units of all sessions, in order of the sessions."""

    joint: np.ndarray  # (u,) one trunk for all areas
    own: np.ndarray  # (u,) a trunk for each
    transferred: np.ndarray  # (a, u) trunk of each area, frozen and read by all
    area: np.ndarray  # (u,) number of each unit's own


def generate(
    makers: Mapping[Path, Plan],
    processed: Path,
    features: Path,
    noisy: bool,
    seed: int,
) -> tuple[dict[str, Session], dict[str, Split]]:
    """Sessions that respond as trained networks predict, and their splits: makers by weights.pt.

    One network of all areas, or one of each. The signal is standardized over images. Without noise
    each image keeps one trial; with noise each keeps its repeats, and noise has the covariance that
    is left of the recorded test trials. `processed` and `features` are as for `open_inputs`.
    """
    trained = [(plan, load_encoder(path)) for path, plan in makers.items()]
    made, splits = {}, {}
    for key, session in open_inputs(processed, trained[0][0].model.inputs, features).items():
        split, rng = official_split(session), numpy_stream(seed, "generated", str(noisy), key)
        predicted = np.full((session.n_trials, session.n_units), np.nan, np.float32)
        for plan, encoder in trained:
            here = chosen_sessions({key: session}, (), plan.area.split())[key]
            units = np.isin(session.unit_ids, here.unit_ids)
            predicted[:, units] = predict(encoder, here, np.arange(session.n_trials))
        made[key], splits[key] = responding(session, split, predicted, noisy, rng)
    return made, splits


def responding(
    session: Session,
    split: Split,
    predicted: np.ndarray,
    noisy: bool,
    generator: np.random.Generator,
) -> tuple[Session, Split]:
    """One session of `generate`, from what is predicted of its trials: (n, u)."""
    _, first = np.unique(session.image_index, return_index=True)
    mean, spread = predicted[first].mean(0), predicted[first].std(0)
    signal = (predicted - mean) / np.where(spread > 0, spread, 1)
    if not noisy:
        parts = {
            name: trials[few_repeats(session.image_index[trials], 1, generator)]
            for name, trials in vars(split).items()
        }
        return session.with_responses(signal), Split(**parts)
    test = split.test
    found = noise_model(session.responses(test).numpy(), predicted[test])
    return session.with_responses(found.draw(signal, generator)), split


def refit(
    plans: Sequence[Plan],
    sessions: Mapping[str, Session],
    splits: Mapping[str, Split],
    metric: str,
    seed: int,
    folder: Path,
    device: str = "auto",
) -> Refit:
    """Train the plan of all areas, that of each, and read every area's trunk: -> Refit.

    `plans`: first that of all, then one an area. Networks are kept in `folder`, a folder each.
    DataError for plans that see pixels: the prefilter's maps have to be stored.
    """
    if raw := [plan.model.name for plan in plans if not plan.model.inputs.maps]:
        raise DataError(f"model {raw[0]!r} sees pixels: refit needs a profile with stored maps")

    def scored(encoder: Encoder, here: Mapping[str, Session]) -> list[np.ndarray]:
        found = []
        for key, session in here.items():
            test = splits[key].test
            both = predict(encoder, session, test), session.responses(test).numpy()
            found.append(pearson(*scored_rows(metric, session.image_ids[test], *both)[1:]))
        return found

    areas = [plan.area for plan in plans[1:]]
    own = {key: np.full(session.n_units, np.nan) for key, session in sessions.items()}
    for plan in plans:
        here = chosen_sessions(sessions, (), plan.area.split())
        encoder = Encoder(plan.model, here, seed)
        train(encoder, here, splits, plan.training, seed, folder / plan.model.name, device)
        found = scored(encoder, here)
        if not plan.area:
            joint = np.concatenate(found)
            continue
        for (key, session), r in zip(sessions.items(), found, strict=True):
            own[key][session.area == plan.area] = r
    transferred = []
    for plan in plans[1:]:
        given = folder / plan.model.name / "weights.pt", plan, sessions, splits, seed
        reader = read_frozen(*given, folder / "transfer" / plan.area, device)
        transferred.append(np.concatenate(scored(reader, sessions)))
    area = np.concatenate([session.area for session in sessions.values()])
    number = np.array([areas.index(name) for name in area])
    return Refit(joint, np.concatenate(list(own.values())), np.stack(transferred), number)
