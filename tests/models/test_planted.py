"""Areas and states of a network in memory, and frozen networks that a plan has trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from src.data.assembly import write_assembly
from src.data.errors import DataError
from src.evaluation.stored_sets import stored_sets
from src.models.activations import activations, prepare
from src.models.cornet import AREAS
from src.models.extraction import Reduction, extract
from src.models.frozen import WEIGHTS, frozen_network
from src.models.planted import areas_of, last_steps, states_of
from src.studies.records import FrozenNetwork
from src.training import checkpoint
from src.training.start import trained_network

PLAN = FrozenNetwork("small", "cornet_rt", start="random", size=32)
IMAGES = np.random.default_rng(0).integers(0, 256, (70, 32, 32), np.uint8)


@pytest.fixture(scope="module")
def network():
    return frozen_network(PLAN, 32, 1)


def test_areas_are_what_layers_put_out(network):
    """In batches as at once; layers that are the same for all pictures are left out."""
    found = areas_of(network)(IMAGES)
    assert list(found) == list(network.record.informative) and "IT-t2" not in found
    assert last_steps(network) == ("V1-t4", "V2-t4", "V4-t4", "IT-t4", "decoder")
    assert list(areas_of(network, ["IT-t4"])(IMAGES[:3])) == ["IT-t4"]
    layers = [network.layer(name) for name in found]
    whole = activations(network, prepare(IMAGES, network.record), layers)
    for name, x in found.items():
        torch.testing.assert_close(
            torch.from_numpy(x), whole[name].flatten(1), rtol=1e-4, atol=1e-5
        )


def test_states_are_averaged_over_cells(network):
    found = states_of(network, IMAGES[:5], pool=2)
    with torch.inference_mode():
        states = network.module.states(prepare(IMAGES[:5], network.record))
    assert list(found) == list(AREAS)
    for area, state in states.items():
        pooled = torch.stack([Reduction(2).pooled(x).flatten(1) for x in state])
        torch.testing.assert_close(torch.from_numpy(found[area]), pooled, rtol=1e-4, atol=1e-5)
    assert found["V1"].shape == (5, 5, 64 * 4) and found["IT"].shape == (5, 5, 512)


def test_a_trained_start_is_its_runs_weights(network, tmp_path):
    other = frozen_network(replace(PLAN, draw=3), 32, 1)
    content = {"state": other.module.state_dict(), "inputs": {"seed": 1}}
    checkpoint.write(tmp_path / "small" / "member_01" / WEIGHTS, content)
    trained = trained_network(replace(PLAN, start="trained"), tmp_path, 32, 1)
    assert trained.record.input_size == 32 and trained.weights == WEIGHTS and trained.file_sha256
    for name, value in other.module.state_dict().items():
        assert torch.equal(trained.module.state_dict()[name], value)
    with pytest.raises(DataError, match="no weights"):
        trained_network(replace(PLAN, name="none", start="trained"), tmp_path, 32, 1)


def test_stored_features_are_sets_by_layer(network, tmp_path):
    """Rows follow the file's pictures; features of others are refused."""
    ids = np.array([f"s{i}" for i in range(8)])[::-1]
    tables = {"stimulus_id": ids}, {"neuroid_id": np.array(["a"])}
    files = tmp_path / "raw.h5", tmp_path / "other.h5"
    for path, images in zip(files, (IMAGES[:8], IMAGES[8:16]), strict=True):
        write_assembly(path, [np.zeros((8, 1))], *tables, (images, ids))
    folder = tmp_path / "features/small"
    extract(network, IMAGES[:8], folder / "raw", ["V2-t1", "decoder"])
    found = stored_sets(tmp_path / "features", "small", files[0])
    assert list(found) == ["V2-t1", "decoder"]
    one = found["V2-t1"]
    assert (one.layer, one.step, one.model) == ("V2", 1, "small")
    assert one.values.shape == (8, 128 * 4 * 4) and one.stimulus_ids.tolist() == ids.tolist()
    folder.joinpath("raw").rename(folder / "other")
    with pytest.raises(DataError, match="features of other images"):
        stored_sets(tmp_path / "features", "small", files[1])
