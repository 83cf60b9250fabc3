"""What a core starts from: a frozen network of the profile, as 02_extract left it."""

from __future__ import annotations

from pathlib import Path

from src.manifest import note_input
from src.models.frozen import WEIGHTS, frozen_network
from src.models.networks import Network
from src.studies.records import FrozenNetwork
from src.training import checkpoint


def trained_network(
    plan: FrozenNetwork, runs: Path, size: int, seed: int, weights: str | Path | None = None
) -> Network:
    """The network of a plan with the weights it ends up with, read from `runs` if trained here.

    The other arguments are those of `frozen_network`.
    """
    own = runs / plan.name / "member_01"
    if plan.start == "trained":
        return frozen_network(plan, size, seed, own)
    network = frozen_network(plan, size, seed, weights)
    if plan.training:
        path = note_input(own / WEIGHTS)
        network.module.load_state_dict(checkpoint.read(path)["state"])
    return network
