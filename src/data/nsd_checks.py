"""What is missing or odd in a subject of NSD, one line a problem, in one pass over its voxels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from src.data.checks import Finding
from src.data.nsd import read_scan, saturated, z_scored
from src.data.nsd_session import NsdSubject

RELIABLE = 0.5  # ncsnr of voxels whose repeats must agree
AGREE = 3.0  # standard errors that their correlation over repeats must be above 0


def check_nsd(subject: NsdSubject) -> pd.DataFrame:
    """Validation report, errors first: columns severity, file, field, message.

    Constant and saturated voxels, voxels without ncsnr, and whether two presentations of an image
    give similar responses, without which trials are not in the order of the design.
    """
    counts, constant, shown = 0, True, []
    for path in subject.files.scans:
        stored = read_scan(path, subject.unit_ids)
        counts = counts + saturated(stored)
        constant = constant & (np.ptp(stored, axis=0) == 0)
        shown.append(z_scored(stored))
    findings = [*_voxels(subject, counts, constant), *_repeats(subject, np.concatenate(shown))]
    findings.sort(key=lambda f: ("error", "warning", "note").index(f.severity))
    return pd.DataFrame(findings, columns=Finding._fields)


def _voxels(subject: NsdSubject, counts: np.ndarray, constant: np.ndarray) -> Iterator[Finding]:
    name, u = subject.path.name, len(subject.unit_ids)
    remedy = "it counts as 0 and has no score"
    for bad, text in (
        (constant, "are constant"),
        (counts > 0, "reach an end of int16"),
        (~np.isfinite(subject.ncsnr), "have no ncsnr"),
    ):
        if bad.any():
            first = subject.unit_ids[np.argmax(bad)]
            said = f"{bad.sum()} of {u} voxels {text} (first: {first}): {remedy}"
            yield Finding("warning", name, "betas" if "ncsnr" not in text else "ncsnr", said)


def _repeats(subject: NsdSubject, z: np.ndarray) -> Iterator[Finding]:
    """Correlation of the first two presentations of images, mean over reliable voxels."""
    with np.errstate(invalid="ignore"):
        reliable = subject.ncsnr > RELIABLE
    order = np.argsort(subject.order, kind="stable")
    same = subject.order[order][1:] == subject.order[order][:-1]
    starts = np.flatnonzero(same & np.append(True, ~same[:-1]))
    if not reliable.any() or len(starts) < 10:
        text = "too few repeats or voxels of ncsnr above .5 to tell whether trials are in order"
        yield Finding("note", "nsd_expdesign.mat", "masterordering", text)
        return
    a, b = z[order[starts]][:, reliable], z[order[starts + 1]][:, reliable]
    r = float(np.mean(a * b))
    spread = float(np.std((a * b).mean(1))) / np.sqrt(len(starts))
    if r < AGREE * spread:
        text = (
            f"repeats correlate by {r:.3f} over {len(starts)} images and {reliable.sum()} voxels "
            f"of ncsnr above {RELIABLE}: trials are not in the order of the design, get both again"
        )
        yield Finding("error", "nsd_expdesign.mat", "masterordering", text)
