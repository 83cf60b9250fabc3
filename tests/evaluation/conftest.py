"""A small simulated IT session, packed once for the tests of probes."""

from types import SimpleNamespace

import pytest

from src.config import InputConfig
from src.data.inferotemporal import open_inferotemporal
from src.data.pack import pack
from src.data.session import Session
from src.simulate.inferotemporal import load_truth, simulate_inferotemporal

SEED = 7


@pytest.fixture(scope="session")
def inferotemporal(tmp_path_factory):
    """The tiny preset: `session`, its `truth`, the `seed` of both."""
    root = tmp_path_factory.mktemp("inferotemporal")
    path = simulate_inferotemporal(root / "raw", root / "truth", "tiny", SEED)
    pack(open_inferotemporal(path), root / "pooled")
    session = Session(root / "pooled", InputConfig(scale="full"))
    return SimpleNamespace(
        session=session, truth=load_truth(root / "truth/truth.npz"), seed=SEED, root=root
    )
