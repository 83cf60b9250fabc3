"""Numbers of the literature on GNet, each with what it is and how far it can be trusted.

`status` of a number: source data, deposited with St-Yves et al. 2023; stored, output of the
published notebooks; disagrees, where both exist and differ. Specification nsd_gnet, 10.
"""

from __future__ import annotations

from dataclasses import dataclass

from src.studies.records import PublishedScore

SUBJECTS = tuple(f"subj{i:02}" for i in range(1, 9))
STORED = "stored output of the published notebooks, single test trials, median over voxels"
JOINT = (0.361, 0.339, 0.295, 0.260, 0.287, 0.266, 0.239, 0.213)
PUBLISHED = (
    *(
        PublishedScore("GNet8j", subject, "single", value, 0.01, STORED)
        for subject, value in zip(SUBJECTS, JOINT, strict=True)
    ),
    PublishedScore("GNet8j", "pooled", "single", 0.281, 0.01, STORED),
    PublishedScore("GNet8r", "pooled", "single", 0.282, 0.01, STORED),
)


@dataclass(frozen=True)
class Published:
    """One published number."""

    table: str  # variance, fev, better, alpha, unique
    system: str
    place: str  # area or subject
    value: float
    error: float | None = None  # standard error, where given
    status: str = "source data"


SYSTEMS = (
    *("noise ceiling", "Gabor-fwRF", "AlexNet-fpf", "AlexNet-fwRF"),
    *("GNet8j", "GNet8r", "GNet8jft"),
)
VARIANCE = {  # percent of the variance, mean over eight subjects
    "V1": (18.17, 10.58, 12.94, 13.31, 14.27, 14.26, 14.58),
    "V2": (15.58, 7.06, 10.00, 10.57, 11.39, 11.36, 11.53),
    "V3": (13.06, 4.46, 7.45, 8.07, 8.53, 8.48, 8.64),
    "hV4": (12.41, 3.24, 6.55, 7.24, 7.29, 7.33, 7.46),
}
EXPLAINED = {  # percent of the explainable variance
    "V1": (54.90, 68.35, 76.36),
    "V2": (43.15, 63.50, 70.60),
    "V3": (32.32, 57.85, 62.95),
    "hV4": (24.63, 55.34, 57.65),
}
BETTER = {"V1": 51.0, "V2": 55.2, "V3": 66.9, "hV4": 71.9}  # percent of voxels, GNet8r over GNet8j
UNIQUE = {  # percent that the fine map alone explains: shared, unique
    "GNet8j": {"V1": (93, 86), "V2": (91, 77), "V3": (87, 62), "hV4": (87, 55)},
    "GNet8r": {"V1": (90, 60), "V2": (91, 62), "V3": (91, 72), "hV4": (90, 72)},
}
PLACES = (*SUBJECTS, "pooled")
ALPHA = {  # of each subject, then pooled; errors
    ("brain", "stored, disagrees"): (
        (-0.18, 0.08, 0.24, 0.43, 0.48, 0.18, 0.51, 0.40, 0.226),
        (None,) * 8 + (0.072,),
    ),
    ("brain", "source data, disagrees"): (
        (-0.51, -0.09, -0.02, 0.13, 0.17, 0.00, 0.41, 0.26, -0.01),
        (0.11, 0.09, 0.09, 0.11, 0.10, 0.09, 0.11, 0.09, 0.08),
    ),
    ("GNet8r generates", "source data"): (
        (0.13, 0.17, 0.33, 0.40, 0.48, 0.34, 0.29, 0.12, 0.29),
        (0.06, 0.06, 0.09, 0.10, 0.13, 0.08, 0.08, 0.03, 0.08),
    ),
    ("GNet8j generates", "source data"): (
        (0.29, 0.62, 0.79, 1.00, 1.00, 1.00, 1.00, 1.00, 0.90),
        (0.10, 0.14, 0.16, 0.22, 0.19, 0.16, 0.23, 0.16, 0.18),
    ),
    ("AlexNet generates", "source data"): (
        (0.41, 0.74, 0.89, 1.00, 1.00, 1.00, 1.00, 1.00, 0.99),
        (0.11, 0.16, 0.17, 0.18, 0.17, 0.15, 0.19, 0.17, 0.18),
    ),
}


def _by_area(table: str, systems: tuple[str, ...], values: dict[str, tuple]) -> list[Published]:
    return [
        Published(table, system, area, value)
        for area, row in values.items()
        for system, value in zip(systems, row, strict=True)
    ]


TABLES = (
    *_by_area("variance", SYSTEMS, VARIANCE),
    *_by_area("fev", ("Gabor-fwRF", "AlexNet-fwRF", "GNet8jft"), EXPLAINED),
    *(Published("better", "GNet8r over GNet8j", a, v, status="stored") for a, v in BETTER.items()),
    *(
        Published(kind, system, area, value, status="stored")
        for system, areas in UNIQUE.items()
        for area, pair in areas.items()
        for kind, value in zip(("shared", "unique"), pair, strict=True)
    ),
    *(
        Published("alpha", system, *row, status)
        for (system, status), columns in ALPHA.items()
        for row in zip(PLACES, *columns, strict=True)
    ),
)
