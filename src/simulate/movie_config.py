"""What is simulated of mice that watch films: one frozen record, and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from src.simulate.config import SimulationConfig


@dataclass(frozen=True)
class MovieMouse:
    """One simulated mouse: what it withholds, and how its files look."""

    key: str
    pair: int  # mice of a pair share films
    role: Literal["public", "scored"] = "public"
    units: int = 50
    pad: int = 324  # frames of every file
    archive: bool = False  # one .zip, instead of a folder
    video_dtype: Literal["float16", "float32", "float64"] = "float16"  # all hold 0 to 255
    response_dtype: Literal["float32", "float64"] = "float32"
    short: Literal["", "behavior", "pupil_center"] = ""  # what ends one frame early
    padding: Literal["nan", "zero"] = "nan"
    clusters: Literal["cortex", "index"] = "cortex"  # where units of equal tuning are neighbors
    overlong: bool = False  # one trial that shows nothing, as long as the files
    dull: bool = False  # its last two units: one silent, one that always answers 1


@dataclass(frozen=True)
class MovieSimulation:
    """Sizes and planted effects; an effect of 0 is exactly no effect."""

    mice: tuple[MovieMouse, ...]
    train: int = 64  # films of a mouse shown once
    own: int = 4  # of these, not shown to the partner
    main: int = 2  # films of each of oracle, live main and final main
    ood: int = 1  # films of each of three kinds
    repeats: tuple[int, int] = (8, 10)
    none: int = 2  # left-out trials of public mice
    kinds: tuple[tuple[str, str, str], ...] = (  # of a pair: its OOD films
        ("pink", "dots", "rdk"),
        ("images", "gabor", "dots"),
    )
    envelope: float = 0.4  # how strongly responses grow and shrink over a trial, for all units
    lag: tuple[int, int] = (2, 6)  # frames to the peak of a unit's answer
    jitter: float = 0.7  # share of a pupil's or a run's variance that changes within a trial
    cortex: SimulationConfig = field(
        default_factory=lambda: SimulationConfig(
            mice=(),
            energy_fraction=0.6,
            noise_fraction=0.05,
            similarity_um=150.0,
            behavior_additive=0.3,
            behavior_gain=0.35,
            noise_family="poisson",
            noise=3.0,
        )
    )


_PAIR = (
    MovieMouse("90001-1-1", 0, units=50, short="behavior", pad=330, video_dtype="float32"),
    MovieMouse("90011-2-1", 0, "scored", units=37, archive=True),
)
_DEMO = (
    replace(_PAIR[0], response_dtype="float64"),
    _PAIR[1],
    MovieMouse("90002-3-2", 1, units=71, padding="zero", clusters="index", dull=True, pad=326),
    MovieMouse("90012-4-2", 1, "scored", units=32, short="pupil_center", overlong=True, pad=340),
)

# Few minutes of training are to be enough: little noise, mostly linear units.
_EASY = replace(MovieSimulation(()).cortex, energy_fraction=0.25, noise=0.5)

PRESETS: Mapping[str, MovieSimulation] = MappingProxyType(
    {
        "films_tiny": MovieSimulation(
            _PAIR, train=40, own=2, main=1, repeats=(4, 4), none=1, envelope=0.2, cortex=_EASY
        ),
        "films_demo": MovieSimulation(_DEMO, envelope=0.2, cortex=_EASY),
    }
)
