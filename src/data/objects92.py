"""The 92 images of Kriegeskorte et al. 2008: human and monkey IT, and models, as RDMs.

    92_brainRDMs.mat   human IT of four subjects, two sessions each, (92, 92)
    92_modelRDMs.mat   models, monkey IT among them
    Kriegeskorte_Neuron2008_supplementalData.mat   the images, and RDMs of the paper's Figure 1

The files come with demonstrations of the RSA toolbox (Nili et al. 2014), not ours to pass on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.distance import squareform

from src.data.errors import DataError
from src.data.stored import read_mat
from src.manifest import note_input

BRAIN, MODELS = "92_brainRDMs.mat", "92_modelRDMs.mat"
PAPER = "Kriegeskorte_Neuron2008_supplementalData.mat"
FLAGS = ("human", "face", "animal", "natural")
N = 92


@dataclass(frozen=True)
class Objects92:
    """i = 92 images and dissimilarities of all pairs; larger is less alike."""

    pictures: np.ndarray  # (i, h, w, 3) uint8
    groups: np.ndarray  # (i,) str, images of a group side by side
    human: np.ndarray  # (4, i, i) of each subject, mean over sessions
    monkey: np.ndarray  # (i, i), 674 sites
    published_human: np.ndarray  # (i, i) the paper's mean
    models: dict[str, np.ndarray]  # (i, i) each


def open_objects92(folder: str | Path) -> Objects92:
    """All of it from a folder with the three files; DataError names what is missing."""
    folder = Path(folder).expanduser()
    brain, models, paper = (_read(folder / name) for name in (BRAIN, MODELS, PAPER))
    human = np.array([[_square(folder / BRAIN, x.RDM) for x in row] for row in brain["RDMs"]])
    monkey, average = (_square(folder / PAPER, x["RDM"]) for x in paper["RDMs_mIT_hIT_fig1"])
    stimuli = paper["stimuli_92objs"]
    return Objects92(
        np.stack([x["image"] for x in stimuli]),
        np.array([_group(x) for x in stimuli]),
        human.mean(1),
        monkey,
        average,
        {str(x["name"]): _square(folder / MODELS, x["RDM"]) for x in models["Models"]},
    )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"{path} does not exist: give the folder that holds it")
    return read_mat(note_input(path), simplify_cells=True)


def _square(path: Path, values: np.ndarray) -> np.ndarray:
    """Dissimilarities of all pairs, given as a square or its upper triangle: -> (i, i)."""
    values = np.asarray(values, np.float64)
    square = squareform(values) if values.shape == (N * (N - 1) // 2,) else values
    if square.shape != (N, N):
        raise DataError(f"{path}: an RDM is {values.shape}, not ({N}, {N}): get it again")
    return square


def _group(stimulus: dict[str, Any]) -> str:
    """One of six kinds of image."""
    human, face, animal, natural = (bool(stimulus[name]) for name in FLAGS)
    if animal:
        return f"{'human' if human else 'animal'} {'faces' if face else 'bodies'}"
    return "natural objects" if natural else "artificial objects"
