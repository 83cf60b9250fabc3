"""What is missing or inconsistent in an `IT_data.h5`, one line a problem, as for mice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import h5py
import numpy as np
import pandas as pd
from scipy import stats

from src.data.blocks import AGAIN
from src.data.checks import Finding
from src.data.errors import DataError
from src.data.hashes import image_sha256
from src.data.inferotemporal import (
    KEYS,
    NAMES,
    RATES,
    STIMULI,
    InferotemporalFile,
    image_problem,
)
from src.data.objects import CATEGORY, OBJECTS

NORMALIZED = 10.0  # rates are z-scored, about -2 to 2.6; more is something else
CHANCE = 0.01  # p above which a site's rates do not differ between categories


def check_inferotemporal(source: InferotemporalFile) -> pd.DataFrame:
    """Validation report, errors first: columns severity, file, field, message.

    One streaming pass over the images, unless keys, shapes or types are already wrong.
    """
    findings = _check_tables(source)
    if not _errors(findings):
        findings += _check_images(source)
    return _report(findings)


def tables_report(source: InferotemporalFile) -> pd.DataFrame:
    """As `check_inferotemporal`, but no image is read."""
    return _report(_check_tables(source))


def _report(findings: list[Finding]) -> pd.DataFrame:
    order = ("error", "warning", "note")
    findings = sorted(findings, key=lambda f: order.index(f.severity))
    return pd.DataFrame(findings, columns=Finding._fields)


def _errors(findings: list[Finding]) -> bool:
    return any(f.severity == "error" for f in findings)


def _check_tables(source: InferotemporalFile) -> list[Finding]:
    name = source.path.name
    findings = [Finding(s, name, key, text) for s, key, text in _layout(source)]
    if not _errors(findings):
        try:
            more = [*_objects(source), *_rates(source), *_origin(source)]
        except DataError as error:  # a block that cannot be read
            text = str(error).removeprefix(f"{source.path}: ")
            more = [("error", text.split()[0], text)]
        findings += [Finding(s, name, key, f"{name}: {text}") for s, key, text in more]
    return findings


def _layout(source: InferotemporalFile) -> Iterator[tuple[str, str, str]]:
    """Keys, shapes and types, from the file's directory: severity, key, message."""
    name, found = source.path.name, source.entries
    if missing := [key for key in KEYS if key not in found]:
        text = f"{name} has no {', '.join(missing)} among its {len(found)} arrays: {AGAIN}"
        yield "error", missing[0], text
        return
    yield from (("error", key, f"{name}: {text}: {AGAIN}") for key, text in _shapes(source))
    for key in NAMES.values():
        if not found[key].text:
            yield "error", key, f"{name}: {key} is {found[key].dtype}, not text: {AGAIN}"
    numbers = [key for key in KEYS if key not in NAMES.values()]
    for key in numbers:
        if found[key].dtype.kind != "f":
            text = f"{name}: {key} is {found[key].dtype}, not floating point: {AGAIN}"
            yield "error", key, text
    if wide := [k for k in numbers if found[k].dtype.kind == "f" and found[k].dtype.itemsize != 4]:
        text = f"is {found[wide[0]].dtype}, not float32 ({len(wide)} such arrays)"
        yield "warning", wide[0], f"{name}: {wide[0]} {text}: read as float32, correct but slower"


def _shapes(source: InferotemporalFile) -> Iterator[tuple[str, str]]:
    shape = {key: source.entries[key].shape for key in KEYS}
    size = (3, *shape[STIMULI["train"]][-2:])
    for tier, stimuli in STIMULI.items():
        if len(shape[stimuli]) != 4 or shape[stimuli][1:] != size or not all(shape[stimuli]):
            wanted = ", ".join(map(str, ("n", *size)))
            yield stimuli, f"{stimuli} is {shape[stimuli]}, not ({wanted})"
            continue
        for key in (NAMES[tier], *([RATES[tier]] if tier in RATES else [])):
            columns = shape[RATES["train"]][1:] if key in RATES.values() else ()
            wanted = (shape[stimuli][0], *columns)
            if shape[key] != wanted or not all(wanted) or (key[0] == "s" and len(wanted) != 2):
                yield key, f"{key} is {shape[key]} but {stimuli} is {shape[stimuli]}: {wanted}"


def _objects(source: InferotemporalFile) -> Iterator[tuple[str, str, str]]:
    for tier, key in NAMES.items():
        names = set(source.objects[source.tiers == tier].tolist())
        if unknown := sorted(names - set(CATEGORY)):
            text = f"has {len(unknown)} objects that are none of the 64: correct the names"
            yield "error", key, f"{key} {text} (first: {unknown[0]!r})"
        elif absent := [name for name in OBJECTS if name not in names]:
            text = f"has no image of {len(absent)} of the 64 objects (first: {absent[0]!r})"
            yield "warning", key, f"{key} {text}: scores by object lack them; {AGAIN}"


def _rates(source: InferotemporalFile) -> Iterator[tuple[str, str, str]]:
    for tier, key in RATES.items():
        rates = source.rates(tier)
        if len(bad := np.flatnonzero(~np.isfinite(rates).all(1))):
            text = f"has {len(bad)} of {len(rates)} rows with NaN or infinite values"
            yield "error", key, f"{key} {text} (first: row {bad[0]}): {AGAIN}"
            continue
        if (most := np.abs(rates).max()) > NORMALIZED:
            text = f"has rates up to {most:.3g}, normalized ones stay below {NORMALIZED:.0f}"
            yield "warning", key, f"{key} {text}: normalize each site"
        constant = np.ptp(rates, axis=0) == 0
        if constant.all():
            yield "error", key, f"{key} has one constant rate at every site: {AGAIN}"
        elif constant.any():
            text = f"has {constant.sum()} of {rates.shape[1]} sites with one constant rate"
            first = np.flatnonzero(constant)[0]
            yield "warning", key, f"{key} {text} (first: site {first}): leave them out of scores"
        if tier == "train":
            yield from _untuned(source, key, rates, constant)


def _untuned(
    source: InferotemporalFile, key: str, rates: np.ndarray, constant: np.ndarray
) -> Iterator[tuple[str, str, str]]:
    """Sites whose rates do not differ between categories, by a one-way analysis of variance.

    A site of noise alone, or rows that do not belong to the images, which no other check of a
    file without repetitions can see.
    """
    names = np.array([CATEGORY.get(n, "") for n in source.objects[source.tiers == "train"]])
    groups = [rates[names == name] for name in np.unique(names)]
    if len(groups) < 2 or len(groups) == len(rates) or constant.all():
        return
    p = stats.f_oneway(*(group[:, ~constant].astype(float) for group in groups)).pvalue
    if len(untuned := np.flatnonzero(~constant)[p > CHANCE]):
        yield (
            "warning",
            key,
            f"{key} has {len(untuned)} of {rates.shape[1]} sites whose rates do not differ between "
            f"categories (F test, p > {CHANCE}; first: site {untuned[0]}): noise, or rows that do "
            "not belong to these images; check the order of rows",
        )


def _origin(source: InferotemporalFile) -> Iterator[tuple[str, str, str]]:
    yield "note", "spikes_test", "no spikes_test: test rates are withheld, no scores there"
    with h5py.File(source.path) as file:
        if file.attrs.get("rebuilt", False):
            yield "note", "rebuilt", "rebuilt from an assembly, not the course's own file"


def _check_images(source: InferotemporalFile) -> Iterator[Finding]:
    name, shown = source.path.name, {}
    for tier, key in STIMULI.items():
        hashes, bad = [], []
        try:
            for rows in source.blocks(tier):
                stored = source.stored(tier, rows)
                hashes += image_sha256(stored)
                if problem := image_problem(stored):
                    bad.append((rows.start + problem[0], problem[1]))
        except DataError as error:
            yield Finding("error", name, key, str(error).replace(str(source.path), name))
        if bad:
            also = f" (and in {len(bad) - 1} more blocks of rows)" if bad[1:] else ""
            yield Finding("error", name, key, f"{name}: {key} row {bad[0][0]} {bad[0][1]}{also}")
        shown[tier] = np.array(hashes)
    for a, b in combinations(shown, 2):
        if len(both := np.intersect1d(shown[a], shown[b])):
            row = int(np.argmax(np.isin(shown[b], both)))
            text = f"has {len(both)} images that are also in {STIMULI[a]} (first: row {row})"
            remedy = f"{b} scores are not of unseen images; move them to one of both"
            yield Finding("warning", name, STIMULI[b], f"{name}: {STIMULI[b]} {text}: {remedy}")
