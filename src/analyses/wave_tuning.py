"""Which frequency and orientation a unit prefers, by its weights on a pyramid of Gabor filters.

Features are standardized, so a weight is the change of the response with one standard deviation of
a channel's energy. Source: specification nsd_gnet, NSD-18.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.analyses.layer_tuning import spread
from src.models.gabor import ORIENTATIONS


def wave_curves(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tuning to frequency and to orientation: (u, 6 f) -> (u, f), (u, 6).

    Mean weights over the other one, frequencies in the order of layers, orientations fastest.
    """
    table = weights.reshape(len(weights), -1, ORIENTATIONS)
    return table.mean(2), table.mean(1)


def wave_tuning(weights: np.ndarray, layers: tuple[str, ...]) -> pd.DataFrame:
    """Preferred frequency (cycles an image) and orientation (degrees), and how broad: a row a unit.

    `layers` are those of the pyramid, such as f03.0. A spread is 0 where one stands out, 1 where
    all are alike; an orientation is that along which the wave goes, counted from the right.
    """
    curves = wave_curves(weights)
    frequencies = np.array([float(name.split("/")[-1].removeprefix("f")) for name in layers])
    angles = 180 / ORIENTATIONS * np.arange(ORIENTATIONS)
    found = {}
    for name, places, curve in zip(
        ("frequency", "orientation"), (frequencies, angles), curves, strict=True
    ):
        found[name] = places[curve.argmax(1)]
        found[f"{name}_spread"] = spread(curve.T)
    return pd.DataFrame(found)
