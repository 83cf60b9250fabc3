"""What linear probes work on: the images of a session, their mean responses, and which train."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from src.data.errors import DataError
from src.data.hashes import trial_sha256
from src.data.splits import Split
from src.evaluation.metrics import Repeats
from src.evaluation.prediction import Prediction


@dataclass(frozen=True, eq=False)
class FieldRows:
    """What receptive fields are fitted to: n rows, each the mean response to one image."""

    images: np.ndarray  # (n,) rows of `Session.images`
    responses: np.ndarray  # (n, u)
    counts: np.ndarray  # (n,) trials each is the mean of
    train: np.ndarray  # rows that are fitted
    held_out: np.ndarray  # rows that choose field and lambda; none: each in turn

    @classmethod
    def drawn(
        cls, session: Any, split: Split, share: float, generator: np.random.Generator
    ) -> FieldRows:
        """A share of the different training images held out, none of which is fitted."""
        rows = cls._of(session, split.train)
        order = generator.permutation(len(rows.images))
        few, many = np.split(order, [int(share * len(order))])
        return replace(rows, train=np.sort(many), held_out=np.sort(few))

    @classmethod
    def as_published(cls, session: Any, split: Split) -> FieldRows:
        """Trials for validation held out, of images that trials for training show as well.

        Of a split by acquisition these are the last tenth (specification nsd_gnet, 5.5). Means with
        counts give the equations of the single trials; an image of both parts has two rows.
        """
        train, held_out = (cls._of(session, part) for part in (split.train, split.validation))
        both = [
            np.concatenate([getattr(part, name) for part in (train, held_out)])
            for name in ("images", "responses", "counts")
        ]
        return cls(*both, *np.split(np.arange(len(both[0])), [len(train.images)]))

    @classmethod
    def _of(cls, session: Any, trials: np.ndarray) -> FieldRows:
        """All images of some trials, all to be fitted."""
        shown = ImageResponses.of(session, trials)
        counts = np.bincount(session.image_index[trials])[shown.rows].astype(float)
        every = np.arange(len(counts))
        return cls(shown.rows, shown.responses, counts, every, every[:0])


@dataclass(frozen=True, eq=False)
class ImageResponses:
    """Some of the different images of a session with their responses, means over repeats."""

    rows: np.ndarray  # (n,) rows of `Session.images`, ascending
    responses: np.ndarray  # (n, u) float64, normalized units
    objects: np.ndarray | None  # (n,) str, where known

    @classmethod
    def of(cls, session: Any, trials: np.ndarray) -> ImageResponses:
        """The images shown in these trials: Session, (t,) -> n images."""
        repeats = Repeats.of(session.image_index[trials])
        first = trials[np.unique(repeats.index, return_index=True)[1]]
        objects = None if session.objects is None else session.objects[first]
        return cls(repeats.ids, repeats.mean(session.responses(trials).numpy()), objects)


def scored_trials(session: Any, split: Split) -> np.ndarray:
    """Trials to score a probe on: those for testing, or for validation where those are withheld.

    Choices are made among training images, so that validation trials are as unseen as test trials.
    """
    return split.validation if session.withheld("test") else split.test


def fitted_trials(session: Any, split: Split) -> np.ndarray:
    """Trials to fit a probe on: all that are for training or validation and are not scored."""
    return np.setdiff1d(np.r_[split.train, split.validation], scored_trials(session, split))


def prediction_for(
    session: Any, trials: np.ndarray, predicted: np.ndarray, provenance: dict[str, Any]
) -> Prediction:
    """Predictions of all images as those of some trials: (i, u), (t,) -> Prediction of t trials."""
    index = session.image_index[trials]
    ids = session.trial_ids[trials], session.image_ids[trials], session.unit_ids
    source = {"session": session.provenance, **provenance}
    values, hashes = predicted[index].astype(np.float32), trial_sha256(session, trials)
    return Prediction(values, *ids, source, image_sha256=hashes)


def group_means(
    session: Any, groups: np.ndarray, fitted: np.ndarray, scored: np.ndarray
) -> np.ndarray:
    """Mean response of each trial's group over fitted trials: (n,) str, (t,), (m,) -> (m, u).

    A baseline that sees no image: what is known from the name of what it shows. DataError for a
    group of which no trial was fitted.
    """
    known = Repeats.of(groups[fitted])
    if len(unknown := np.setdiff1d(groups[scored], known.ids)):
        raise DataError(
            f"session '{session.key}' has {len(unknown)} groups among {scored.shape} scored trials "
            f"that {fitted.shape} fitted ones lack (first: {unknown[0]}): use broader groups"
        )
    means = known.mean(session.responses(fitted).numpy())
    return means[np.searchsorted(known.ids, groups[scored])]
