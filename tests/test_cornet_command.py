"""The command line of the CORnets: flags of the published code, results as from its functions."""

import importlib
import re
import sys

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
    """Forty pictures, gray, RGBA and color, by numbers that do not sort as text."""
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


@pytest.mark.parametrize("model", ["R", "RT"])
def test_steps_are_as_many_as_asked_for(folder, tmp_path, model):
    line = ("features", "--data_path", folder, "-o", tmp_path, "--model", model, "--layer", "V1")
    line += ("--sublayer", "output", "--imsize", 32, "--weights", "random", "--all_steps")
    for times in (2, 4):
        assert run(*line, "--times", times) == 0
        with np.load(tmp_path / f"cornet_{model.lower()}_V1.output_all.npz") as stored:
            assert stored["steps"].tolist() == list(range(times))


def test_an_import_reads_no_arguments(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["anything", "--no-such-flag"])
    importlib.reload(cornet)


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


@pytest.fixture
def exact(assembly, tmp_path):
    """Features that are the means themselves, and noise of that shape, as files."""
    means = open_assembly(assembly).averaged()
    for name, x in {"exact": means.values, "noise": RNG.normal(size=means.values.shape)}.items():
        np.savez(tmp_path / f"{name}.npz", features=x, names=means.stimulus_ids)
    return tmp_path


def test_a_formula_is_chosen_by_name(assembly, exact):
    line = ("score", "--data_path", assembly, "--features", exact / "exact.npz", "--metric", "cka")
    line += ("--resamples", 0, "--region", "IT", "-o", exact)
    found = {}
    for name in ("", "raw-2019", "ratio2-v1", "r2c-2026", "ratio"):
        assert run(*line, *(("--formula", name) if name else ())) == 0
        found[name] = pd.read_csv(exact / "scores.csv").iloc[0]
    r, c = found[""]["raw"], found[""]["ceiling"]
    expected = {"": r / c, "raw-2019": r, "ratio2-v1": (r / c) ** 2, "r2c-2026": r**2 / c}
    for name, value in expected.items():
        assert found[name]["ceiled"] == pytest.approx(value, rel=1e-6)
        assert found[name]["version"] == (name or "ratio")


def test_models_are_compared_in_pairs(assembly, exact, capsys):
    line = ("score", "--data_path", assembly, "--metric", "ridge", "--resamples", 50, "-o", exact)
    assert run(*line, "--features", exact / "exact.npz", exact / "noise.npz") == 0
    table = pd.read_csv(exact / "comparisons.csv")
    assert table["region"].tolist() == ["IT", "V4"]
    assert (table["model"] == "exact").all() and (table["other"] == "noise").all()
    assert (table["ci_low"] < table["difference"]).all() and (table["p"] < 0.1).all()
    scores = pd.read_csv(exact / "scores.csv").set_index(["model", "region"])["raw"]
    np.testing.assert_allclose(table["difference"], scores["exact"] - scores["noise"])


def test_every_bin_is_a_row(assembly, exact):
    """Both ways to fit over time; a bin of noise alone has no score."""
    one = open_assembly(assembly)
    values = np.stack([one.values, RNG.normal(size=one.values.shape)], axis=2)
    bins = np.array([[70, 80], [80, 90]])
    path = Assembly(values, one.stimuli, one.units, bins).save(exact / "timed.h5")
    line = ("score", "--data_path", path, "--features", exact / "exact.npz", "--region", "IT")
    for metric in ("ridge", "spantime_pls"):
        how = ("--metric", metric, "--components", 5, "--resamples", 0)
        assert run(*line, *how, "-o", exact / metric) == 0
        table = pd.read_csv(exact / metric / "scores.csv").set_index("time_bin")
        assert table.index.tolist() == ["70-80", "80-90"] and (table["metric"] == metric).all()
        assert table["raw"]["70-80"] > 0.8 and abs(table["raw"]["80-90"]) < 0.4


def test_choices_are_scored_from_their_table(exact, capsys):
    """A model whose features name the object chooses as people do who are right."""
    objects, ids = np.repeat(list("abc"), 12), [f"c{i}" for i in range(36)]
    x = 3 * np.eye(3)[np.repeat(range(3), 12)] + RNG.normal(size=(36, 3))
    np.savez(exact / "seen.npz", features=x, names=ids)
    shown = pd.DataFrame({"stimulus_id": ids, "object_name": objects})
    shown[::2].to_csv(exact / "fitting.csv", index=False)
    rows = [
        (i, o, d) for i, o in shown[1::2].to_numpy() for d in "abc" if d != o for _ in range(20)
    ]
    table = pd.DataFrame(rows, columns=["stimulus_id", "sample_obj", "dist_obj"])
    wrong = RNG.random(len(table)) < 0.1
    table["choice"] = np.where(wrong, table["dist_obj"], table["sample_obj"])
    table.to_csv(exact / "choices.csv", index=False)
    line = ("score", "--data_path", exact / "choices.csv", "--features", exact / "seen.npz")
    assert run(*line, "--metric", "i1", "-o", exact) == 2
    assert "give --fitting" in capsys.readouterr().err
    fitting = ("--fitting", exact / "fitting.csv", "--resamples", 0)
    assert run(*line, "--metric", "i1", *fitting, "-o", exact) == 0
    row = pd.read_csv(exact / "scores.csv").iloc[0]
    assert (row["n_images"], row["n_units"], row["version"]) == (18, 3, "root")


def test_a_recording_of_ones_own_is_scored(tmp_path, capsys):
    """Pictures and an array in, a score of every layer out; units see brightness."""
    (folder := tmp_path / "pictures").mkdir()
    brightness = RNG.normal(size=N)
    for i, signal in enumerate(brightness):
        pixels = RNG.normal(128 + 30 * signal, 20, (40, 40)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"s{i}.png")
    repeats = 5 + brightness[None, :, None] + 0.2 * RNG.normal(size=(3, N, 4))
    np.save(tmp_path / "responses.npy", repeats)
    mine = tmp_path / "mine.h5"
    line = ("--images", folder, "--data_path", tmp_path / "responses.npy", "--region", "V4")
    assert run("assembly", *line, "-o", mine) == 0
    assert "160 presentations of 40 images, 3 units" in capsys.readouterr().out
    line = (
        "score",
        "--data_path",
        mine,
        "--images",
        folder,
        "--model",
        "alexnet",
        "--layer",
        "all",
    )
    line += ("--weights", "random", "--imsize", 64, "--pool", 2, "--metric", "ridgecv_split")
    assert run(*line, "--resamples", 0, "-o", tmp_path) == 0
    table = pd.read_csv(tmp_path / "scores.csv")
    assert table["layer"].tolist() == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    assert table["weights"].str.startswith("random").all() and (table["region"] == "V4").all()
    assert (table["ceiling"] > 0.8).all() and table["raw"].max() > 0.5


def test_a_picture_is_placed_and_looked_at_from_more_than_one_place(folder, tmp_path):
    """In a field twice as wide, a quarter of the cells sees it; looks are averaged."""
    line = (
        "features",
        "--data_path",
        folder,
        "--model",
        "Z",
        "--weights",
        "random",
        "--layer",
        "V1",
    )
    line += ("--sublayer", "output", "--imsize", 64)
    found = {}
    for name, flags in {"as it is": (), "wide": ("--field", 16), "looks": ("--looks", 3)}.items():
        assert run(*line, *flags, "-o", tmp_path / name) == 0
        with np.load(tmp_path / name / "cornet_z_V1.output_t0.npz") as stored:
            grid = stored["grid"].tolist()
            found[name] = stored["features"].reshape(N, *grid)
    assert grid == [64, 16, 16]
    varies = found["wide"].std(axis=0).max(axis=0) > 1e-5
    assert varies[5:11, 5:11].all() and not varies[:3].any() and not varies[:, -2:].any()
    r = np.corrcoef(found["looks"].ravel(), found["as it is"].ravel())[0, 1]
    assert 0.9 < r < 0.9999


def test_what_is_missing_is_said(folder, assembly, tmp_path, capsys):
    assert run("score", "--data_path", assembly, "-o", tmp_path) == 2
    assert "give --features, or --images and --model, as Z, R, RT, S" in capsys.readouterr().err
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
