"""Where units of a GNet look: Gaussians fitted to their pooling fields, in widths of the image.

x to the right and y upwards from the middle, as the fields of src/data/gaussian_fields.py. Source:
St-Yves et al. 2023; specification nsd_gnet, 9.5.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.analyses.gaussian_fit import FITTED, contour, fit_gaussian
from src.evaluation.bootstrap import interval


def pooling_fits(fields: np.ndarray) -> pd.DataFrame:
    """A Gaussian a unit, in places of the map: (u, h, w) of sum 1 -> u rows, with a status.

    A field that is as even as it began has nothing to fit and the status "even".
    """
    rows = []
    for field in fields:
        spread = field.std()
        even = not spread > 1e-6 * field.mean()
        scaled = (field - field.mean()) / (1 if even else spread)
        rows.append({"status": "even"} if even else fit_gaussian(scaled))
    return pd.DataFrame(rows).reindex(columns=["x0", "y0", "sigma_x", "sigma_y", "theta", "status"])


def in_image(fits: pd.DataFrame, height: int, width: int) -> pd.DataFrame:
    """Fits as x, y, sigma in widths of the image, and where the long axis points.

    nan where nothing was fitted. `angle` is from x towards y, which points up here, `eccentricity`
    the distance from the middle and `tilt` the `radial_tilt`.
    """
    good = fits["status"] == FITTED
    long = np.where(fits["sigma_x"] >= fits["sigma_y"], 0, np.pi / 2)
    found = pd.DataFrame(
        {
            "x": (fits["x0"] + 0.5) / width - 0.5,
            "y": 0.5 - (fits["y0"] + 0.5) / height,
            "sigma": np.sqrt(fits["sigma_x"] * fits["sigma_y"]) / width,
            "angle": -(fits["theta"] + long),
        }
    ).astype(float)
    found["eccentricity"] = np.hypot(found["x"], found["y"])
    found["tilt"] = radial_tilt(found["x"], found["y"], found["angle"])
    return found.where(good)


def radial_tilt(x: np.ndarray, y: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Angle of long axes from the line to the middle of the image: (u,) three times -> +-pi/2."""
    tilt = angle - np.arctan2(y, x)
    return (tilt + np.pi / 2) % np.pi - np.pi / 2


def outlines(fits: pd.DataFrame) -> list[np.ndarray | None]:
    """A line around each fitted Gaussian, one standard deviation away, or none."""
    level = float(np.exp(-0.5))
    return [contour(row, level) if row["status"] == FITTED else None for _, row in fits.iterrows()]


def place_agreement(
    here: np.ndarray,
    there: np.ndarray,
    area: np.ndarray,
    resamples: int,
    generator: np.random.Generator,
) -> dict[str, float]:
    """Median distance between two places of each unit: (u, 2), (u, 2), (u,) -> numbers.

    `low` and `high` with units drawn anew; `null_low` and `null_high` with the second places dealt
    to other units of the same area. nan without units.
    """
    names = "score", "low", "high", "null_low", "null_high"
    if not len(here):
        return dict.fromkeys(names, np.nan)
    away = np.hypot(*(here - there).T)
    drawn = np.median(away[generator.integers(0, len(away), (resamples, len(away)))], axis=1)
    by_area, dealt = np.argsort(area, kind="stable"), np.empty(resamples)
    for b in range(resamples):
        mixed = np.empty_like(there)
        mixed[by_area] = there[np.lexsort((generator.random(len(area)), area))]
        dealt[b] = np.median(np.hypot(*(here - mixed).T))
    values = np.median(away), *interval(drawn), *interval(dealt)
    return dict(zip(names, map(float, values), strict=True))
