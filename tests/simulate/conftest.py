"""The tiny preset, simulated once; and a small mouse held in memory, varied by planted effects."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from src.simulate.config import PRESETS, SimulatedMouse, SimulationConfig
from src.simulate.layout import write_mouse
from src.simulate.mice import simulate_mice

SEED = 7


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Paths of the tiny preset: `folder`, `truth_folder`, and `mice` by session key."""
    root = tmp_path_factory.mktemp("tiny")
    folder, truth_folder = root / "raw", root / "truth"
    paths = simulate_mice(folder, truth_folder, "tiny", SEED)
    keys = [mouse.key for mouse in PRESETS["tiny"].mice]
    mice = dict(zip(keys, paths, strict=True))
    return SimpleNamespace(folder=folder, truth_folder=truth_folder, mice=mice)


def _one_mouse(units=20, role="pretraining", key="21067-10-18", **changes) -> SimulationConfig:
    own = {k: changes.pop(k) for k in tuple(changes) if k in SimulatedMouse.__dataclass_fields__}
    mouse = SimulatedMouse(key, role, units, **own)
    sizes = {"train": 24, "validation": 8, "test_images": 4}
    return replace(PRESETS["tiny"], **{"mice": (mouse,), **sizes, **changes})


@pytest.fixture(scope="session")
def one_mouse():
    """Function: a configuration of one mouse; a mouse's own fields may be among the changes."""
    return _one_mouse


@pytest.fixture(scope="session")
def in_memory():
    """Function: files by name, and the truth, of a configuration's only mouse."""

    def draw(config: SimulationConfig, seed=SEED, images=True):
        files: dict[str, np.ndarray] = {}

        def write(name, array):
            if images or not name.startswith("data/images"):
                files[name] = array

        return files, write_mouse(config, config.mice[0], seed, write)

    return draw


@pytest.fixture(scope="session")
def stacked():
    """Function: all trials of one kind among files held in memory: -> (n, ...)."""

    def stack(files, kind):
        return np.stack([files[f"data/{kind}/{i}"] for i in range(len(files["meta/trials/tiers"]))])

    return stack


@pytest.fixture(scope="session")
def still():
    """Changes after which behavior and pupil have no effect."""
    return {"behavior_additive": 0.0, "behavior_gain": 0.0, "pupil_shift": 0.0}
