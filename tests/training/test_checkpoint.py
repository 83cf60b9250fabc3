"""Checkpoints: safe and equal bytes, the way back to an encoder, refusal of anything else."""

import dataclasses
from types import ModuleType

import numpy as np
import pytest
import torch

from src.config import (
    BaselineCoreConfig,
    ConvCoreConfig,
    DenseReadoutConfig,
    GaussianReadoutConfig,
    InputConfig,
    ModelConfig,
    TrainingConfig,
    WideCoreConfig,
)
from src.data import movies
from src.data import session as images
from src.training import checkpoint
from src.training.checkpoint import CheckpointError, load_encoder
from src.training.provenance import SOURCES, differences, model_config, plain_model
from src.training.trainer import train


@pytest.fixture
def trained(encoder, sessions, splits, tmp_path):
    """An encoder after one epoch, and the file it was saved to."""
    config = TrainingConfig(batch_size=32, max_epochs=1)
    train(encoder, sessions, splits, config, 7, tmp_path, "cpu", progress=False)
    return encoder, tmp_path / "weights.pt"


def test_equal_content_gives_equal_bytes(tmp_path):
    tensor, text = torch.arange(6.0).reshape(2, 3), "".join(["a", "b"])
    one = {"x": tensor, "names": [text, "".join(["a", "b"])], "n": 1}
    two = {"x": torch.cat([tensor, tensor])[:2], "names": [text, text], "n": 1}
    files = [checkpoint.write(tmp_path / f"{n}.pt", c) for n, c in (("one", one), ("two", two))]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_checkpoint_holds_only_what_can_be_read_safely(tmp_path):
    with pytest.raises(TypeError, match="not ndarray"):
        checkpoint.write(tmp_path / "bad.pt", {"x": np.zeros(3)})
    assert not list(tmp_path.iterdir())
    path = checkpoint.write(tmp_path / "good.pt", {"best": np.float64(0.5), "memory": (1, None)})
    assert checkpoint.read(path) == {"best": 0.5, "memory": (1, None)}


def test_channels_last_weights_stay_so(tmp_path):
    weight = torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last)
    loaded = checkpoint.read(checkpoint.write(tmp_path / "w.pt", {"w": weight}))["w"]
    assert loaded.stride() == weight.stride()
    assert torch.equal(loaded, weight)


def test_unreadable_files_are_named(tmp_path, trained):
    _, path = trained
    with pytest.raises(FileNotFoundError, match=r"missing\.pt: run 02_train"):
        checkpoint.read(tmp_path / "missing.pt")
    for size in (0, 100, 5000):
        cut = tmp_path / "cut.pt"
        cut.write_bytes(path.read_bytes()[:size])
        with pytest.raises(CheckpointError, match=r"cut\.pt is cut off or no checkpoint") as error:
            checkpoint.read(cut)
        assert "\n" not in str(error.value)


def test_a_loaded_encoder_predicts_the_same(trained, sessions):
    encoder, path = trained
    loaded = load_encoder(path, sessions)
    assert not loaded.training
    for key, session in sessions.items():
        batch = session.batch(np.arange(9))
        assert torch.equal(loaded(batch, key), encoder(batch, key))


def test_a_checkpoint_records_what_it_came_from(trained, sessions, splits):
    content = checkpoint.read(trained[1])
    inputs = content["inputs"]
    assert inputs["seed"] == 7
    assert inputs["training"]["max_epochs"] == 1
    assert len(inputs["source"]) == 64
    for key, split in splits.items():
        assert inputs["sessions"][key]["split"] == split.fingerprint
        assert inputs["sessions"][key]["cache"] == sessions[key].fingerprint
        assert content["sessions"][key]["unit_ids"] == sessions[key].unit_ids.tolist()
    assert {"python", "torch", "numpy"} <= set(content["versions"])


@pytest.mark.parametrize("module", [images, movies])
def test_a_checkpoint_knows_the_code_that_reads_its_trials(module):
    """All that a session is made of, but what its fingerprint stands for: the packed files."""
    known = {"errors", "pack", "movie_pack", "movie_mouse", "stimulus_types"}
    found = {getattr(value, "__module__", None) or value.__name__ for value in used(module)}
    code = {name.removeprefix("src.").replace(".", "/") for name in found}
    assert len(code) > 3
    assert {c for c in code if c.startswith("data/")} - {f"data/{k}" for k in known} <= set(SOURCES)


def used(module):
    """Functions, classes and modules of src that a module names."""
    named = [v for v in vars(module).values() if callable(v) or isinstance(v, ModuleType)]
    return [v for v in named if (getattr(v, "__module__", None) or v.__name__).startswith("src.")]


CHANGES = {
    "image_shape": ((1, 48, 64), r"image_shape \(1, 48, 64\) but .*\(1, 12, 16\): open"),
    "unit_ids": (np.arange(20), r"unit_ids \[0, 1, 2, \.\.\., 19\] \(20 units\) but .*\[1, 3, 5"),
    "fingerprint": ("other cache", r"fingerprint other cache but .*cache of mouse1: .*02_train"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_another_session_is_refused_naming_both(trained, sessions, field):
    value, message = CHANGES[field]
    setattr(sessions["mouse1"], field, value)
    with pytest.raises(CheckpointError, match=f"session 'mouse1' has {message}"):
        load_encoder(trained[1], sessions)


def test_a_session_it_was_not_trained_on_is_refused(trained, sessions):
    with pytest.raises(CheckpointError, match="knows no session 'mouse9', only mouse1, mouse2"):
        load_encoder(trained[1], {"mouse9": sessions["mouse1"]})


MODELS = (
    ModelConfig("ln", BaselineCoreConfig(layers=3, linear=True)),
    ModelConfig("wide", WideCoreConfig((2, 4, 4, 4)), InputConfig(scale="full", boxes="file")),
    ModelConfig("it", ConvCoreConfig((4,)), readout=DenseReadoutConfig(8), output="identity"),
    ModelConfig("free", readout=GaussianReadoutConfig(position="free", gauss_type="isotropic")),
)


@pytest.mark.parametrize("config", MODELS, ids=lambda c: c.name)
def test_a_model_configuration_survives_the_round_trip(config, tmp_path):
    path = checkpoint.write(tmp_path / "c.pt", {"model": plain_model(config)})
    assert model_config(checkpoint.read(path)["model"]) == config


def test_differences_name_each_changed_entry():
    old = {"seed": 1, "training": dataclasses.asdict(TrainingConfig()), "gone": 0}
    new = {"seed": 1, "training": dataclasses.asdict(TrainingConfig(max_epochs=9)), "new": 0}
    expected = ["training.max_epochs: 200 -> 9", "gone: 0 -> None", "new: None -> 0"]
    assert differences(old, new) == expected
    assert differences(old, old) == []


def test_another_model_is_named_by_what_differs(trained):
    encoder, path = trained
    assert load_encoder(path, model=encoder.config).config == encoder.config
    core = dataclasses.replace(encoder.config.core, channels=encoder.config.core.channels + 1)
    other = dataclasses.replace(encoder.config, core=core, name="other")
    with pytest.raises(
        CheckpointError, match=r"another model than asked for \(name: .* -> other; "
    ):
        load_encoder(path, model=other)
    with pytest.raises(CheckpointError, match=r"core\.channels: \d+ -> \d+\): re-run 02_train"):
        load_encoder(path, model=other)
