"""What is missing or inconsistent in a mouse that watched films, one line a problem.

Errors stop packing; warnings are for the reader to judge; notes say what was found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd

from src.data.checks import (
    AGAIN,
    Finding,
    check_files,
    check_tiers,
    check_units,
    no_divisor,
    raise_first,
    unreadable,
)
from src.data.errors import DataError
from src.data.movie_mouse import KINDS, REQUIRED_KINDS, TIERS, MovieMouse, MovieTrial
from src.data.movie_tables import differences, pad_of

STATISTICS = ("mean", "std")
NEEDED = ("meta/trials/tiers", "meta/neurons/unit_ids", "data/videos/0")


def check_movies(mouse: MovieMouse, trials: bool = True) -> pd.DataFrame:
    """Validation report, errors first: columns severity, file, field, message.

    Without `trials`, of meta/ and file names only; else every file is read once.
    """
    findings = list(unreadable(mouse, mouse.array, NEEDED))
    if not findings:
        checks = (
            check_units(mouse),
            check_tiers(mouse, TIERS, TIERS[:2]),
            check_files(mouse, KINDS, REQUIRED_KINDS),
            _statistics(mouse),
            _published(mouse),
        )
        findings = [finding for check in checks for finding in check]
        errors = [f for f in findings if f.severity == "error"]
        findings += _trials(mouse) if trials and not errors else ()
    findings.sort(key=lambda f: ("error", "warning", "note").index(f.severity))
    return pd.DataFrame(findings, columns=Finding._fields)


def require_valid_movies(
    mouse: MovieMouse, report: pd.DataFrame | None = None, trials: bool = True
) -> pd.DataFrame:
    """The report (made here unless given) of a mouse without errors; else raises the first one."""
    report = check_movies(mouse, trials) if report is None else report
    raise_first(mouse, report[report.severity == "error"].message.tolist())
    return report


def _published(mouse: MovieMouse) -> Iterator[Finding]:
    for text in differences(mouse):
        yield Finding("warning", "meta/trials/tiers.npy", "published", text)


def _statistics(mouse: MovieMouse) -> Iterator[Finding]:
    pad = pad_of(mouse)
    for kind in mouse.kinds:
        row = mouse.row(kind)
        for name in STATISTICS:
            file = f"meta/statistics/{kind}/all/{name}.npy"
            if (values := mouse.statistic(kind, name)) is None:
                text = f"{file} is absent: computed over training trials"
                yield Finding("note", file, name, text)
            elif values.shape != (*row, pad):
                wanted = (*row, pad)
                text = f"{file} is {values.shape} but the trials need {wanted}: {AGAIN}"
                yield Finding("error", file, name, text)
            elif name == "std" and no_divisor(values).any():
                text = f"{file} has negative values, or others all but 0: {AGAIN}"
                yield Finding("error", file, name, text)
            elif name == "std" and kind == "responses" and not np.nansum(values):
                yield Finding("error", file, name, f"{file} is zero throughout: {AGAIN}")
            elif name == "std" and kind != "responses":
                yield from _zeros(kind, file, values)


def _zeros(kind: str, file: str, std: np.ndarray) -> Iterator[Finding]:
    """A std of 0 that would divide: there is no floor for anything but responses."""
    zero = np.argwhere(std == 0)
    if len(zero):
        text = (
            f"{file} {std.shape} is 0 in {len(zero)} places (first: {tuple(zero[0].tolist())}): "
            f"{kind} there cannot be divided by it; take statistics='train'"
        )
        yield Finding("warning", file, "std", text)


def _trials(mouse: MovieMouse) -> Iterator[Finding]:
    """The streaming pass: a trial with an error, and what is peculiar of others, with counts."""
    problems: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    pads = set()
    for i in range(mouse.n_trials):
        try:
            movie = mouse.movie(i)
        except DataError as error:
            problems["error", "unreadable"].append((i, str(error).replace(f"{mouse.path}/", "")))
            continue
        pads.add(movie.pad)
        for severity, name, text in trial_notes(movie, mouse.tiers[i]):
            problems[severity, name].append((i, text))
    for (severity, name), found in problems.items():
        i, text = found[0]
        more = f" (and {len(found) - 1} more such trials)" if found[1:] else ""
        where = "" if severity == "error" else f"trial {i} ({mouse.tiers[i]}): "
        yield Finding(severity, f"data/*/{i}.npy", name, where + text + more)
    if len(pads) > 1:
        text = f"trials have {sorted(pads)} frames with their padding, not one number: {AGAIN}"
        yield Finding("error", "data", "pad", text)


def trial_notes(movie: MovieTrial, tier: str) -> Iterator[tuple[str, str, str]]:
    """Severity, name and text of what is peculiar about one readable trial."""
    lengths, used = movie.lengths, tier != "none"
    if not lengths["videos"]:
        yield "warning", "no video", "has no valid film: it is neither trained on nor scored"
        return
    if movie.padding == "zero":
        yield "note", "padding", f"is padded with zeros from frame {max(lengths.values())} on"
    if movie.withheld and used:
        if "test" in tier:
            yield "note", f"withheld {tier}", "has all responses zero: withheld, not scored"
        else:
            yield "warning", f"silent {tier}", f"has all responses zero in tier {tier}: not used"
    known = {k: n for k, n in lengths.items() if k != "responses" or not movie.withheld}
    if len(set(known.values())) > 1:
        text = ", ".join(f"{kind} {n}" for kind, n in known.items())
        yield "note", "lengths", f"is valid for unequal numbers of frames: {text}"
    if "behavior" in lengths and not movie.kinds["behavior"][:, 1].any():
        yield "warning", "speed", "has a running speed of 0 throughout: it may be invalid"
