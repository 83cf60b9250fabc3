"""The command line of the CORnets: flags of the published code, results as from its functions."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from src import cornet
from src.data.assemblies import Assembly
from src.data.assembly_files import open_assembly
from src.models.cornet import cornet as build
from src.models.pretrained import random_network
from src.models.registry import cornet_record
from src.seeds import stream

RNG, N = np.random.default_rng(0), 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty pictures, grey, RGBA and color, by numbers that do not sort as text."""
    root = tmp_path_factory.mktemp("shown")
    for i in range(N):
        mode = ("L", "RGBA", "RGB")[i % 3]
        channels = {"L": (), "RGBA": (4,), "RGB": (3,)}[mode]
        pixels = RNG.integers(0, 256, (40, 50, *channels), np.uint8)
        Image.fromarray(pixels, mode).save(root / f"s{i}.png")
    return root


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    """Three repetitions of forty stimuli, two objects, two regions."""
    shown = np.repeat(np.arange(N), 3)
    stimuli = pd.DataFrame({"stimulus_id": [f"s{i}" for i in shown]})
    stimuli["object_name"], stimuli["repetition"] = (
        np.where(shown % 2, "a", "b"),
        np.tile([0, 1, 2], N),
    )
    signal = RNG.normal(size=(N, 6))[shown]
    units = pd.DataFrame({"unit_id": list("uvwxyz"), "region": ["V4"] * 2 + ["IT"] * 4})
    values = signal + 0.3 * RNG.normal(size=(3 * N, 6))
    path = tmp_path_factory.mktemp("assembly") / "own.h5"
    return Assembly(values, stimuli, units).save(path)


def run(*words):
    return cornet.main([str(word) for word in words])


def test_features_have_names_steps_and_the_step_in_their_own_name(folder, tmp_path, capsys):
    line = ("features", "--data_path", folder, "-o", tmp_path, "--model", "R", "--layer", "IT")
    line += ("--sublayer", "output", "--imsize", 32, "--weights", "random", "--times", 3)
    with pytest.warns(UserWarning, match="IT-t0 are the same for all images"):
        assert run(*line, "--all_steps") == 0
    path = tmp_path / "cornet_r_IT.output_all.npz"
    assert capsys.readouterr().out.strip() == str(path)
    with np.load(path) as stored:
        assert stored["features"].shape == (N, 3, 512) and stored["steps"].tolist() == [0, 1, 2]
        assert stored["names"].tolist() == [f"s{i}.png" for i in range(N)]
        every = stored["features"]
    assert run(*line, "--time_step", 2, "--batch_size", 5) == 0
    with np.load(tmp_path / "cornet_r_IT.output_t2.npz") as stored:
        np.testing.assert_allclose(stored["features"][:, 0], every[:, 2], rtol=1e-4, atol=1e-6)


def test_own_weights_are_loaded_whatever_their_classes(folder, tmp_path):
    """As DataParallel saves them, of a network of seven classes."""
    module = build("z", stream(5, "any"), classes=7)
    wrapped = {f"module.{name}": value for name, value in module.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": wrapped}, tmp_path / "own.pth.tar")
    network = cornet.opened("Z", str(tmp_path / "own.pth.tar"), 5, 0)
    x = torch.randn(2, 3, 32, 32)
    for area in ("V1", "IT"):
        ours, theirs = (m.eval().states(x)[area] for m in (network.module, module))
        torch.testing.assert_close(ours, theirs)
    assert "without decoder.linear" in network.weights


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda s: s.pop("module.V2.conv.bias"), r"missing V2\.conv\.bias"),
        (lambda s: s.update({"module.V4.conv.bias": torch.zeros(3)}), r"V4\.conv\.bias is \(3,\)"),
        (lambda s: s.update({"module.V5.conv.bias": torch.zeros(3)}), r"unexpected V5\.conv"),
    ],
)
def test_weights_that_do_not_fit_are_refused(folder, tmp_path, capsys, damage, said):
    state = {f"module.{k}": v for k, v in build("z", stream(5, "any")).state_dict().items()}
    damage(state)
    torch.save({"state_dict": state}, tmp_path / "own.pth")
    line = ("features", "--data_path", folder, "-o", tmp_path, "--imsize", 32)
    assert run(*line, "--weights", tmp_path / "own.pth") == 2
    assert re.search(said, capsys.readouterr().err)


def test_a_published_name_promises_a_hash(folder, tmp_path, capsys):
    file = tmp_path / cornet_record("z").file
    torch.save(random_network(cornet_record("z"), 0).module.state_dict(), file)
    line = ("features", "--data_path", folder, "-o", tmp_path, "--imsize", 32)
    for weights in (file, tmp_path):
        assert run(*line, "--weights", weights) == 2
        assert "has sha256" in capsys.readouterr().err


def test_a_model_that_is_the_data_scores_near_one(assembly, tmp_path, capsys):
    """Means as features: any region is a linear map of them."""
    means = open_assembly(assembly).averaged()
    np.savez(tmp_path / "own.npz", features=means.values, names=means.stimulus_ids)
    line = ("score", "--data_path", assembly, "--features", tmp_path / "own.npz", "--model", "mine")
    assert run(*line, "--metric", "ridge", "--resamples", 20, "-o", tmp_path / "out") == 0
    table = pd.read_csv(tmp_path / "out/scores.csv")
    assert table["region"].tolist() == ["IT", "V4"] and (table["model"] == "mine").all()
    assert (table["raw"] > 0.9).all() and (table["ceiling"] > 0.8).all()
    np.testing.assert_allclose(table["form_r2c-2026"], table["raw"] ** 2 / table["ceiling"])
    assert (tmp_path / "out/scores.png").stat().st_size > 10_000
    assert "mine" in capsys.readouterr().out


def test_a_cornet_is_scored_on_pictures_named_as_the_stimuli(folder, assembly, tmp_path):
    line = ("score", "--data_path", assembly, "--images", folder, "--model", "RT", "--times", 4)
    line += ("--layer", "IT", "--sublayer", "output", "--weights", "random", "--imsize", 32)
    line += ("--metric", "rdm", "--region", "IT", "--resamples", 0, "-o", tmp_path)
    with pytest.warns(UserWarning, match="are the same for all images"):
        status = run(*line)
    assert status == 0
    table = pd.read_csv(tmp_path / "scores.csv")
    assert table["step"].tolist() == [3]  # before it, IT has not seen the pictures


def test_what_is_missing_is_said(folder, assembly, tmp_path, capsys):
    assert run("score", "--data_path", assembly, "-o", tmp_path) == 2
    assert "give --features, or --images and --model of Z, R, RT, S" in capsys.readouterr().err
    assert run("train", "--data_path", folder, "-o", tmp_path) == 2
    assert "no folder train" in capsys.readouterr().err
    assert (
        run("features", "--data_path", tmp_path / "none", "-o", tmp_path, "--weights", "random")
        == 2
    )
    assert "does not exist" in capsys.readouterr().err


LINE = """--data_path d -o o --model S --epochs 3 --batch_size 8 --lr 0.1 --step_size 2
--momentum 0.8 --weight_decay 0.1 -j 2 --ngpus 0 --times 4 --restore_path r --save_train_epochs 1
--save_val_epochs 2 --save_model_epochs 3 --save_model_secs 4"""


def test_the_flags_are_those_of_the_published_code():
    parser, paths = cornet._parser(), ["--data_path", "d", "-o", "o"]
    given = parser.parse_args(["train", *LINE.split()])
    saved = given.save_train, given.save_validation, given.save_model, given.save_seconds
    assert saved == (1, 2, 3, 4) and (given.learning_rate, given.workers) == (0.1, 2)
    given = parser.parse_args(["train", *paths, "--learning_rate", "0.2"])
    assert given.learning_rate == 0.2 and given.epochs is None
    given = parser.parse_args(["test", *paths])
    assert (given.layer, given.sublayer, given.time_step, given.imsize) == (
        "decoder",
        "avgpool",
        0,
        224,
    )
