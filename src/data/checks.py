"""What is missing or inconsistent in a mouse, one line a problem, in one streaming pass.

Errors stop packing; warnings are for the reader to judge; notes say what was found (withheld
responses, absent behavior). A problem that occurs in many files is one line with a count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from src.data.errors import DataError
from src.data.npy_tree import NpyRecording
from src.data.sensorium import IMAGE_ID_NAMES, KINDS, REQUIRED_KINDS, TIERS, Mouse

NEURON_ARRAYS = ("unit_ids", "area", "layer", "cell_motor_coordinates")
TRIAL_ARRAYS = ("tiers", "trial_idx", *IMAGE_ID_NAMES)
WIDTHS = {"behavior": 3, "pupil_center": 2, "xywh": 4}  # values a trial
AGAIN = "get the recording again"
TINY = 1e-30  # of a std: below, its inverse may not fit in float32


class Finding(NamedTuple):
    """One line of a validation report."""

    severity: str  # error | warning | note
    file: str  # relative to the mouse
    field: str
    message: str


def check_mouse(mouse: Mouse) -> pd.DataFrame:
    """Validation report, errors first: columns severity, file, field, message."""
    findings = list(_unreadable_tables(mouse))
    if not findings:
        findings = _check_tables(mouse)
        findings += (f for kind in KINDS for f in _check_kind(mouse, kind))
    order = ("error", "warning", "note")
    findings.sort(key=lambda f: order.index(f.severity))
    return pd.DataFrame(findings, columns=Finding._fields)


def require_valid(mouse: Mouse, report: pd.DataFrame | None = None) -> pd.DataFrame:
    """The report (made here unless given) of a mouse without errors; else raises the first one."""
    report = check_mouse(mouse) if report is None else report
    raise_first(mouse, report[report.severity == "error"].message.tolist())
    return report


def require_tables(mouse: Mouse) -> None:
    """As `require_valid`, but of meta/ and file names only: no trial is read."""
    findings = list(_unreadable_tables(mouse)) or _check_tables(mouse)
    raise_first(mouse, [f.message for f in findings if f.severity == "error"])


def raise_first(mouse: NpyRecording, errors: list[str]) -> None:
    """Raise the first of some errors of a recording, if there is one."""
    if errors:
        more = f" (and {len(errors) - 1} more: see the validation report)" if errors[1:] else ""
        raise DataError(f"session '{mouse.key}' in {mouse.path}: {errors[0]}{more}")


def _check_tables(mouse: Mouse) -> list[Finding]:
    checks = (_key, check_units, _trial_tables, check_tiers, _image_leaks, check_files, _statistics)
    return [finding for check in checks for finding in check(mouse)]


def _unreadable_tables(mouse: Mouse) -> Iterator[Finding]:
    needed = ("meta/trials/tiers", "meta/trials/trial_idx", "meta/neurons/unit_ids")
    for name in needed:
        if not mouse.has(name):
            text = f"{name}.npy is missing: {AGAIN}"
            yield Finding("error", f"{name}.npy", name.split("/")[-1], text)
    if not any(mouse.has(f"meta/trials/{n}") for n in IMAGE_ID_NAMES):
        text = f"meta/trials has no image ids: add one of {', '.join(IMAGE_ID_NAMES)}"
        yield Finding("error", "meta/trials", "image ids", text)
    statistics = (f"meta/statistics/{k}/all/{s}" for k in KINDS for s in ("mean", "std"))
    neurons = (f"meta/neurons/{n}" for n in (*NEURON_ARRAYS, "animal_ids", "sessions", "scan_idx"))
    trials = (f"meta/trials/{n}" for n in TRIAL_ARRAYS)
    yield from unreadable(mouse, mouse.optional, (*trials, *neurons, *statistics))


def unreadable(
    mouse: NpyRecording, read: Callable[[str], Any], names: Iterable[str]
) -> Iterator[Finding]:
    """An error for each array of a recording that cannot be read."""
    for name in names:
        try:
            read(name)
        except DataError as error:
            text = str(error).replace(f"{mouse.path}/", "")
            yield Finding("error", f"{name}.npy", name.split("/")[-1], text)


def _key(mouse: Mouse) -> Iterator[Finding]:
    try:
        stated = mouse.key_of_neurons
    except DataError as error:
        yield Finding("error", "meta/neurons", "key", str(error).replace(f"{mouse.path}/", ""))
        return
    if stated and stated != mouse.key:
        text = (
            f"the name says session {mouse.key} but meta/neurons says {stated}: "
            f"rename {mouse.path.name}"
        )
        yield Finding("warning", "meta/neurons", "key", text)


def check_units(mouse: NpyRecording) -> Iterator[Finding]:
    """Ids of units, and whether other tables of them have as many rows."""
    file, ids = "meta/neurons/unit_ids.npy", mouse.unit_ids
    if ids.ndim != 1 or not len(ids):
        text = f"{file} is {ids.shape}, not (units,) with one unit or more: {AGAIN}"
        yield Finding("error", file, "unit_ids", text)
        return
    if repeated := _repeated(ids):
        text = f"{file} lists unit {repeated[0]} more than once ({len(repeated)} such ids): {AGAIN}"
        yield Finding("error", file, "unit_ids", text)
    for name in NEURON_ARRAYS[1:]:
        array = mouse.optional(f"meta/neurons/{name}")
        wanted = (len(ids), 3) if name == "cell_motor_coordinates" else (len(ids),)
        file = f"meta/neurons/{name}.npy"
        if array is not None and array.shape != wanted:
            text = f"{file} is {array.shape} but {len(ids)} units need {wanted}: {AGAIN}"
            yield Finding("error", file, name, text)
        elif name == "cell_motor_coordinates" and array is not None and not _finite(array):
            text = f"{file} has coordinates that are not finite: correct or remove the file"
            yield Finding("error", file, name, text)


def _trial_tables(mouse: Mouse) -> Iterator[Finding]:
    n = mouse.n_trials
    for name in TRIAL_ARRAYS[1:]:
        array, file = mouse.optional(f"meta/trials/{name}"), f"meta/trials/{name}.npy"
        if array is not None and array.shape != (n,):
            text = f"{file} is {array.shape} but meta/trials/tiers.npy lists {n} trials: {AGAIN}"
            yield Finding("error", file, name, text)
    if repeated := _repeated(mouse.trial_ids):
        text = (
            f"meta/trials/trial_idx.npy lists trial {repeated[0]} more than once "
            f"({len(repeated)} such ids): predictions could not be matched to trials; {AGAIN}"
        )
        yield Finding("error", "meta/trials/trial_idx.npy", "trial_idx", text)


def check_tiers(
    mouse: NpyRecording, known: tuple[str, ...] = TIERS, needed: tuple[str, ...] = TIERS[:3]
) -> Iterator[Finding]:
    """Tiers that are none, and those without a trial."""
    file, counts = "meta/trials/tiers.npy", Counter(mouse.tiers.tolist())
    for word in sorted(set(counts) - set(known)):
        text = f"{file} has unknown tier '{word}' in {counts[word]} trials: use {', '.join(known)}"
        yield Finding("error", file, "tiers", text)
    for tier in needed:
        if not counts[tier]:
            severity = "warning" if tier == "test" else "error"
            text = f"{file} has no {tier} trial: mark some of its {mouse.n_trials} trials '{tier}'"
            yield Finding(severity, file, "tiers", text)


def _image_leaks(mouse: Mouse) -> Iterator[Finding]:
    if len(mouse.image_ids) != mouse.n_trials:
        return  # reported by _trial_tables
    for a, b in (("train", "test"), ("validation", "test"), ("train", "validation")):
        shown = (mouse.image_ids[mouse.tiers == tier] for tier in (a, b))
        if len(both := np.intersect1d(*shown)):
            text = (
                f"meta/trials/tiers.npy has {len(both)} image ids in {a} and in {b} (first: "
                f"{both[0]}): {b} scores are not of unseen images; move them to one tier"
            )
            yield Finding("warning", "meta/trials/tiers.npy", "image ids", text)


def check_files(
    mouse: NpyRecording,
    kinds: tuple[str, ...] = KINDS,
    required: tuple[str, ...] = REQUIRED_KINDS,
) -> Iterator[Finding]:
    """Files of trials that are missing, and files of no trial."""
    wanted = [str(i) for i in range(mouse.n_trials)]
    for kind in kinds:
        if not (found := mouse.trial_names(kind)) and kind not in required:
            continue
        folder, listed = f"data/{kind}", f"meta/trials/tiers.npy lists {len(wanted)} trials"
        if missing := [i for i in wanted if i not in found]:
            filled = kind == "xywh" and mouse.boxes_filled
            remedy = f"{AGAIN}, or set fill_boxes for the full frame" if kind == "xywh" else AGAIN
            text = (
                f"{folder}/{missing[0]}.npy is missing{_more(missing)}: {folder} has {len(found)} "
                f"files but {listed}; {'the full frame stands in' if filled else remedy}"
            )
            severity = "warning" if filled else "error"
            yield Finding(severity, f"{folder}/{missing[0]}.npy", kind, text)
        if extra := sorted(found.difference(wanted)):
            text = (
                f"{folder}/{extra[0]}.npy is too many{_more(extra)}: {folder} has {len(found)} "
                f"files but {listed}; remove it or {AGAIN}"
            )
            yield Finding("error", f"{folder}/{extra[0]}.npy", kind, text)


def _statistics(mouse: Mouse) -> Iterator[Finding]:
    for kind in KINDS[:4]:
        file = f"meta/statistics/{kind}/all/std.npy"
        std, mean = (mouse.statistic(kind, name) for name in ("std", "mean"))
        remedy = f"remove meta/statistics/{kind}"
        if mean is not None and not _finite(mean):
            other = f"meta/statistics/{kind}/all/mean.npy"
            yield Finding("error", other, "mean", f"{other} has values not finite: {remedy}")
        if std is None:
            if mouse.has_kind(kind):
                text = f"{file} is absent: computed over training trials"
                yield Finding("note", file, "std", text)
        elif not _finite(std) or no_divisor(std).any():
            text = f"{file} has values that are not finite, negative or all but 0: {remedy}"
            yield Finding("error", file, "std", text)
        elif kind in REQUIRED_KINDS and not std.any():
            text = (
                f"{file} {std.shape} is all zero: {AGAIN}, or remove meta/statistics/{kind} to "
                "have it computed over training trials"
            )
            yield Finding("error", file, "std", text)
        elif kind == "responses" and std.size not in (1, len(mouse.unit_ids)):
            text = f"{file} is {std.shape} but meta has {len(mouse.unit_ids)} units: {AGAIN}"
            yield Finding("error", file, "std", text)
        elif kind in WIDTHS and not std.any():
            yield Finding("note", file, "std", f"{file} is all zero: {kind} counts as missing")


def _check_kind(mouse: Mouse, kind: str) -> Iterator[Finding]:
    """The streaming pass over one kind: every file of a trial is read once."""
    shapes: dict[int, tuple[int, ...]] = {}
    nonzero = np.zeros(mouse.n_trials, bool)
    problems: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    names = mouse.trial_names(kind)
    for i in (i for i in range(mouse.n_trials) if str(i) in names):
        try:
            array = mouse.trial(kind, i)
        except DataError as error:
            text = str(error).replace(f"{mouse.path}/", "")
            problems["error", "unreadable"].append((i, text))
            continue
        shapes[i], nonzero[i] = array.shape, array.any()
        if found := _value_problem(kind, array):
            severity, name, text = found
            problems[severity, name].append((i, f"data/{kind}/{i}.npy {text}"))
    problems["error", "shape"] = _shape_problems(mouse, kind, shapes)
    for (severity, _), found in problems.items():
        if found:
            i, text = found[0]
            also = f" (and {len(found) - 1} more such files)" if found[1:] else ""
            yield Finding(severity, f"data/{kind}/{i}.npy", kind, text + also)
    yield from _silence(mouse, kind, nonzero)


def _value_problem(kind: str, array: np.ndarray) -> tuple[str, str, str] | None:
    """Severity, name and text of what is wrong with one trial's values."""
    if not _finite(array):
        bad = np.flatnonzero(~np.isfinite(array))
        text = f"has {bad.size} of {array.size} values NaN or infinite (first: {bad[0]}): {AGAIN}"
        return "error", "finite", text
    if kind == "responses" and (least := array.min(initial=0)) < 0:
        text = f"has negative responses (least: {least:.4g}): a Poisson loss expects none"
        return "warning", "negative", text
    if kind == "xywh" and ((array < 0) | (array > 1 + 1e-6)).any():
        box = np.round(array, 4).tolist()
        return "error", "box", f"has box {box} outside [0, 1]: divide pixels by width and height"
    return None


def _shape_problems(
    mouse: Mouse, kind: str, shapes: dict[int, tuple[int, ...]]
) -> list[tuple[int, str]]:
    if not shapes:
        return []
    n_units = len(mouse.unit_ids)
    match kind:
        case "images":
            wanted, why = Counter(shapes.values()).most_common(1)[0][0], "the other images are"
        case "responses":
            wanted, why = (n_units,), "meta/neurons/unit_ids.npy is"
        case _:
            wanted, why = (WIDTHS[kind],), "a trial is"
    return [
        (i, f"data/{kind}/{i}.npy is {shape} but {why} {wanted}: {AGAIN}")
        for i, shape in shapes.items()
        if shape != wanted
    ]


def _silence(mouse: Mouse, kind: str, nonzero: np.ndarray) -> Iterator[Finding]:
    """Responses of a tier all zero, or statistics that say zero where the values do vary."""
    folder, std = f"data/{kind}", mouse.statistic(kind, "std")
    for tier in TIERS if kind == "responses" else ():
        if (mouse.tiers == tier).any() and not nonzero[mouse.tiers == tier].any():
            severity = "note" if "test" in tier else "error"
            text = f"{folder}: all responses of tier {tier} are zero: withheld, no scores there"
            yield Finding(severity, folder, tier, text)
    if kind in WIDTHS and std is not None and not std.any() and nonzero.any():
        text = (
            f"meta/statistics/{kind}/all/std.npy is all zero but {folder} is not: {kind} will "
            f"count as missing; remove meta/statistics/{kind} to have it computed"
        )
        yield Finding("warning", f"meta/statistics/{kind}/all/std.npy", kind, text)


def no_divisor(std: np.ndarray) -> np.ndarray:
    """Whether a std is negative, or so small that 1 / std is no number: (...) -> (...) bool."""
    return (std < 0) | ((std > 0) & (std < TINY))


def _finite(array: np.ndarray) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _repeated(ids: np.ndarray) -> list:
    values, counts = np.unique(ids, return_counts=True)
    return values[counts > 1].tolist()


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if names[1:] else ""
