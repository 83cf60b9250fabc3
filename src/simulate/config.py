"""What is simulated: one frozen record, and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class SimulatedMouse:
    """One simulated mouse: its role decides what it withholds, the rest how its files look."""

    key: str
    role: Literal["pretraining", "sensorium", "sensorium+"] = "pretraining"
    units: int = 50
    archive: bool = False  # one .zip as downloaded, instead of a folder
    image_dtype: Literal["uint8", "float32", "float64"] = "uint8"
    response_dtype: Literal["float32", "float64"] = "float32"
    rows: bool = False  # behavior (1, 3) and pupil (1, 2) instead of (3,) and (2,)
    boxes: Literal["full", "partial", "absent"] = "full"  # partial: every third file is missing

    @property
    def withheld(self) -> bool:
        """Competition mouse: test responses zeroed, trial order hidden, a final test set."""
        return self.role != "pretraining"


@dataclass(frozen=True)
class SimulationConfig:
    """Sizes and planted effects of a simulation; an effect of 0 is exactly no effect."""

    mice: tuple[SimulatedMouse, ...]
    train: int = 200
    validation: int = 40
    test_images: int = 20
    repeats: tuple[int, int] = (7, 10)  # presentations per test image; one image is shown once

    spectrum: float = 1.0  # image amplitude falls as 1 / frequency ** spectrum
    object_fraction: float = 0.7  # images with a bright object; the others have a full-frame box
    energy_fraction: float = 0.5  # of the visual units: two-subunit energy models; others linear
    noise_fraction: float = 0.1  # of all units: blind to the image, true FEV 0
    rf_spread: float = 0.22  # receptive-field centers at the edge of the field (image half-width 1)
    rf_jitter: float = 0.02  # standard deviation of the centers around the retinotopic map
    similarity_um: float = 60.0  # units share their tuning with probability exp(-distance / this)
    behavior_additive: float = 0.4  # on the drive (standard deviation 1 over images)
    behavior_gain: float = 0.2  # on the logarithm of the drive's gain
    pupil_shift: float = 0.02  # of the receptive fields, per standard deviation of the pupil
    box_effect: float = 0.0  # of the box's four numbers on the drive
    noise_family: Literal["gamma", "poisson"] = "gamma"
    noise: float = 0.5  # median over units of variance / mean of a response


def _mice(units: tuple[int, ...], *roster: tuple[str, str]) -> tuple[SimulatedMouse, ...]:
    pairs = zip(roster, units, strict=True)
    return tuple(SimulatedMouse(key, role, n) for (key, role), n in pairs)


SENSORIUM, SENSORIUM_PLUS = ("26872-17-20", "sensorium"), ("27204-5-13", "sensorium+")
PRETRAINING = tuple(
    (key, "pretraining")
    for key in ("21067-10-18", "22846-10-16", "23343-5-17", "23656-14-22", "23964-4-22")
)

PRESETS: Mapping[str, SimulationConfig] = MappingProxyType(
    {
        "tiny": SimulationConfig(
            mice=(
                SimulatedMouse("21067-10-18", "pretraining", 24),
                SimulatedMouse("26872-17-20", "sensorium", 27, image_dtype="float32", rows=True),
                SimulatedMouse("27204-5-13", "sensorium+", 30, archive=True, boxes="absent"),
            ),
            train=64,
            validation=16,
            test_images=5,
        ),
        "demo": SimulationConfig(
            mice=(
                SimulatedMouse(PRETRAINING[0][0], units=48),
                SimulatedMouse(PRETRAINING[2][0], units=52, boxes="absent"),
                *_mice((40, 44), SENSORIUM, SENSORIUM_PLUS),
            ),
            train=320,
            validation=80,
            test_images=40,
        ),
        "study": SimulationConfig(
            mice=_mice((40, 44, 47, 50, 53, 56, 60), SENSORIUM, SENSORIUM_PLUS, *PRETRAINING)
        ),
        "real_shape": SimulationConfig(
            mice=_mice((8000,), PRETRAINING[0]), train=4620, validation=530, test_images=100
        ),
    }
)
