"""Which trials of a session are for training, for early stopping and for scoring."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from src import manifest
from src.data.errors import DataError
from src.seeds import numpy_stream

INNER = 0.1  # share of training images that early stopping looks at, of a fold or an inner split

# The winner of SENSORIUM 2022 seeded the re-splits of a mouse with its place in this order.
WINNER_ORDER = (
    *("21067-10-18", "23343-5-17", "22846-10-16", "23656-14-22"),
    *("23964-4-22", "26872-17-20", "27204-5-13"),
)


class Trials(Protocol):
    """The part of a session a split looks at."""

    tiers: np.ndarray  # (n,) str
    image_ids: np.ndarray  # (n,)
    image_index: np.ndarray  # (n,) number of the image by content, in order of first appearance


@dataclass(frozen=True, eq=False)
class Split:
    """Trial indices of one session in three parts; `test` of a fold is what it holds out."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @property
    def fingerprint(self) -> str:
        """sha256 of the trial indices and their part."""
        return manifest.fingerprint(self.as_plain())

    def as_plain(self) -> dict[str, list[int]]:
        """The three parts as lists of numbers."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: np.asarray(part).tolist() for name, part in parts.items()}


def tier_split(tiers: np.ndarray) -> Split:
    """The split a column of tiers describes: (n,) str -> Split."""
    return Split(*(np.flatnonzero(tiers == t) for t in ("train", "validation", "test")))


def official_split(session: Trials) -> Split:
    """The split the recording came with; of films the oracle tier validates, live tiers test."""
    if "oracle" not in session.tiers:
        return tier_split(session.tiers)
    tests = [session.trials(f"live_test_{kind}") for kind in ("main", "bonus")]
    test = np.sort(np.concatenate(tests))
    return Split(session.trials("train"), session.trials("oracle"), test)


def acquisition_split(session: Trials) -> Split:
    """Split of the published GNet: the last tenth of training trials, in order shown, validates.

    It shares images with those trained on. Every trial of the other tiers tests (specification
    nsd_gnet, 4.4, defect D-16).
    """
    train = np.flatnonzero(session.tiers == "train")
    kept = len(train) - -(-len(train) // 10)
    return Split(train[:kept], train[kept:], np.flatnonzero(session.tiers != "train"))


def halves_split(session: Trials) -> Split:
    """Trials of the first half of the different images, in order shown, train; the others test.

    An image counts where it was first shown, so that one shown in both halves trains and never
    tests. Nothing is for validation.
    """
    first = session.image_index < (session.image_index.max() + 1) // 2
    return Split(np.flatnonzero(first), np.array([], np.int64), np.flatnonzero(~first))


def winner_resplits(tiers: np.ndarray, mouse_position: int, members: int = 10) -> list[np.ndarray]:
    """Tiers of the winner's re-splits of one mouse, a member each: (n,) str -> k times (n,) str.

    Train and validation trials are shuffled cumulatively by the legacy generator seeded with the
    mouse's place in the list; the official counts and the test trials stay (specification 4.3).
    """
    random = np.random.RandomState(mouse_position)
    index = np.flatnonzero(np.isin(tiers, ("train", "validation")))
    n_train = np.count_nonzero(tiers == "train")
    resplits = []
    for _ in range(members):
        random.shuffle(index)
        resplit = tiers.copy()
        resplit[index[:n_train]] = "train"
        resplit[index[n_train:]] = "validation"
        resplits.append(resplit)
    return resplits


def kfold_splits(image_ids: np.ndarray, tiers: np.ndarray, folds: int, seed: int) -> list[Split]:
    """K folds over the train and validation trials: (n,), (n,) str -> k splits.

    `test` is the fold held out, `validation` a tenth of the other images, for early stopping. An
    image's fold is drawn from the seed and its id alone, so all its trials, in every session, are
    on one side, and folds differ a little in size.
    """
    pool = np.flatnonzero(np.isin(tiers, ("train", "validation")))
    unique, image = np.unique(image_ids[pool], return_inverse=True)
    draws = np.array([numpy_stream(seed, "fold", str(i)).random(1 + folds) for i in unique])
    fold = np.floor(folds * draws[:, 0])[image]
    splits = []
    for k in range(folds):
        inner = (draws[:, 1 + k] < INNER)[image]
        held_out = fold == k
        parts = pool[~held_out & ~inner], pool[~held_out & inner], pool[held_out]
        if not all(map(len, parts)):
            sizes = ", ".join(str(len(part)) for part in parts)
            raise DataError(
                f"fold {k + 1} of {folds} has {sizes} train, validation and test trials from "
                f"{len(unique)} images: use another seed, or another number of folds"
            )
        splits.append(Split(*parts))
    return splits


def inner_split(session: Trials, seed: int) -> Split:
    """A tenth of the training images for early stopping, validation images for testing.

    For recordings whose test responses are withheld: what is scored must not also choose. An
    image's place is drawn from the seed and its id alone.
    """
    official = official_split(session)
    unique, image = np.unique(session.image_ids[official.train], return_inverse=True)
    draws = np.array([numpy_stream(seed, "inner", str(i)).random() for i in unique])
    inner = (draws < INNER)[image]
    return Split(official.train[~inner], official.train[inner], official.validation)


def fewer_images(split: Split, image_ids: np.ndarray, images: int, seed: int) -> Split:
    """The split with only `images` of its training images: Split, (n,) -> Split.

    Images are ranked by a draw from the seed and their id alone: a smaller number is a subset of a
    larger one, and sessions that share images keep the same ones first.
    """
    unique, image = np.unique(image_ids[split.train], return_inverse=True)
    if not 0 < images <= len(unique):
        raise DataError(f"a split has {len(unique)} training images, not {images}: choose fewer")
    draws = [numpy_stream(seed, "image", str(i)).random() for i in unique]
    rank = np.argsort(np.argsort(draws, kind="stable"))
    return replace(split, train=split.train[rank[image] < images])


def few_repeats(images: np.ndarray, repeats: int, generator: np.random.Generator) -> np.ndarray:
    """At most so many trials of each image, at random: image of each trial (n,) -> (m,) ascending.

    All draws of one order: from equal generators, fewer are a subset of more.
    """
    order = generator.permutation(len(images))
    order = order[np.argsort(images[order], kind="stable")]
    _, first, image = np.unique(images[order], return_index=True, return_inverse=True)
    return np.sort(order[np.arange(len(order)) - first[image] < repeats])


def member_splits(
    sessions: Mapping[str, Trials],
    kind: Literal["official", "resplit", "kfold", "inner", "acquisition"],
    members: int,
    seed: int,
    images: int | None = None,
) -> list[dict[str, Split]]:
    """The splits of every session for each of k ensemble members: k dictionaries by session.

    `images` limits the training images of each session.
    """
    columns: dict[str, list[Split]] = {}
    for key, session in sessions.items():
        match kind:
            case "official":
                columns[key] = [official_split(session)] * members
            case "resplit":
                place = (WINNER_ORDER if key in WINNER_ORDER else tuple(sessions)).index(key)
                tiers = winner_resplits(session.tiers, place, members)
                columns[key] = [tier_split(t) for t in tiers]
            case "kfold":
                columns[key] = kfold_splits(session.image_ids, session.tiers, members, seed)
            case "inner":
                columns[key] = [inner_split(session, seed)] * members
            case "acquisition":
                columns[key] = [acquisition_split(session)] * members
            case _:
                known = "official, resplit, kfold, inner, acquisition"
                raise ValueError(f"split {kind!r} is not one of {known}")
        if images is not None:
            ids = session.image_ids
            columns[key] = [fewer_images(s, ids, images, seed) for s in columns[key]]
    return [{key: splits[m] for key, splits in columns.items()} for m in range(members)]


def save_splits(path: Path, splits: Mapping[str, Split]) -> Path:
    """Write splits by session as JSON, each with its fingerprint."""
    plain = {k: {"fingerprint": s.fingerprint, **s.as_plain()} for k, s in splits.items()}
    return manifest.save_json(plain, path)


def load_splits(path: Path) -> dict[str, Split]:
    """Read splits by session; a file that was changed since it was written is an error."""
    splits = {}
    for key, plain in json.loads(Path(path).read_text()).items():
        parts = (np.array(plain[p], dtype=np.int64) for p in ("train", "validation", "test"))
        splits[key] = Split(*parts)
        if splits[key].fingerprint != plain["fingerprint"]:
            raise DataError(
                f"{path}: the split of session {key!r} was changed after it was written: "
                "re-run 01_preprocess"
            )
    return splits
